"""How many records a read takes: as many as are worked off in a moment."""

import time
from collections.abc import Callable

# A batch holds up the epoch, a rebalance and the stop for as long as it takes.
TARGET_S = 0.25
FIRST = 64


class BatchSize:
    """Fits reads to the pace at which they are worked off.

    That is the time from one read to the next. A model that takes a millisecond for an event gets
    250 at a time, a quick one as many as it may; nobody has to know which it is.

    Parameters
    ----------
    most : int
        Most records of one read.
    clock : callable
        Gives seconds.

    Examples
    --------
    >>> now = iter([0.0, 0.064, 0.1, 0.1])
    >>> size = BatchSize(2048, lambda: next(now))
    >>> size.next(), size.given(64), size.next()
    (64, None, 250)
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._size = min(FIRST, most)
        self._count, self._since_s = 0, 0.0

    def next(self) -> int:
        """Give the size of the read that is about to come."""
        if self._count:
            took_s = max(self._clock() - self._since_s, 1e-9)
            fits = int(TARGET_S * self._count / took_s)
            self._size = max(1, min(fits, self._most))
            self._count = 0
        return self._size

    def given(self, count: int) -> None:
        """Take note of how many records a read gave."""
        self._count, self._since_s = count, self._clock()
