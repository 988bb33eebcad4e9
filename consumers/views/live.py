"""Shows a run while it goes on: a view that redraws itself on a terminal, plain lines elsewhere.

What is shown comes from `consumers.views.history`; the chart is `consumers.views.plot.TextChart`.
"""

import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from consumers.views.history import History, Measure, Moment
from consumers.views.plot import STYLES, TextChart, names
from metrics.facts import Baseline, State, View

_REDRAWS_PER_S = 8
_LINE_EVERY_S = 1.0
# Below this, scores and status stand one above the other.
_BESIDE_WIDTH = 76
_SCORE_WIDTHS = (13, 9, 10)
_MIN_CHART, _MAX_CHART = 4, 18
_NOT_DEFINED = "-"
_SCORES = {Measure.ACCURACY: ("accuracy", "kappa-T"), Measure.MAE: ("mae", "R2")}
_SECOND_KEY = {Measure.ACCURACY: "kappa_t", Measure.MAE: "r2"}


class LiveView:
    """Shows a history from a thread of its own until it is stopped; a context manager.

    On a terminal the last picture stays; elsewhere a last line tells how it ended.

    Parameters
    ----------
    history : History
        What to show.
    console : Console
        Where to: a terminal gets the view, anything else a plain line every second.
    total : int or None
        Number of records that will come, where it is known.
    """

    def __init__(self, history: History, console: Console, total: int | None) -> None:
        self._history, self._console, self._total = history, console, total
        self._live = self._make_live() if console.is_interactive else None
        self._stopping = threading.Event()
        self._lines = threading.Thread(target=self._write_lines, name="live view", daemon=True)

    def start(self) -> None:
        """Begin to show; once only."""
        if self._live is not None:
            self._live.start(refresh=True)
        else:
            self._lines.start()

    def stop(self) -> None:
        """Show how things stand now, for the last time. Stopping twice does no harm."""
        if self._live is not None:
            self._live.stop()
        elif self._lines.is_alive():
            self._stopping.set()
            self._lines.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _make_live(self) -> Live:
        return Live(
            console=self._console,
            get_renderable=lambda: Frame(self._history.moment(), self._total),
            refresh_per_second=_REDRAWS_PER_S,
            # What goes to a file or a pipe must not end up in the view.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=sys.stderr.isatty(),
        )

    def _write_lines(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(_LINE_EVERY_S)
            line = plain_line(self._history.moment(), self._total)
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def plain_line(moment: Moment, total: int | None) -> str:
    """Tell a moment in one line."""
    parts = [f"consumed {_of(moment.consumed, total)}", f"{moment.events_per_s:,.0f} events/s"]
    rows = [(name, cumulative) for _, name, cumulative, _ in _score_rows(moment)]
    parts += [f"{name} {score}" for name, score in rows if score != _NOT_DEFINED]
    parts.append(f"lag {_lag(moment.lag)}")
    parts.append(f"dead letters {sum(moment.dead_letters.values()):,}")
    if moment.failed_epochs:
        parts.append(f"failed checkpoints {moment.failed_epochs:,}")
    return "  ".join(parts)


@dataclass(frozen=True, slots=True)
class Frame:
    """A rich renderable: one picture of the view, as large as the terminal allows.

    Attributes
    ----------
    moment : Moment
    total : int or None
        Number of records that will come, where it is known.
    """

    moment: Moment
    total: int | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        moment, width = self.moment, options.max_width
        measure = moment.measure or Measure.ACCURACY
        yield _head(moment, width)
        yield _progress(moment, self.total, width, ascii_only=options.ascii_only)
        yield Text()
        scores, status = _score_table(moment), _status_table(moment)
        beside = width >= _BESIDE_WIDTH
        if beside:
            side_by_side = _grid(sum(_SCORE_WIDTHS) + 3, None)
            side_by_side.add_row(scores, status)
            yield side_by_side
        else:
            yield from (scores, status)
        # Not of the chart's own rows: 3 above the tables, a blank, a title, 2 of the axis, and the
        # line that the cursor stays on.
        height = options.size.height - (5 if beside else 10) - 8
        if height >= _MIN_CHART:
            yield Text()
            yield Text(f"{_SCORES[measure][0]} over the window", "bold", no_wrap=True)
            yield TextChart(moment.course, measure, min(height, _MAX_CHART), self.total)


def _head(moment: Moment, width: int) -> Text:
    line = Text("streamfit ", no_wrap=True, overflow="crop")
    line.append(moment.state.value, "bold green" if moment.state is State.RUNNING else "bold")
    line.append(f"  model version {moment.model_version:,}")
    rate = f"  {moment.events_per_s:,.0f} events/s"
    return line.append(rate.rjust(width - line.cell_len), "bold")


def _progress(moment: Moment, total: int | None, width: int, *, ascii_only: bool) -> Text:
    line = Text(no_wrap=True, overflow="crop")
    if not total:
        return line.append(f"{moment.consumed:,} records")
    share = min(moment.consumed / total, 1.0)
    # As wide as at the end, so that the bar does not shrink on its way.
    beside = len(f"  {_of(total, total)}  100%")
    told = f"{_of(moment.consumed, total)}  {int(100 * share):3}%"
    length = max(0, width - beside)
    done = int(share * length)
    full, empty = "#-" if ascii_only else "━─"
    line.append(full * done, "green").append(empty * (length - done))
    return line.append(told.rjust(beside))


def _score_rows(moment: Moment) -> list[tuple[str, str, str, str]]:
    """Give style, name, value so far, value over the window: two scores, then two baselines."""
    measure = moment.measure or Measure.ACCURACY
    (first, second), called = _SCORES[measure], names(measure)
    so_far, window = _figures(moment, View.CUMULATIVE), _figures(moment, View.WINDOW)
    rows = (
        (STYLES["model"], first, measure.value),
        ("bold", second, _SECOND_KEY[measure]),
        (STYLES["no_change"], called["no_change"], Baseline.NO_CHANGE),
        (STYLES["simple"], called["simple"], measure.simple_baseline),
    )
    return [(style, name, _score(so_far.get(k)), _score(window.get(k))) for style, name, k in rows]


def _figures(moment: Moment, view: View) -> dict[str, float]:
    facts = moment.scores
    if facts is None:
        return {}
    baselines = facts.baselines.get(view, {})
    return {**facts.scores.get(view, {}), **{str(name): baselines[name] for name in baselines}}


def _score(value: float | None) -> str:
    if value is None:
        return _NOT_DEFINED
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.4g}"


