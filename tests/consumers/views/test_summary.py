"""What a run says at its end, as JSON and on a terminal."""

import io

import msgspec
import pytest
from rich.console import Console

from consumers.views.history import History
from consumers.views.summary import Summary, summarise, summary_table, verdict
from metrics.facts import Baseline, BatchFacts, ScoreFacts, View

ELEC2 = Summary(
    events=45_312,
    accuracy=0.818966,
    kappa=0.627,
    kappa_t=-0.233884,
    baseline_no_change=0.853284,
    baseline_majority=0.575366,
    dead_letters=20,
    seconds=9.06,
    events_per_s=5001.3,
)
COMMANDS = [
    ("streamfit demo --plot elec2.png", "draws accuracy against the baselines"),
    ("streamfit init", "writes a settings file to start from"),
    ("streamfit run streamfit.toml", "learns from your own Kafka"),
]


def history_of(scores: ScoreFacts | None) -> History:
    history = History()
    history.batch(
        BatchFacts(
            consumed=8,
            decoded=6,
            learned=5,
            unlabelled=1,
            poisoned=0,
            predicted=6,
            rejected={},
            skipped={},
            dead_letters={"decode": 1, "schema": 1},
            seconds={},
            latency_seconds=None,
            model_version=5,
            next_offsets={0: 8},
        )
    )
    if scores is not None:
        history.scores(scores)
    return history


def seen(summary: Summary, width: int = 80) -> str:
    file = io.StringIO()
    console = Console(width=width, file=file)
    console.print(summary_table(summary, COMMANDS))
    return file.getvalue()


def changed(**figures: float | None) -> Summary:
    return msgspec.structs.replace(ELEC2, **figures)


def test_a_summary_takes_the_scores_over_all_events() -> None:
    facts = ScoreFacts(
        scored=5,
        correct=4,
        scores={
            View.CUMULATIVE: {"accuracy": 0.8, "kappa": 2 / 3, "kappa_t": -1 / 3},
            View.WINDOW: {"accuracy": 0.1, "kappa": 0.1, "kappa_t": 0.1},
        },
        baselines={
            View.CUMULATIVE: {Baseline.NO_CHANGE: 0.85, Baseline.MAJORITY: 0.6},
            View.WINDOW: {Baseline.NO_CHANGE: 0.1, Baseline.MAJORITY: 0.1},
        },
    )
    assert summarise(history_of(facts), 3.0) == Summary(
        events=6,
        accuracy=0.8,
        kappa=0.666667,
        kappa_t=-0.333333,
        baseline_no_change=0.85,
        baseline_majority=0.6,
        dead_letters=2,
        seconds=3.0,
        events_per_s=2.0,
    )


def test_the_json_is_one_object_with_exactly_the_promised_keys() -> None:
    found = msgspec.json.decode(msgspec.json.encode(ELEC2))
    assert list(found) == [
        "events",
        "accuracy",
        "kappa",
        "kappa_t",
        "baseline_no_change",
        "baseline_majority",
        "dead_letters",
        "seconds",
        "events_per_s",
    ]
    assert isinstance(found["events"], int)
    assert isinstance(found["dead_letters"], int)


def test_a_run_without_labels_has_no_scores() -> None:
    summary = summarise(history_of(None), 3.0)
    assert (summary.events, summary.accuracy, summary.baseline_majority) == (6, None, None)
    assert b'"kappa_t":null' in msgspec.json.encode(summary)
    assert "nothing could be scored" in verdict(summary)


def test_errors_of_numbers_do_not_pass_for_accuracies() -> None:
    facts = ScoreFacts(
        scored=5,
        correct=0,
        scores={View.CUMULATIVE: {"mae": 2.0}},
        baselines={View.CUMULATIVE: {Baseline.NO_CHANGE: 3.0, Baseline.RUNNING_MEAN: 4.0}},
    )
    assert summarise(history_of(facts), 3.0).baseline_no_change is None


def test_a_run_that_took_no_time_has_no_rate() -> None:
    assert summarise(history_of(None), 0.0).events_per_s == 0.0


def test_the_table_shows_the_model_beside_both_baselines() -> None:
    shown = seen(ELEC2)
    assert "45,312 events in 9.1 s, 5,001 events/s" in shown
    (accuracy,) = (line for line in shown.splitlines() if line.startswith(" accuracy"))
    assert accuracy.split() == ["accuracy", "0.8190", "0.8533", "0.5754"]
    assert "-0.2339" in shown
    (dead_letters,) = (line for line in shown.splitlines() if "dead letters" in line)
    assert dead_letters.split()[-1] == "20"


def test_the_table_tells_how_often_drift_was_found_if_anybody_looked() -> None:
    file = io.StringIO()
    Console(width=80, file=file).print(summary_table(ELEC2, drifts=3))
    (line,) = (line for line in file.getvalue().splitlines() if "drifts found" in line)
    assert line.split()[-1] == "3"
    assert "drifts" not in seen(ELEC2)


def test_a_model_behind_no_change_is_told_so_in_plain_words() -> None:
    told = verdict(ELEC2)
    assert "no-change) is right for 85.33% of the events, the model for 81.90%" in told
    assert "below 0: the model does worse than repeating the last label" in told
    assert "It beats naming the most frequent class each time (57.54%)" in told


def test_a_model_ahead_of_no_change_is_told_so() -> None:
    told = verdict(changed(accuracy=0.9, kappa_t=0.318, baseline_majority=0.95))
    assert "above 0: the model does better than repeating the last label" in told
    assert "worse" not in told
    assert "It does not beat naming the most frequent class" in told


def test_without_a_majority_the_model_is_compared_with_no_change_alone() -> None:
    told = verdict(changed(baseline_majority=None))
    assert told.endswith("than repeating the last label.")


def test_a_model_level_with_no_change_is_neither_better_nor_worse() -> None:
    told = verdict(changed(kappa_t=0.0))
    assert "kappa-T is 0: the model does as well as repeating the last label" in told


def test_where_the_label_never_changed_no_comparison_is_made() -> None:
    told = verdict(changed(kappa_t=None, baseline_no_change=1.0))
    assert "never changed" in told
    assert "model does" not in told


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_next_commands_can_be_copied_at_any_width(width: int) -> None:
    lines = [line.strip() for line in seen(ELEC2, width).splitlines()]
    for command, _ in COMMANDS:
        assert command in lines
    assert max(map(len, lines)) <= width


def test_without_commands_there_is_nothing_to_try() -> None:
    file = io.StringIO()
    Console(width=80, file=file).print(summary_table(ELEC2))
    assert "Try next" not in file.getvalue()
    assert "Try next" in seen(ELEC2)
