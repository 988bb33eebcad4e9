"""The course of a run, drawn: as a picture, and as text."""

import importlib.util
import io
from pathlib import Path

import pytest
from rich.console import Console

from consumers.errors import SettingsError
from consumers.views import plot
from consumers.views.history import History, Measure, Point
from consumers.views.plot import TextChart, check_path, draw
from metrics.facts import Baseline, ScoreFacts, View

COURSE = tuple(
    Point(scored=100 * i, model=0.7 + 0.002 * i, no_change=0.85, simple=0.5, kappa_t=-0.1)
    for i in range(1, 101)
)


def history_of(measure: Measure = Measure.ACCURACY, points: int = 30) -> History:
    history = History()
    for i in range(1, points + 1):
        history.scores(
            ScoreFacts(
                scored=100 * i,
                correct=0,
                scores={View.WINDOW: {measure.value: 0.8 + i / 1000}},
                baselines={
                    View.WINDOW: {Baseline.NO_CHANGE: 0.85, measure.simple_baseline: 0.57},
                },
            )
        )
    return history


def rows(chart: TextChart, width: int = 80, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(width=width, file=file).print(chart)
    file.seek(0)
    return [line.rstrip("\n") for line in file]


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("PNG", b"\x89PNG"), ("svg", b"<?xml")]
)
def test_the_suffix_decides_the_format(tmp_path: Path, suffix: str, start: bytes) -> None:
    draw(history_of(), tmp_path / f"course.{suffix}", "Elec2")
    assert (tmp_path / f"course.{suffix}").read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("measure", "simple", "score"),
    [
        (Measure.ACCURACY, "majority", "accuracy over the window"),
        (Measure.MAE, "running mean", "mean absolute error over the window"),
    ],
)
def test_the_picture_names_its_lines_and_axes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    measure: Measure,
    simple: str,
    score: str,
) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - an extra, as in the module under test

    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "none")  # text stays text
    draw(history_of(measure), tmp_path / "course.svg", "Costs in $ and $ again")
    text = (tmp_path / "course.svg").read_text(encoding="utf-8")
    for label in ("model", "no-change", simple, score, "events learned", "Costs in $ and $ again"):
        assert f">{label}<" in text


@pytest.mark.parametrize("points", [0, 1])
def test_a_run_that_ended_at_once_gives_a_picture_too(tmp_path: Path, points: int) -> None:
    draw(history_of(points=points), tmp_path / "course.png", "nothing yet")
    assert (tmp_path / "course.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("course.xyz", "unknown format; end it in .png or .svg or .pdf"),
        ("course", "unknown format"),
        ("missing/course.png", "no folder"),
        ("folder.png", "cannot be written"),
        (f"{'x' * 300}.png", "name another file"),
    ],
)
def test_a_wrong_path_is_told_in_one_line_before_the_run(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(SettingsError) as caught:
        check_path(tmp_path / name)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"--plot {tmp_path / name}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["new.png", "old.pdf"])
def test_a_new_and_an_old_file_can_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "old.pdf").touch()
    check_path(tmp_path / name)
    assert not (tmp_path / "new.png").exists()


def test_without_matplotlib_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="pip install matplotlib"):
        check_path(tmp_path / "course.png")


def test_a_disk_that_refuses_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plot, "check_path", lambda _: None)
    with pytest.raises(SettingsError, match=r"No such file or directory; name another file"):
        draw(history_of(), tmp_path / "missing" / "course.png", "Elec2")


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_the_chart_fills_the_width_and_wraps_nothing(width: int) -> None:
    shown = rows(TextChart(COURSE, Measure.ACCURACY, 10, 20_000), width)
    assert len(shown) == 12
    assert max(map(len, shown)) <= width
    assert max(map(len, shown)) > width - 10


def test_each_line_is_named_where_it_ends() -> None:
    shown = rows(TextChart(COURSE, Measure.ACCURACY, 10))
    (model,) = (i for i, row in enumerate(shown) if row.endswith(" model"))
    (no_change,) = (i for i, row in enumerate(shown) if row.endswith(" no-change"))
    (majority,) = (i for i, row in enumerate(shown) if row.endswith(" majority"))
    assert model < no_change < majority


def test_lines_that_end_together_keep_three_names() -> None:
    level = (Point(1, 0.8, 0.8, 0.8, None), Point(2, 0.8, 0.8, 0.8, None))
    shown = "\n".join(rows(TextChart(level, Measure.MAE, 4)))
    assert all(name in shown for name in ("model", "no-change", "running mean"))


def test_a_known_total_leaves_room_for_what_is_to_come() -> None:
    half = rows(TextChart(COURSE, Measure.ACCURACY, 8, 20_000))
    whole = rows(TextChart(COURSE, Measure.ACCURACY, 8))
    assert half[-1].split() == ["0", "20,000", "events"]
    assert whole[-1].split() == ["100", "10,000", "events"]
    assert all(row[45:65].strip() == "" for row in half[:8])
    assert any(row[45:65].strip() for row in whole[:8])


def test_the_axis_of_scores_encloses_all_values_in_round_steps() -> None:
    shown = rows(TextChart(COURSE, Measure.ACCURACY, 10))
    ticks = [row.split()[0] for row in shown[:10] if not row.startswith("    ")]
    assert ticks == ["0.9", "0.8", "0.7", "0.6", "0.5"]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 12_345.0, 1e12])
def test_errors_of_any_size_fit_the_chart(scale: float) -> None:
    course = [Point(i, scale * i, scale * 2, 0.0, None) for i in range(1, 50)]
    shown = rows(TextChart(course, Measure.MAE, 6), width=80)
    assert len(shown) == 8
    assert max(map(len, shown)) <= 80


def test_a_single_point_is_drawn() -> None:
    (point,) = COURSE[:1]
    assert any("model" in row for row in rows(TextChart((point,), Measure.ACCURACY, 4)))


def test_without_a_course_or_room_there_is_no_chart() -> None:
    assert rows(TextChart((), Measure.ACCURACY, 8)) == []
    assert rows(TextChart(COURSE, Measure.ACCURACY, 8), width=20) == []


def test_a_terminal_that_knows_only_ascii_gets_ascii() -> None:
    shown = rows(TextChart(COURSE, Measure.ACCURACY, 8), encoding="ascii")
    drawn = "\n".join(shown)
    assert drawn.isascii()
    assert all(mark in drawn for mark in "*.-|")
