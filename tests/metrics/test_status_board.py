"""What the board of the status page remembers, and what it tells."""

from dataclasses import replace

import msgspec
import pytest

from metrics.facts import (
    Baseline,
    BatchFacts,
    DriftFacts,
    EpochFacts,
    RebalanceEvent,
    RefusalFacts,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
    View,
)
from metrics.health import Verdict
from metrics.status.board import Board, Seen
from metrics.status.told import About, Status
from tests.metrics.http_site import ABOUT, NOON, Clock

READY = Verdict(ok=True, reason="the consumer is running")
IDLE = BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {})
BATCH = replace(
    IDLE, consumed=12, decoded=10, learned=9, unlabelled=1, predicted=10, model_version=9
)
SCORES = ScoreFacts(
    9,
    7,
    {View.WINDOW: {"accuracy": 0.75, "kappa_t": 0.5}},
    {View.WINDOW: {Baseline.NO_CHANGE: 0.5, Baseline.MAJORITY: 0.6}},
)
EPOCH = EpochFacts(
    ok=True,
    epoch=3,
    time_s=NOON,
    seconds={"save": 0.5, "commit": 0.25},
    checkpoint_bytes=1234,
    committed={0: 12},
    uncheckpointed=2,
)


class Run:
    """A board, and the clock it goes by."""

    def __init__(self, about: About = ABOUT) -> None:
        self.clock = Clock(0.0)
        self.board = Board(about, self.clock, lambda: NOON)

    def status(self, seen: Seen = Seen()) -> Status:  # noqa: B008 it never changes
        return self.board.status(seen, READY)


@pytest.fixture
def run() -> Run:
    return Run()


@pytest.fixture
def partitioned() -> Run:
    return Run(replace(ABOUT, partitioned=True))


def test_batches_add_up(run: Run) -> None:
    run.board.batch(BATCH)
    run.board.batch(replace(BATCH, skipped={"tombstone": 2}, dead_letters={"schema": 3}))
    totals = run.status().totals
    assert (totals["consumed"], totals["learned"], totals["unlabelled"]) == (24, 18, 2)
    assert (totals["skipped"], totals["dead_letters"]) == (2, 3)


def test_throughput_is_that_of_the_last_second_and_none_when_nothing_is_told_any_more(
    run: Run,
) -> None:
    run.board.batch(BATCH)
    run.clock.now += 2
    run.board.batch(replace(BATCH, consumed=300))
    assert run.status().events_per_s == 150
    run.clock.now += 6
    assert run.status().events_per_s == 0


def test_scores_stand_beside_the_baselines_now_and_over_time(run: Run) -> None:
    run.board.batch(BATCH)
    run.board.scores(SCORES)
    status = run.status()
    (model,) = status.models
    assert (model.partition, model.version, model.measure) == (None, 9, "accuracy")
    assert model.scores == {"accuracy": 0.75, "kappa_t": 0.5}
    assert model.baselines == {"no_change": 0.5, "majority": 0.6}
    assert status.course == [[NOON, 0.75, 0.5, 0.6, 0.5]]


def test_numbers_are_measured_by_their_error(run: Run) -> None:
    baselines = {Baseline.NO_CHANGE: 2.0, Baseline.RUNNING_MEAN: 3.0}
    run.board.scores(ScoreFacts(5, 0, {View.WINDOW: {"mae": 1.5}}, {View.WINDOW: baselines}))
    status = run.status()
    assert status.models[0].measure == "mae"
    assert msgspec.json.decode(msgspec.json.encode(status))["course"] == [
        [NOON, 1.5, 2.0, 3.0, None]
    ]


def test_a_page_is_told_the_past_once_and_then_what_is_new(run: Run) -> None:
    for _ in range(5):
        run.board.batch(BATCH)
        run.board.scores(SCORES)
        run.clock.now += 1
    first = run.status()
    assert (first.first, len(first.course), len(first.traffic)) == (True, 5, 4)
    assert first.about is not None
    run.clock.now += 1
    run.board.batch(BATCH)
    run.board.scores(SCORES)
    later = run.status(Seen(None, first.chosen, first.now))
    assert (later.first, later.about) == (False, None)
    assert [row[0] for row in later.traffic] == [NOON + 6]


def test_a_dead_letter_tells_why_and_where_from_and_only_the_last_ones_are_kept(run: Run) -> None:
    for offset in range(30):
        refusal = RefusalFacts("schema", "wrong_type", 2, offset)
        run.board.batch(replace(BATCH, refusals=(refusal,)))
    letters = run.status().letters
    assert [letter.offset for letter in letters] == list(range(10, 30))
    assert (letters[0].stage, letters[0].reason, letters[0].partition) == (
        "schema",
        "wrong_type",
        2,
    )


