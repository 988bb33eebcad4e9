"""What a long run says in its log."""

import logging
from dataclasses import replace
from typing import Any

import pytest

from consumers.views.narrator import EVERY_S, Narrator
from metrics.facts import (
    Baseline,
    BatchFacts,
    DriftFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
    View,
)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def narrator(
    clock: Clock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Narrator:
    monkeypatch.setattr(logging.getLogger("streamfit"), "propagate", True)
    caplog.set_level(logging.INFO, "streamfit.run")
    return Narrator(clock)


def batch(consumed: int, dead: int = 0, lag: int = 0) -> BatchFacts:
    letters = {"decode": dead} if dead else {}
    return BatchFacts(
        *(consumed, consumed - dead, consumed - dead, 0, 0, consumed - dead),
        *({}, {}, letters, {}),
        latency_seconds=None,
        model_version=7,
        next_offsets={0: 9},
        lag={0: lag},
    )


def test_figures_are_told_once_a_minute(
    narrator: Narrator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    scores = {View.WINDOW: {"accuracy": 0.8}}
    narrator.scores(ScoreFacts(9, 8, scores, {View.WINDOW: {Baseline.NO_CHANGE: 0.7}}))
    for _ in range(3):
        narrator.batch(batch(200, lag=5))
    assert caplog.messages == []
    clock.now = EVERY_S
    narrator.batch(batch(0, lag=4))
    narrator.batch(batch(1))
    (line,) = caplog.messages
    assert line == (
        "consumed 600 (10 a second), model version 7, dead letters 0, lag 4, "
        "accuracy 0.8000, no-change 0.7000 over the window"
    )


def test_a_change_of_the_stream_is_told_at_once_and_counted_in_the_next_figures(
    narrator: Narrator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.batch(replace(batch(200), drifts=(DriftFacts("adwin", 4711, 3, 99),)))
    narrator.batch(batch(200))
    assert caplog.messages == ["drift: adwin at partition 3, offset 99, model version 4711"]
    clock.now = EVERY_S
    narrator.batch(batch(0))
    assert "dead letters 0, drifts 1, lag 0" in caplog.messages[-1]


def test_the_first_dead_letters_of_a_minute_are_told_at_once(
    narrator: Narrator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.batch(batch(5, dead=2))
    narrator.batch(batch(5, dead=1))
    assert caplog.messages == ["dead letters: 2 decode; their headers tell why"]
    clock.now = EVERY_S
    narrator.batch(batch(0))
    assert "dead letters 3" in caplog.messages[-1]


def test_states_partitions_and_failed_epochs_are_told(
    narrator: Narrator, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.rebalance(RebalanceEvent.ASSIGNED, (1, 0))
    narrator.state(State.RUNNING)
    narrator.epoch(EpochFacts(True, 1, 0.0, {}, 0, {}))
    narrator.epoch(EpochFacts(False, 1, 0.0, {}, 0, {}))
    narrator.rebalance(RebalanceEvent.LOST, (0, 1))
    assert caplog.messages == [
        "partitions assigned: [0, 1]",
        "state: running",
        "epoch after 1 failed: nothing of it is committed",
        "partitions lost: [0, 1]",
    ]


def test_models_of_partitions_are_told_from_the_lowest_to_the_highest(
    narrator: Narrator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for partition, accuracy in enumerate((0.7, 0.9, 0.1)):
        narrator.batch(replace(batch(20), partition=partition, model_version=10 + partition))
        scores = ScoreFacts(9, 8, {View.WINDOW: {"accuracy": accuracy}}, {}, partition)
        narrator.scores(scores)
    narrator.rebalance(RebalanceEvent.REVOKED, [2])
    clock.now = EVERY_S
    narrator.batch(replace(batch(0), model_version=0))  # a report that is of no model
    assert caplog.messages[-1] == (
        "consumed 60 (1 a second), model version 10 to 11, dead letters 0, lag 0, "
        "accuracy 0.7000 to 0.9000 over the window"
    )


def test_transactions_are_told_only_when_they_did_not_commit(
    narrator: Narrator, caplog: pytest.LogCaptureFixture
) -> None:
    for result in TransactionResult:
        narrator.transaction(result)
    assert caplog.messages == ["transaction aborted", "transaction failed"]


def test_a_way_back_gives_up_what_has_no_checkpoint(
    narrator: Narrator, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.batch(batch(30))
    narrator.rollback(RollbackReason.FENCED)
    narrator.batch(batch(5))
    narrator.paused(on=True)
    assert caplog.messages == [
        "reading is held back until a checkpoint is saved: 5 records have none yet"
    ]


def test_row_37_a_pause_is_told_with_what_is_at_stake_and_so_is_its_end(
    narrator: Narrator, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.epoch(EpochFacts(False, 1, 0.0, {}, 0, {}, uncheckpointed=900))
    narrator.batch(batch(10))
    narrator.paused(on=True)
    narrator.paused(on=False)
    assert caplog.messages == [
        "epoch after 1 failed: nothing of it is committed; 900 records have no checkpoint yet",
        "reading is held back until a checkpoint is saved: 910 records have none yet",
        "reading goes on",
    ]


def fields_of(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    told = [record.__dict__ for record in caplog.records]
    return [each["fields"] for each in told if each["event"] == event]


def test_a_summary_has_its_figures_as_fields(
    clock: Clock, narrator: Narrator, caplog: pytest.LogCaptureFixture
) -> None:
    narrator = Narrator(clock, lambda: 312_000_000, every_s=5.0)
    window = {"accuracy": 0.8, "kappa_t": 0.25}
    baselines = {View.WINDOW: {Baseline.NO_CHANGE: 0.7}}
    narrator.scores(ScoreFacts(9, 8, {View.WINDOW: window}, baselines))
    narrator.batch(batch(600, dead=1, lag=5))
    clock.now = 5.0
    narrator.batch(batch(0, lag=4))
    assert fields_of(caplog, "summary") == [
        {
            "consumed": 600,
            "rate": 120.0,
            "dead_letters": 1,
            "drifts": 0,
            "lag": 4,
            "resident_bytes": 312_000_000,
            "model_version": 7,
            "accuracy": 0.8,
            "kappa_t": 0.25,
            "no_change": 0.7,
        }
    ]
    assert caplog.messages[-1].endswith(", memory 312 MB")


def test_fields_of_several_models_tell_the_lowest_and_the_highest(
    narrator: Narrator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for partition in range(3):
        narrator.batch(replace(batch(20), partition=partition, model_version=10 + partition))
    clock.now = EVERY_S
    narrator.batch(replace(batch(0), model_version=0))
    (fields,) = fields_of(caplog, "summary")
    assert (fields["model_version"], fields["model_version_highest"]) == (10, 12)


def test_a_run_that_ends_tells_its_last_figures(
    narrator: Narrator, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.batch(batch(30))
    clock.now = 2.0
    narrator.state(State.STOPPING)
    (fields,) = fields_of(caplog, "summary")
    assert (fields["consumed"], fields["rate"]) == (30, 15.0)


def test_where_a_drift_was_found_is_told_by_fields(
    narrator: Narrator, caplog: pytest.LogCaptureFixture
) -> None:
    narrator.batch(replace(batch(200), drifts=(DriftFacts("adwin", 4711, 3, 99),)))
    assert fields_of(caplog, "drift_detected") == [
        {"detector": "adwin", "partition": 3, "offset": 99, "model_version": 4711}
    ]
