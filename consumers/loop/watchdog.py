"""A deadline for what may hang for good: the close of a client after a fatal error."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from metrics.events import CLOSE_OVERDUE

# Tells an error.
LastWords = Callable[[Exception], object]
_log = logging.getLogger("streamfit.watchdog")


def nothing_more(_: Exception) -> None:
    """Say nothing."""


@contextmanager
def ends_within(
    timeout_s: float, exit_code: int = 3, last_words: Callable[[], object] | None = None
) -> Iterator[None]:
    """End the process if the block is not left in time.

    Everything that must last is committed before a close, so nothing is lost by ending here.

    Parameters
    ----------
    timeout_s : float
        Seconds.
    exit_code : int
        What the process ends with then.
    last_words : callable or None
        Tells the error that is on its way out.
    """

    def end() -> None:
        _log.error(
            "closing took longer than %g s: ending at once",
            timeout_s,
            extra=CLOSE_OVERDUE(timeout_s=timeout_s, exit_code=exit_code),
        )
        try:
            if last_words is not None:
                last_words()
        finally:
            os._exit(exit_code)

    timer = threading.Timer(timeout_s, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