def test_lag_and_offsets_are_told_for_each_partition_until_it_goes(run: Run) -> None:
    facts = replace(BATCH, next_offsets={0: 12, 1: 7}, lag={0: 5, 1: 0}, lag_seconds={0: 1.5})
    run.board.batch(facts)
    run.board.epoch(EPOCH)
    zero, one = run.status().partitions
    assert (zero.lag, zero.lag_s, zero.next_offset, zero.committed) == (5, 1.5, 12, 12)
    assert (one.partition, one.lag, one.committed) == (1, 0, None)
    run.board.rebalance(RebalanceEvent.REVOKED, [0])
    assert [p.partition for p in run.status().partitions] == [1]


def test_a_failed_epoch_keeps_the_checkpoint_before_it_and_is_counted(run: Run) -> None:
    run.board.epoch(EPOCH)
    run.clock.now += 4
    run.board.epoch(replace(EPOCH, ok=False, epoch=4, checkpoint_bytes=0, uncheckpointed=50))
    told = run.status().checkpoint
    assert (told.time, told.epoch, told.size_bytes, told.seconds) == (NOON, 3, 1234, 0.75)
    assert (told.failed, told.uncheckpointed) == (1, 50)
    run.board.epoch(replace(EPOCH, epoch=4))
    assert run.status().checkpoint.failed == 0


def test_what_happens_is_remembered_with_its_time_and_bounded(run: Run) -> None:
    run.board.rebalance(RebalanceEvent.ASSIGNED, range(15))
    run.clock.now += 1
    run.board.rollback(RollbackReason.DELIVERY)
    run.board.transaction(TransactionResult.COMMITTED)
    run.board.transaction(TransactionResult.ABORTED)
    told = [(event.time - NOON, event.kind, event.what) for event in run.status().events]
    many = "partitions 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more"
    assert told == [
        (0, "rebalance assigned", many),
        (1, "rollback", "to the last commit: delivery"),
        (1, "transaction", "aborted"),
    ]
    for _ in range(100):
        run.board.rollback(RollbackReason.KAFKA)
    assert len(run.status().events) == 20


def test_drift_is_told_with_the_event_that_it_was_found_at(run: Run) -> None:
    run.board.batch(replace(BATCH, drifts=(DriftFacts("adwin", 8, 0, 11),)))
    (drift,) = run.status().drifts
    assert (drift.time, drift.detector, drift.model_version, drift.offset) == (NOON, "adwin", 8, 11)


def test_state_and_pause_and_readiness_are_told(run: Run) -> None:
    assert run.status().state == "starting"
    run.clock.now += 3
    run.board.state(State.STANDBY)
    run.board.paused(on=True)
    status = run.board.status(Seen(), Verdict(ok=False, reason="no"))
    assert (status.state, status.state_since, status.paused) == ("standby", NOON + 3, True)
    assert (status.ready, status.reason) == (False, "no")


def test_each_partition_has_a_model_of_its_own_and_the_course_is_of_the_chosen_one(
    partitioned: Run,
) -> None:
    for partition, accuracy in ((4, 0.5), (2, 0.75)):
        partitioned.board.batch(replace(BATCH, partition=partition, model_version=partition))
        scores = {View.WINDOW: {"accuracy": accuracy}}
        partitioned.board.scores(replace(SCORES, scores=scores, partition=partition))
    partitioned.board.batch(replace(IDLE, consumed=3))  # of no model
    assert [(m.partition, m.version) for m in partitioned.status().models] == [(2, 2), (4, 4)]
    assert partitioned.status().chosen == 2
    chosen = partitioned.status(Seen(wanted=4))
    assert (chosen.chosen, chosen.course[0][1]) == (4, 0.5)
    assert partitioned.status(Seen(wanted=77)).chosen == 2


def test_a_chosen_model_that_goes_is_replaced_by_another_with_its_whole_course(
    partitioned: Run,
) -> None:
    for partition in (2, 4):
        partitioned.board.scores(replace(SCORES, partition=partition))
    partitioned.clock.now += 1
    first = partitioned.status(Seen(wanted=4))
    partitioned.board.rebalance(RebalanceEvent.LOST, [4])
    later = partitioned.status(Seen(4, first.chosen, first.now))
    assert (later.first, later.chosen, len(later.course)) == (False, 2, 1)


def test_each_start_of_the_process_is_another_run() -> None:
    assert Run().status().run != Run().status().run
