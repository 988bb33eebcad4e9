"""Tells in the log when the loop or a partition stands still, and where each thread is then.

What standing still means is decided by `metrics.health`. What must not hang for good is ended by
`consumers.loop.watchdog`.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Self

from metrics.events import STALL_ENDED, STALLED, WATCH_FAILED
from metrics.health import Health

_log = logging.getLogger("streamfit.watchdog")
# As many partitions are described in a line; a topic can have thousands.
_DESCRIBED = 10
# Longer than a look takes, unless the log itself hangs; then the end must not wait for it.
_CLOSE_S = 2.0


class StallWatch:
    """Asks for health every second, and tells each stall once; a context manager.

    The stacks of all threads come with the first stall; those that follow while it lasts are told
    without. Neither a paused nor a restoring consumer is exempt: it does not move either.

    Parameters
    ----------
    health : Health
        What is asked.
    clock : callable
        Gives seconds by the clock of the heartbeats.
    every_s : float
        Seconds between two looks.
    """

    def __init__(self, health: Health, clock: Callable[[], float], every_s: float = 1.0) -> None:
        self._health = health
        self._clock = clock
        self._every_s = every_s
        self._turning = True
        self._stalled: frozenset[int] = frozenset()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(_CLOSE_S)

    def look(self) -> None:
        """Look once; what has changed since the look before is told."""
        now = self._clock()
        live, stalled = self._health.live(now), self._health.stalled(now)
        begun = [str(stall) for stall in stalled if stall.partition not in self._stalled]
        first = self._turning and not self._stalled
        if self._turning and not live.ok:
            begun.insert(0, live.reason)
        ended = sorted(self._stalled - {stall.partition for stall in stalled})
        resumed = live.ok and not self._turning
        self._turning, self._stalled = live.ok, frozenset(stall.partition for stall in stalled)
        if begun:
            _tell(begun, sorted(self._stalled), with_stacks=first)
        if resumed:
            _log.info("the loop turns again", extra=STALL_ENDED())
        if ended:
            _log.info(
                "no longer stalled: partitions %s", ended, extra=STALL_ENDED(partitions=ended)
            )

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.look()
            except Exception:  # noqa: BLE001 the watch must outlast its own faults, and is logged
                _log.exception("the watch for stalls failed, and goes on", extra=WATCH_FAILED())


def stacks() -> str:
    """Give the stacks of all threads as text, the innermost call last."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    # The only way to the stacks of other threads; `faulthandler` can write to files alone.
    frames = sys._current_frames()  # noqa: SLF001 documented, despite its name
    return "\n".join(
        f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
        for ident, frame in frames.items()
    )


def _tell(begun: list[str], partitions: list[int], *, with_stacks: bool) -> None:
    more = len(begun) - _DESCRIBED
    text = "; ".join(begun[:_DESCRIBED]) + (f"; and {more} more" if more > 0 else "")
    extra = STALLED(partitions=partitions)
    if with_stacks:
        _log.error("stalled: %s; the stacks of all threads:\n%s", text, stacks(), extra=extra)
    else:
        _log.error("stalled: %s", text, extra=extra)
