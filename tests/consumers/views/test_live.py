"""The live view: what a user sees on terminals of several sizes, and off a terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from consumers.views.history import History
from consumers.views.live import Frame, LiveView, plain_line
from metrics.facts import Baseline, BatchFacts, EpochFacts, ScoreFacts, State, View

TOTAL = 45_332
BATCH = BatchFacts(
    consumed=12_000,
    decoded=11_997,
    learned=11_996,
    unlabelled=0,
    poisoned=1,
    predicted=11_996,
    rejected={},
    skipped={},
    dead_letters={"decode": 2, "schema": 1, "learn": 1, "label": 0},
    seconds={},
    latency_seconds=0.01,
    model_version=61_996,
    next_offsets={0: 12_000},
    lag={0: 1_034},
)
SCORES = ScoreFacts(
    scored=11_996,
    correct=9_741,
    scores={
        View.CUMULATIVE: {"accuracy": 0.8120, "kappa": 0.61, "kappa_t": -0.2034},
        View.WINDOW: {"accuracy": 0.8345, "kappa": 0.66, "kappa_t": 0.0512},
    },
    baselines={
        View.CUMULATIVE: {Baseline.NO_CHANGE: 0.8533, Baseline.MAJORITY: 0.5754},
        View.WINDOW: {Baseline.NO_CHANGE: 0.8211, Baseline.MAJORITY: 0.6321},
    },
)
EPOCH = EpochFacts(True, 7, 0.0, {"flush": 0.004, "save": 0.003, "commit": 0.006}, 12_345, {0: 1})
ENVIRONMENT = {"TERM": "xterm-256color"}


class Clock:
    """A clock that a test sets."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def history() -> History:
    clock = Clock()
    history = History(clock)
    history.state(State.RUNNING)
    history.batch(replace(BATCH, consumed=0, dead_letters={}))
    for share in (0.25, 0.5, 1.0):
        history.scores(replace(SCORES, scored=int(SCORES.scored * share)))
    history.epoch(EPOCH)
    clock.now_s = 2.0
    history.batch(BATCH)
    return history


def seen(
    history: History, size: tuple[int, int] = (80, 24), total: int | None = TOTAL
) -> list[str]:
    file = io.StringIO()
    console = Console(width=size[0], height=size[1], file=file)
    console.print(Frame(history.moment(), total))
    return file.getvalue().splitlines()


def line_with(lines: list[str], text: str) -> str:
    (line,) = (line for line in lines if text in line)
    return line


def terminal(*, encoding: str = "utf-8") -> tuple[Console, io.TextIOWrapper]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="", write_through=True)
    console = Console(
        file=file, force_terminal=True, width=80, height=24, _environ=ENVIRONMENT, color_system=None
    )
    return console, file


def written(file: io.TextIOWrapper) -> str:
    file.seek(0)
    return file.read()


def test_the_head_tells_the_state_the_rate_and_the_progress(history: History) -> None:
    head, progress = seen(history)[:2]
    assert " ".join(head.split()) == "streamfit running model version 61,996 6,000 events/s"
    assert progress.endswith("12,000 of 45,332   26%")
    assert progress.count("━") == pytest.approx(0.2647 * 55, abs=1)


def test_scores_stand_in_both_views_beside_the_baselines(history: History) -> None:
    lines = seen(history)
    assert line_with(lines, "kappa-T").split()[:3] == ["kappa-T", "-0.2034", "0.0512"]
    assert line_with(lines, "0.8120").split()[:3] == ["accuracy", "0.8120", "0.8345"]
    assert line_with(lines, "0.8533").split()[:3] == ["no-change", "0.8533", "0.8211"]
    assert line_with(lines, "0.5754").split()[:3] == ["majority", "0.5754", "0.6321"]


def test_the_status_tells_lag_dead_letters_checkpoint_and_version(history: History) -> None:
    text = "\n".join(seen(history))
    assert "lag          1,034" in text
    assert "dead letters 4" in text
    assert "  decode 2, learn 1, schema 1" in text
    assert "checkpoint   epoch 7, 12.3 kB" in text
    assert "2.0 s ago, took 13 ms" in text


def test_failed_checkpoints_are_told_beside_the_last_good_one(history: History) -> None:
    history.epoch(replace(EPOCH, ok=False, epoch=8))
    lines = seen(history)
    assert "epoch 7" in line_with(lines, "checkpoint")
    assert line_with(lines, "1 failed since").rstrip().endswith("2.0 s ago, 1 failed since")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (76, 24), (60, 30), (40, 24)])
