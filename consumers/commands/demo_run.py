"""One run of the demo: what starts when, what is shown, and how it is summed up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from consumers.demo.countdown import Countdown, Milestones
from consumers.demo.job import DemoOptions, Replayer
from consumers.errors import KafkaUnreachableError
from consumers.loop.runner import Runner
from consumers.settings import Settings
from consumers.views.history import History
from consumers.views.live import LiveView
from consumers.views.summary import Summary, summarise, summary_table
from metrics.observer import Observer

NEXT = (
    ("streamfit init my.toml", "write a settings file for your own Kafka"),
    ("streamfit check my.toml", "see whether broker, topics and events fit it"),
    ("streamfit run my.toml", "learn; stop it, start it: it goes on where it was"),
)


class DemoRun:
    """Starts the replay when the model is ready, and ends when all of it is learned.

    Parameters
    ----------
    settings : Settings
        The demo's.
    options : DemoOptions
        What is replayed.
    console : Console
        Where the view goes.
    keep : bool
        Go on after the end.
    told : bool
        Whether the summary is shown here; else it is somebody else's to print.
    """

    def __init__(
        self,
        settings: Settings,
        options: DemoOptions,
        console: Console,
        *,
        keep: bool,
        told: bool = True,
    ) -> None:
        milestones = Milestones(self._begin, self._end, self._settle)
        self.history = History()
        self._countdown = Countdown(options.total, milestones)
        self._replayer = Replayer(settings, options, lambda: self._countdown.consumed)
        self._view = LiveView(self.history, console, options.total)
        self._console = console
        self._keep = keep
        self._told = told
        self._runner: Runner | None = None
        self._page = ""
        self._total = options.total
        self._began = time.monotonic()
        self._ended: float | None = None

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who must be told what the loop does."""
        return self.history, self._countdown

    @contextmanager
    def showing(self, runner: Runner, page: str) -> Iterator[None]:
        """Show the run while the block runs, and its summary after it."""
        self._runner, self._page = runner, page
        try:
            with self._view:
                yield
        finally:
            self._replayer.close()
        if self._ended is None:
            self._ended = time.monotonic()
            told = f"stopped early, after {self._countdown.consumed:,} of {self._total:,} records"
            self._console.print(told)
        if not self._keep:
            self._show_summary()

    def check(self) -> None:
        """Raise if the replay failed.

        Raises
        ------
        KafkaUnreachableError
            With what the replay said.
        """
        if self._replayer.error is not None:
            raise KafkaUnreachableError(f"the replay failed: {self._replayer.error}")

    def summary(self) -> Summary:
        """Sum up what was learned."""
        ended = time.monotonic() if self._ended is None else self._ended
        return summarise(self.history, ended - self._began)

    def _begin(self) -> None:
        self._began = time.monotonic()
        self._replayer.start(self._stop)

    def _end(self) -> None:
        self._ended = time.monotonic()
        if not self._keep:
            self._stop()

    def _settle(self) -> None:
        if self._keep:
            self._view.stop()
            self._show_summary()
            told = f"status page: {self._page}  metrics: {self._page}metrics  (Ctrl-C ends)"
            self._console.print(told)

    def _stop(self) -> None:
        if self._runner is not None:
            self._runner.stop()

    def _show_summary(self) -> None:
        if self._told:
            drifts = sum(self.history.moment().drifts.values())
            self._console.print(summary_table(self.summary(), NEXT, drifts))
