"""Draws the course of a run: the model's score over the window against the two baselines.

As text for a terminal, and as a picture by matplotlib, which is an extra.
"""

import importlib.util
import itertools
import math
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from consumers.errors import SettingsError
from consumers.views.history import History, Measure, Point
from learners.events import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODEL, NO_CHANGE = "model", "no-change"
SIMPLE = {Measure.ACCURACY: "majority", Measure.MAE: "running mean"}
SCORE = {Measure.ACCURACY: "accuracy", Measure.MAE: "mean absolute error"}
# Three of the eight colours that a terminal's own theme keeps readable on its background.
STYLES = {"model": "bold green", "no_change": "magenta", "simple": "cyan"}

# Told apart by lightness and line too, for those who do not see the colours.
_LINES = {
    "model": ("#00543d", 2.2, "-"),
    "no_change": ("#d55e00", 1.3, "-"),
    "simple": ("#56b4e9", 1.3, "--"),
}
_FORMATS = (".png", ".svg", ".pdf")


def names(measure: Measure) -> dict[str, str]:
    """Give what the fields of a `Point` are called for people, best known first."""
    return {"model": MODEL, "no_change": NO_CHANGE, "simple": SIMPLE[measure]}


def check_path(path: Path) -> None:
    """See before a run whether `draw` will be able to write.

    Raises
    ------
    SettingsError
        If matplotlib is missing, the suffix names no format, or the folder is not there or is not
        writable.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise SettingsError("--plot: matplotlib is missing; run pip install matplotlib")
    if path.suffix.lower() not in _FORMATS:
        raise SettingsError(f"--plot {path}: unknown format; end it in {' or '.join(_FORMATS)}")
    try:
        found, folder = path.exists(), path.parent.is_dir()
    except OSError as error:  # no right to look, a name too long
        raise SettingsError(f"--plot {path}: {error.strerror}; name another file") from None
    if not folder:
        raise SettingsError(f"--plot {path}: no folder {path.parent}; make it, or name another")
    if path.is_dir() or not os.access(path if found else path.parent, os.W_OK):
        raise SettingsError(f"--plot {path}: cannot be written; name another file")


def draw(history: History, path: Path, title: str) -> None:
    """Write a picture of the course; its format goes by the suffix.

    Raises
    ------
    SettingsError
        As `check_path`, or if writing fails.
    """
    check_path(path)
    # Here and not above: it is an extra, and it takes longer to load than all the rest.
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    moment = history.moment()
    figure = Figure(figsize=(9.6, 5.4), dpi=150, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=13, pad=28, parse_math=False)
    _draw_lines(axes, moment.measure or Measure.ACCURACY, moment.course)
    try:
        figure.savefig(path)
    except OSError as error:
        why = error.strerror or error
        raise SettingsError(f"--plot {path}: {why}; name another file") from None


def _draw_lines(axes: "Axes", measure: Measure, course: Sequence[Point]) -> None:
    scored = [point.scored for point in course]
    for field, (color, width, dashes) in _LINES.items():
        axes.plot(
            *(scored, [getattr(point, field) for point in course], dashes),
            color=color,
            linewidth=width,
            label=names(measure)[field],
            zorder=4 if field == "model" else 3,
            marker="o" if len(course) == 1 else None,
        )
    axes.set_xlabel("events learned")
    axes.set_ylabel(f"{SCORE[measure]} over the window")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#dddddd", linewidth=0.7)
    axes.margins(x=0.01)
    axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(-0.01, 1))


@dataclass(frozen=True, slots=True)
class TextChart:
    """A rich renderable: the course as lines of text, as wide as there is room.

    Attributes
    ----------
    course : sequence of Point
    measure : Measure
    height : int
        Rows of the lines themselves; the axis takes two more.
    total : int or None
        Where the axis of events ends, if that is known; else it ends with the course.
    """

    course: Sequence[Point]
    measure: Measure
    height: int
    total: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        label_width = max(map(len, names(self.measure).values()))
        values = [getattr(point, field) for point in self.course for field in STYLES]
        low, high, step = _axis(values or [0.0, 1.0], most=max(2, self.height // 2 + 1))
        ticks = _ticks(low, high, step)
        gutter = max(map(len, ticks.values()))
        columns = options.max_width - gutter - label_width - 3
        if columns < 10 or not self.course:
            return
        canvas = _Canvas(self.height, columns, plain=options.ascii_only)
        ends = canvas.draw(self.course, self._span(), (low, high))
        labels = _apart(ends, self.height)
        tick_rows = {canvas.row_of(value, low, high): text for value, text in ticks.items()}
        corner, floor, wall = "+-|" if options.ascii_only else "└─│"
        for row in range(self.height):
            line = Text(f"{tick_rows.get(row, ''):>{gutter}} {wall}", no_wrap=True)
            line.append_text(canvas.text(row))
            if row in labels:
                line.append(f" {names(self.measure)[labels[row]]}", STYLES[labels[row]])
            yield line
        left, right = (f"{end:,}" for end in self._span())
        yield Text(f"{'':>{gutter}} {corner}{floor * columns}", no_wrap=True)
        yield Text(f"{'':>{gutter}}  {left}{right:>{columns - len(left)}} events", no_wrap=True)

    def _span(self) -> tuple[int, int]:
        first, last = self.course[0].scored, self.course[-1].scored
        return (first, last) if self.total is None else (0, max(self.total, last))


class _Canvas:
    """Cells of a terminal, each of 2 x 4 dots, or of one character where only ASCII is shown."""

    BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
    PLAIN: ClassVar = {"model": "*", "no_change": ".", "simple": "-", "": " "}

    def __init__(self, rows: int, columns: int, *, plain: bool) -> None:
        self._plain = plain
        self._cell = (1, 1) if plain else (4, 2)
        self._rows, self._columns = rows * self._cell[0], columns * self._cell[1]
        self._bits = [[0] * columns for _ in range(rows)]
        self._owners = [[""] * columns for _ in range(rows)]

    def row_of(self, value: float, low: float, high: float) -> int:
        """Give the row of cells in which a value stands."""
        return int(self._dot_rows(np.array([value]), low, high)[0]) // self._cell[0]

    def draw(
        self, course: Sequence[Point], span: tuple[int, int], bounds: tuple[float, float]
    ) -> dict[str, int]:
        """Draw all lines, the model's on top; give the row of cells in which each one ends."""
        scored = np.array([point.scored for point in course], dtype=np.float64)
        at, apart = np.linspace(*span, self._columns, retstep=True)
        seen = np.flatnonzero((at >= scored[0] - apart / 2) & (at <= scored[-1] + apart / 2))
        for field in reversed(STYLES):
            values = np.array([getattr(point, field) for point in course])
            dots = self._dot_rows(np.interp(at[seen], scored, values), *bounds)
            self._join(field, seen.tolist(), dots.tolist())
        last = course[-1]
        return {field: self.row_of(getattr(last, field), *bounds) for field in STYLES}

    def text(self, row: int) -> Text:
        """Give one row of cells."""
        line = Text(no_wrap=True)
        cells = zip(self._owners[row], self._bits[row], strict=True)
        for owner, run in itertools.groupby(cells, key=operator.itemgetter(0)):
            shown = (self.PLAIN[owner] if self._plain else chr(0x2800 + bits) for _, bits in run)
            # An empty braille cell shows faint rings in some fonts.
            line.append("".join(shown).replace("\u2800", " "), STYLES.get(owner))
        return line

    def _dot_rows(self, values: Floats, low: float, high: float) -> Ints:
        dots = np.rint((high - values) / (high - low) * (self._rows - 1))
        return np.clip(dots, 0, self._rows - 1).astype(np.int64)

    def _join(self, field: str, columns: list[int], dots: list[int]) -> None:
        """Mark each dot of a line, and those between it and the one before."""
        before = dots[:1] + dots
        height, width = self._cell
        for column, start, dot in zip(columns, before, dots, strict=False):
            # From beside the last one, so that a step up or down is one dot wide.
            first = dot if start == dot else start + (1 if dot > start else -1)
            for y in range(min(first, dot), max(first, dot) + 1):
                cell, x = y // height, column // width
                self._bits[cell][x] |= self.BRAILLE[y % height][column % width]
                self._owners[cell][x] = field


def _axis(values: Sequence[float], most: int) -> tuple[float, float, float]:
    """Choose bounds and a step of 1, 2 or 5 times a power of ten, with at most `most` ticks."""
    low, high = min(values), max(values)
    # A flat line must not blow up its rounding errors to the height of the chart.
    span = max(high - low, 0.1 * abs(high), 1e-9)
    smallest = 10.0 ** math.floor(math.log10(span / most))
    for factor in (1, 2, 5, 10, 20, 50, 100):
        step = factor * smallest
        bottom, top = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if top - bottom < most:
            break
    return bottom * step, max(top, bottom + 1) * step, step


def _ticks(low: float, high: float, step: float) -> dict[float, str]:
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    marks = [low + i * step for i in range(round((high - low) / step) + 1)]
    return {mark: f"{mark:,.{decimals}f}" for mark in marks}


def _apart(ends: Mapping[str, int], height: int) -> dict[int, str]:
    """Give each label a row of its own, near the end of its line."""
    rows: dict[int, str] = {}
    below = -1
    for left, (field, row) in enumerate(sorted(ends.items(), key=operator.itemgetter(1)), 1):
        below = min(max(row, below + 1), height - 1 - (len(ends) - left))
        rows[below] = field
    return rows