def test_the_view_fits_the_terminal_and_wraps_nothing(
    history: History, size: tuple[int, int]
) -> None:
    lines = seen(history, size)
    assert max(map(len, lines)) <= size[0]
    assert len(lines) < size[1]
    assert line_with(lines, "over the window") == "accuracy over the window"


def test_a_low_terminal_goes_without_the_chart(history: History) -> None:
    lines = seen(history, (80, 12))
    assert len(lines) == 8
    assert not any("over the window" in line for line in lines)


def test_many_dead_letters_are_cut_off_rather_than_wrapped(history: History) -> None:
    stages = {f"{stage}": 1_000_000 for stage in ("decode", "schema", "label", "learn", "produce")}
    history.batch(replace(BATCH, dead_letters=stages))
    lines = seen(history)
    assert len(lines) == 23
    assert max(map(len, lines)) == 80


def test_without_a_total_only_the_count_is_shown(history: History) -> None:
    assert seen(history, total=None)[1] == "12,000 records"


def test_more_records_than_expected_fill_the_bar_and_no_more(history: History) -> None:
    progress = seen(history, total=10_000)[1]
    assert progress.endswith("12,000 of 10,000  100%")
    assert len(progress) == 80


def test_before_anything_happened_the_view_stands_and_promises_nothing() -> None:
    lines = seen(History(Clock()))
    assert line_with(lines, "streamfit").split()[1] == "starting"
    assert line_with(lines, "kappa-T").split()[:3] == ["kappa-T", "-", "-"]
    assert "none yet" in line_with(lines, "checkpoint")


def test_numbers_are_shown_with_their_own_scores() -> None:
    history = History(Clock())
    history.scores(
        ScoreFacts(
            scored=9,
            correct=0,
            scores={view: {"mae": 12_345.678, "rmse": 2.0, "r2": 0.5} for view in View},
            baselines={
                view: {Baseline.NO_CHANGE: 3.0, Baseline.RUNNING_MEAN: 4.0} for view in View
            },
        )
    )
    lines = seen(history)
    assert line_with(lines, "1.235e+04").split()[0] == "mae"
    assert line_with(lines, "R2").split()[:3] == ["R2", "0.5000", "0.5000"]
    assert line_with(lines, "4.0000").split()[:2] == ["running", "mean"]
    assert "mae over the window" in lines


def test_a_plain_line_tells_the_same_in_one_line(history: History) -> None:
    assert plain_line(history.moment(), TOTAL) == (
        "consumed 12,000 of 45,332  6,000 events/s  accuracy 0.8120  kappa-T -0.2034  "
        "no-change 0.8533  majority 0.5754  lag 1,034  dead letters 4"
    )


def test_a_plain_line_leaves_out_what_is_not_known_and_tells_failed_checkpoints() -> None:
    history = History(Clock())
    history.epoch(replace(EPOCH, ok=False))
    assert plain_line(history.moment(), None) == (
        "consumed 0  0 events/s  lag -  dead letters 0  failed checkpoints 1"
    )


def test_off_a_terminal_the_last_thing_written_is_one_unwrapped_line(history: History) -> None:
    file = io.StringIO()
    with LiveView(history, Console(file=file, width=80), TOTAL):
        history.scores(SCORES)
    line = plain_line(history.moment(), TOTAL)
    assert file.getvalue().endswith(f"{line}\n")
    assert set(file.getvalue().splitlines()) == {line}
    assert len(line) > 80


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(history: History) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, _environ={"TERM": "dumb"})
    with LiveView(history, console, TOTAL):
        pass
    assert file.getvalue().startswith("consumed 12,000")
    assert "\x1b" not in file.getvalue()


def test_on_a_terminal_the_last_picture_stays_and_the_cursor_comes_back(history: History) -> None:
    console, file = terminal()
    with LiveView(history, console, TOTAL):
        history.state(State.STOPPING)
    shown = written(file)
    assert shown.index("streamfit running") < shown.rindex("streamfit stopping")
    assert shown.endswith("\x1b[?25h")


def test_a_terminal_that_knows_only_ascii_gets_ascii(history: History) -> None:
    console, file = terminal(encoding="ascii")
    with LiveView(history, console, TOTAL):
        pass
    assert "#" in written(file)


def test_stopping_twice_or_without_a_start_does_no_harm(history: History) -> None:
    for console in (terminal()[0], Console(file=io.StringIO())):
        LiveView(history, console, TOTAL).stop()
        with LiveView(history, console, TOTAL) as view:
            view.stop()
