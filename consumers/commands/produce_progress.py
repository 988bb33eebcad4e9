"""Shows how far a replay is: a bar on a terminal, a plain line every 5 s elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 5.0


class ReplayProgress:
    """Told the number of events sent so far; a context manager.

    Parameters
    ----------
    console : Console
        Where to show it.
    total : int or None
        Number of events that will be sent, where it is known.
    clock : callable
        Seconds that only grow.
    """

    def __init__(
        self, console: Console, total: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console, self._total, self._clock = console, total, clock
        self._bar = _bar(console) if console.is_terminal else None
        self._task = self._bar.add_task("sending", total=total, rate="") if self._bar else None
        self._started_s = self._told_s = clock()

    def __call__(self, sent: int) -> None:
        """Show that `sent` events are sent."""
        now_s = self._clock()
        rate = f"{sent / max(now_s - self._started_s, 1e-9):,.0f} events/s"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=sent, rate=rate)
        elif now_s - self._told_s >= _LINE_EVERY_S:
            self._told_s = now_s
            of = "" if self._total is None else f" of {self._total:,}"
            self._console.print(f"sent {sent:,}{of} events, {rate}", highlight=False)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
