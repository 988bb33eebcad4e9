"""SIGTERM and SIGINT as a wish to stop in order."""

import signal
from collections.abc import Callable
from types import FrameType
from typing import Self

_NUMBERS = (signal.SIGTERM, signal.SIGINT)


class StopWish:
    """Listens for SIGTERM and SIGINT from the start, and passes the wish on once it can be met.

    A handler must not raise: inside a poll that would destroy records already fetched. A context
    manager: the handlers before it are back after it.

    Parameters
    ----------
    at_the_end : bool
        Whether the process ends with the block: then the signals are ignored after it, so that one
        more of them does not turn an orderly end into another.
    """

    def __init__(self, *, at_the_end: bool = False) -> None:
        self._at_the_end = at_the_end
        self._asked = False
        self._stop: Callable[[], None] = lambda: None
        self._before: list[signal.Handlers | Callable[[int, FrameType | None], object] | int | None]
        self._before = []

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._handle) for number in _NUMBERS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(_NUMBERS, self._before, strict=True):
            signal.signal(number, signal.SIG_IGN if self._at_the_end else handler)

    def stops(self, stop: Callable[[], None]) -> None:
        """Name what to call; it is called at once if the wish came before."""
        self._stop = stop
        if self._asked:
            stop()

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        self._stop()