def _score_table(moment: Moment) -> Table:
    table = _grid(*_SCORE_WIDTHS)
    table.columns[1].justify = table.columns[2].justify = "right"
    table.add_row("", "so far", "window")
    for style, *cells in _score_rows(moment):
        table.add_row(*cells, style=style)
    return table


def _status_table(moment: Moment) -> Table:
    stages = ", ".join(f"{stage} {n:,}" for stage, n in sorted(moment.dead_letters.items()) if n)
    table = _grid(13, None)
    table.add_row("lag", _lag(moment.lag))
    table.add_row("dead letters", f"{sum(moment.dead_letters.values()):,}\n{stages}")
    table.add_row("checkpoint", _checkpoint(moment))
    return table


def _checkpoint(moment: Moment) -> Text:
    """Tell the last checkpoint in two lines."""
    saved, age_s = moment.saved, moment.saved_age_s
    told = Text("none yet\n")
    if saved is not None and age_s is not None:
        size = f", {saved.checkpoint_bytes / 1000:,.1f} kB" if saved.checkpoint_bytes else ""
        told = Text(f"epoch {saved.epoch:,}{size}\n{_age(age_s)} ago, ")
    if moment.failed_epochs:
        told.append(f"{moment.failed_epochs:,} failed since", "bold red")
    elif saved is not None:
        told.append(f"took {1000 * sum(saved.seconds.values()):,.0f} ms")
    return told


def _age(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:,.0f} min"


def _lag(lag: Mapping[int, int]) -> str:
    return f"{sum(lag.values()):,}" if lag else _NOT_DEFINED


def _of(count: int, total: int | None) -> str:
    return f"{count:,}" if not total else f"{count:,} of {total:,}"


def _grid(*widths: int | None) -> Table:
    """Make a table whose cells are cut off rather than wrapped; None takes what is left."""
    table = Table.grid(expand=None in widths)
    for width in widths:
        ratio = 1 if width is None else None
        table.add_column(width=width, ratio=ratio, no_wrap=True, overflow="crop")
    return table
