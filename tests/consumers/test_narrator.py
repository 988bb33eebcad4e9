"""What a long run says in its log."""

import logging

import pytest

from consumers.narrator import EVERY_S, Narrator
from metrics.facts import (
    Baseline,
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    ScoreFacts,
    State,
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
