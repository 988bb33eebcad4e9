"""Milestones of a run of known length: each is reached once, and in order."""

from dataclasses import replace

import pytest

from consumers.demo.countdown import Countdown, Milestones
from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
)

NOTHING = BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {})
SCORES = ScoreFacts(0, 0, {}, {})
EPOCH = EpochFacts(ok=True, epoch=1, time_s=0.0, seconds={}, checkpoint_bytes=1, committed={0: 10})


class Reached:
    """A countdown of 10 records, and what it reached."""

    def __init__(self, total: int = 10) -> None:
        self.names: list[str] = []
        note = self.names.append
        self.countdown = Countdown(
            total,
            Milestones(lambda: note("running"), lambda: note("consumed"), lambda: note("settled")),
        )

    def read(self, count: int) -> None:
        self.countdown.batch(replace(NOTHING, consumed=count))


@pytest.fixture
def reached() -> Reached:
    return Reached()


def test_the_milestones_are_reached_in_order_and_once(reached: Reached) -> None:
    for state in (State.STARTING, State.STANDBY, State.RESTORING, State.RUNNING, State.RUNNING):
        reached.countdown.state(state)
    assert reached.names == ["running"]
    reached.read(9)
    reached.countdown.epoch(EPOCH)
    reached.countdown.scores(SCORES)
    assert reached.names == ["running"]
    reached.read(1)
    assert reached.names == ["running", "consumed"]
    reached.countdown.scores(SCORES)
    assert reached.names == ["running", "consumed"]
    reached.countdown.epoch(EPOCH)
    assert reached.names == ["running", "consumed"]
    for _ in range(2):
        reached.countdown.scores(SCORES)
        reached.read(0)
        reached.countdown.epoch(EPOCH)
    assert reached.names == ["running", "consumed", "settled"]


def test_an_epoch_that_failed_settles_nothing(reached: Reached) -> None:
    reached.read(10)
    reached.countdown.epoch(replace(EPOCH, ok=False))
    reached.countdown.scores(SCORES)
    assert reached.names == ["consumed"]


def test_more_records_than_were_announced_are_fine(reached: Reached) -> None:
    reached.read(25)
    reached.read(1)
    assert reached.names == ["consumed"]
    assert reached.countdown.consumed == 26


def test_a_rebalance_is_no_milestone(reached: Reached) -> None:
    reached.countdown.rebalance(RebalanceEvent.ASSIGNED, (0,))
    assert reached.names == []


def test_what_is_read_again_after_a_way_back_is_not_counted_twice(reached: Reached) -> None:
    reached.read(4)
    reached.countdown.epoch(EPOCH)
    reached.read(5)
    reached.countdown.epoch(replace(EPOCH, ok=False))
    reached.countdown.rollback(RollbackReason.DELIVERY)
    reached.read(5)
    assert reached.countdown.consumed == 9
    assert reached.names == []
    reached.read(1)
    assert reached.names == ["consumed"]
