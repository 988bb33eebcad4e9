"""What health says after which facts and heartbeats; time is an argument throughout."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from metrics.health import Health

NOTHING = BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {})
GOOD = EpochFacts(ok=True, epoch=7, time_s=0.0, seconds={}, checkpoint_bytes=1, committed={})
BAD = replace(GOOD, ok=False)


def running(now: float = 0.0) -> Health:
    health = Health()
    for state in (State.STARTING, State.STANDBY, State.RESTORING, State.RUNNING):
        health.state(state)
    health.beat(now)
    return health


def moved(health: Health, next_offsets: Mapping[int, int]) -> None:
    health.batch(replace(NOTHING, consumed=1, next_offsets=next_offsets))


def lags(health: Health, lag: Mapping[int, int]) -> None:
    health.batch(replace(NOTHING, lag=lag))


def lagging(partitions: Mapping[int, int]) -> Health:
    """A running consumer whose partitions moved last at second 0."""
    health = running()
    moved(health, dict.fromkeys(partitions, 10))
    lags(health, partitions)
    health.beat(0.0)
    return health


def stalled(health: Health, now: float) -> tuple[int, ...]:
    return tuple(stall.partition for stall in health.stalled(now))


def test_a_loop_with_a_fresh_heartbeat_is_alive() -> None:
    health = running(100.0)
    assert health.live(130.0).ok


def test_a_loop_without_a_heartbeat_for_too_long_is_dead() -> None:
    verdict = running(100.0).live(130.5)
    assert not verdict.ok
    assert verdict.reason == "no heartbeat of the loop for 30 s, the limit is 30 s"


def test_the_limit_of_the_heartbeat_can_be_set() -> None:
    health = Health(heartbeat_limit=5.0)
    health.beat(0.0)
    assert health.live(5.0).ok
    assert not health.live(5.1).ok


def test_before_its_first_heartbeat_a_loop_counts_as_alive() -> None:
    assert Health().live(1e9).ok


def test_a_failed_epoch_leaves_the_loop_alive() -> None:
    health = running()
    health.epoch(BAD)
    assert health.live(1.0).ok


@pytest.mark.parametrize(
    ("state", "ready"),
    [
        (State.STARTING, False),
        (State.STANDBY, True),
        (State.RESTORING, False),
        (State.RUNNING, True),
        (State.STOPPING, False),
    ],
)
def test_only_a_running_or_standing_by_consumer_is_ready(state: State, *, ready: bool) -> None:
    health = Health()
    health.beat(0.0)
    health.state(state)
    verdict = health.ready(1.0)
    assert verdict.ok is ready
    assert verdict.reason == f"the consumer is {state}"


def test_a_consumer_of_which_nothing_was_told_is_not_ready() -> None:
    assert not Health().ready(0.0).ok


def test_a_dead_loop_is_not_ready() -> None:
    assert "no heartbeat" in running().ready(31.0).reason


def test_a_failed_epoch_is_not_ready_until_a_good_one() -> None:
    health = running()
    health.epoch(GOOD)
    assert health.ready(1.0).ok
    health.epoch(BAD)
    verdict = health.ready(1.0)
    assert not verdict.ok
    assert "epoch failed" in verdict.reason
    health.epoch(GOOD)
    assert health.ready(1.0).ok


@pytest.mark.parametrize("state", [State.RESTORING, State.STANDBY])
def test_a_failed_epoch_is_forgotten_when_its_work_is_given_up(state: State) -> None:
    health = running()
    health.epoch(BAD)
    health.state(state)
    health.state(State.RUNNING)
    assert health.ready(1.0).ok


def test_a_consumer_has_started_once_it_has_joined_and_stays_so() -> None:
    health = Health()
    assert not health.started().ok
    health.state(State.STARTING)
    assert not health.started().ok
    health.state(State.STANDBY)
    health.state(State.STOPPING)
    assert health.started().ok


def test_a_consumer_that_stops_before_it_joined_has_not_started() -> None:
    health = Health()
    health.state(State.STOPPING)
    assert not health.started().ok


def test_a_partition_that_lags_and_does_not_move_is_not_ready_and_named() -> None:
    health = lagging({3: 120})
    health.beat(59.0)
    assert health.ready(59.0).ok
    health.beat(75.0)
    verdict = health.ready(75.0)
    assert not verdict.ok
    assert verdict.reason == "partition 3 lags by 120 records and has not moved for 75 s"
    assert stalled(health, 75.0) == (3,)


def test_a_stalled_partition_leaves_the_loop_alive() -> None:
    health = lagging({3: 120})
    health.beat(75.0)
    assert health.live(75.0).ok


def test_several_stalled_partitions_are_counted_in_one_line() -> None:
    health = lagging({4: 2, 3: 1, 5: 0})
    health.beat(60.0)
    reason = health.ready(60.0).reason
    assert reason.startswith("partition 3 lags by 1 ")
    assert reason.endswith("; so do 1 more")
    assert stalled(health, 60.0) == (3, 4)


def test_the_time_after_which_a_partition_is_stalled_can_be_set() -> None:
    health = Health(stall_after=5.0)
    health.state(State.RUNNING)
    lags(health, {0: 1})
    health.beat(0.0)
    health.beat(5.0)
    assert not health.ready(5.0).ok


def test_a_partition_that_moves_is_not_stalled_however_it_lags() -> None:
    health = lagging({0: 1000})
    for second in range(0, 200, 20):
        moved(health, {0: 10 + second})
        lags(health, {0: 1000})
        health.beat(float(second))
        assert health.ready(float(second)).ok


def test_reports_without_movement_do_not_count_as_movement() -> None:
    health = lagging({0: 5})
    for second in range(10, 61, 10):
        lags(health, {0: 5 + second})
        moved(health, {0: 10})  # the same next offset again
        health.beat(float(second))
    assert stalled(health, 60.0) == (0,)


def test_a_partition_without_lag_may_rest_for_good() -> None:
    health = lagging({0: 0})
    health.beat(1e6)
    assert health.ready(1e6).ok


def test_waiting_begins_when_there_is_something_to_read() -> None:
    health = lagging({0: 0})
    lags(health, {0: 1})
    health.beat(1000.0)
    assert health.ready(1000.0).ok
    health.beat(1059.0)
    assert health.ready(1059.0).ok
    health.beat(1060.0)
    assert not health.ready(1060.0).ok


def test_one_partition_that_moves_does_not_hide_another_that_does_not() -> None:
    health = lagging({0: 5, 1: 5})
    moved(health, {0: 11})
    health.beat(60.0)
    assert stalled(health, 60.0) == (1,)


def test_a_partition_that_went_is_no_longer_waited_for() -> None:
    health = lagging({0: 5})
    health.rebalance(RebalanceEvent.ASSIGNED, [1])
    health.beat(60.0)
    assert not health.ready(60.0).ok
    health.rebalance(RebalanceEvent.LOST, [0, 9])
    assert health.ready(60.0).ok


def test_a_long_restore_does_not_count_as_a_stall() -> None:
    health = lagging({0: 5})
    health.state(State.RESTORING)
    health.state(State.RUNNING)
    lags(health, {0: 5})
    health.beat(300.0)
    assert health.ready(300.0).ok
    health.beat(360.0)
    assert not health.ready(360.0).ok


def test_scores_do_not_change_health() -> None:
    health = running()
    health.scores(ScoreFacts(100, 0, {}, {}))
    assert health.ready(1.0).ok


def test_row_28_brokers_that_are_down_leave_the_loop_alive_and_unready_until_they_are_back() -> (
    None
):
    health = lagging({0: 5})
    health.epoch(BAD)
    health.rollback(RollbackReason.DELIVERY)
    health.state(State.RESTORING)
    for second in range(1, 31):  # it tries again and again, and the loop goes round
        health.beat(float(second))
        assert health.live(float(second)).ok
        verdict = health.ready(float(second))
        assert (verdict.ok, verdict.reason) == (False, "the consumer is restoring")
    health.state(State.RUNNING)
    health.beat(31.0)
    assert health.ready(31.0).ok
    assert health.live(31.0).ok


def test_row_28_records_that_came_meanwhile_are_no_stall_once_the_brokers_are_back() -> None:
    health = lagging({0: 5})
    health.state(State.RESTORING)
    health.beat(100.0)
    health.state(State.RUNNING)
    lags(health, {0: 9000})
    health.beat(101.0)
    assert health.ready(101.0).ok
    health.beat(161.0)
    assert not health.ready(161.0).ok


def test_row_37_a_store_that_refuses_makes_unready_paused_or_not_until_a_commit() -> None:
    health = running()
    health.epoch(BAD)
    assert not health.ready(1.0).ok
    health.paused(on=True)
    verdict = health.ready(2.0)
    assert not verdict.ok
    assert "the last epoch failed" in verdict.reason
    assert health.live(2.0).ok
    health.epoch(GOOD)
    health.paused(on=False)
    assert health.ready(3.0).ok


def test_row_13_a_fenced_consumer_that_stands_by_again_is_ready() -> None:
    health = lagging({0: 5})
    health.epoch(BAD)
    health.transaction(TransactionResult.FAILED)
    health.rollback(RollbackReason.FENCED)
    health.rebalance(RebalanceEvent.LOST, [0])
    health.state(State.STANDBY)
    health.beat(500.0)
    assert health.ready(500.0).ok
