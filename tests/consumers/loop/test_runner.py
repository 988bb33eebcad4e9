"""The loop on a fake cluster; what goes wrong, and when, stands in the scripts.

After every commit of every test here the promises are checked, see tests/promises.py.
"""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.checkpoints.pointer import from_metadata
from consumers.checkpoints.recovery import Policies
from consumers.errors import (
    CheckpointError,
    DeadLetterLimitError,
    EpochLostError,
    FencedError,
    InstanceHeldError,
    KafkaUnreachableError,
    OffsetsLostError,
    StreamfitError,
)
from consumers.kafka.source import Committed
from consumers.loop import backoff, epochs
from learners.serialization import load_pipeline
from metrics.facts import RebalanceEvent, RollbackReason, State, TransactionResult
from tests.batches import assert_same_numbers
from tests.fakes import Alone, Cluster, FakeSource, Item
from tests.processes import Process, checkpoints_of, linear_learner, new_learning
from tests.promises import Audit, predicted
from tests.records import event

NOTHING, EPOCH, LATER, REST = Item.NOTHING, Item.EPOCH, Item.LATER, Item.REST
ASSIGN, REVOKE, LOSE, GROW = Item.ASSIGN, Item.REVOKE, Item.LOSE, Item.GROW
DELIVERY_FAILS, SAVE_FAILS = Item.DELIVERY_FAILS, Item.SAVE_FAILS
COMMIT_FAILS, COMMIT_UNKNOWN = Item.COMMIT_FAILS, Item.COMMIT_UNKNOWN
COMMIT_IS_TORN, COMMIT_IS_LATE = Item.COMMIT_IS_TORN, Item.COMMIT_IS_LATE
POSTPONED = Item.POSTPONED
ONE_EPOCH = ["flush", "save", "commit"]
COUNT = 24

in_both_deliveries = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
in_both_scopes = pytest.mark.parametrize("scope", ["global", "partition"])


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for a save however busy the machine is, so that a script decides what follows what."""
    monkeypatch.setattr(epochs, "PATIENCE_S", 60.0)


def values(count: int = COUNT) -> list[bytes | None]:
    """Make events with a bad one, a tombstone and an unlabelled one among them."""
    strange: dict[int, bytes | None] = {3: b"{", 8: None, 11: event(11, y=None), 17: b""}
    return [strange.get(i, event(i)) for i in range(count)]


def new_cluster(partitions: int = 1) -> Cluster:
    return Cluster(log={p: values() for p in range(partitions)})


def offsets(cluster: Cluster) -> dict[int, int | None]:
    return {partition: place.offset for partition, place in cluster.committed.items()}


def content(cluster: Cluster, partition: int = 0, scope: str = "global") -> dict[str, Any]:
    """Give what a partition's committed checkpoint holds, as it must be bit for bit."""
    pointer = from_metadata(cluster.committed[partition].metadata)
    assert pointer is not None
    _, found = checkpoints_of(cluster, scope).load(pointer)
    limits = new_learning().limits
    limits.restore(found.state["dead_letters"])  # its ring may begin elsewhere
    parts = {name: found.state[name] for name in ("learner", "scores")}
    return {**parts, "model": found.model, "limits": limits.snapshot()}


def assert_same_end(one: Cluster, other: Cluster, scope: str = "global") -> None:
    """Compare the committed models of two clusters, bit for bit, and their offsets."""
    assert offsets(one) == offsets(other)
    for partition in one.log:
        name = scope if scope == "global" else str(partition)
        left, right = content(one, partition, name), content(other, partition, name)
        if left["model"].startswith(b"PK"):  # zips of scikit-learn, which hold names of objects
            models = [load_pipeline(each.pop("model")) for each in (left, right)]
            assert_same_numbers(*models)
        assert left == right


def undisturbed(partitions: int = 1, **how: Any) -> Cluster:
    cluster = new_cluster(partitions)
    Process(cluster, **how).run([REST])
    return cluster


# A run in order


@in_both_deliveries
def test_a_run_predicts_all_commits_all_and_ends(delivery: str) -> None:
    cluster = new_cluster()
    process = Process(cluster, delivery).run([5, 7, 12])
    assert cluster.journal == ONE_EPOCH
    assert offsets(cluster) == {0: COUNT}
    assert predicted(cluster) == [(0, i) for i in range(COUNT) if i not in {3, 8, 17}]
    assert len(cluster.letters) == 2
    assert process.seen.rollbacks == []
    assert process.seen.states == [
        State.STARTING,
        State.STANDBY,
        State.RESTORING,
        State.RUNNING,
        State.STOPPING,
    ]


@pytest.mark.usefixtures("patient")
def test_an_epoch_ends_when_its_time_is_over_and_not_before() -> None:
    cluster = new_cluster()
    process = Process(cluster).run([5, 5, NOTHING, EPOCH, NOTHING, 5, EPOCH, 9])
    assert cluster.journal == ONE_EPOCH * 3
    assert [facts.committed for facts in process.seen.epochs] == [{0: 10}, {0: 15}, {0: 24}]


@pytest.mark.usefixtures("patient")
def test_what_comes_after_a_pause_is_not_an_epoch_of_its_own() -> None:
    cluster = new_cluster()
    process = Process(cluster).run([5, *[EPOCH] * 5, 5, NOTHING, 5, EPOCH, 9])
    assert [facts.committed for facts in process.seen.epochs] == [{0: 5}, {0: 15}, {0: 24}]


@in_both_deliveries
def test_nothing_consumed_no_epoch(delivery: str) -> None:
    cluster = new_cluster()
    Process(cluster, delivery).run([EPOCH, EPOCH, NOTHING])
    assert cluster.journal == []
    assert cluster.committed == {}
    Process(cluster, delivery).run([4, EPOCH, EPOCH, EPOCH])
    Process(cluster, delivery).run([EPOCH, EPOCH])
    assert cluster.journal == ONE_EPOCH


@in_both_deliveries
def test_records_that_give_no_event_move_the_offset_all_the_same(delivery: str) -> None:
    cluster = Cluster(log={0: [None, b"", b"{", None]})
    Process(cluster, delivery).run([2, EPOCH, 2])
    assert cluster.journal == ONE_EPOCH * 2
    assert offsets(cluster) == {0: 4}
    assert len(cluster.letters) == 2


def test_every_owned_partition_is_committed_moved_or_not() -> None:
    cluster = Cluster(log={0: values(), 1: [], 2: values()}, first={2: 20})
    cluster.audit = Audit(once=False, gaps={2: range(20)})
    Process(cluster).run([2])
    assert offsets(cluster) == {0: 2, 1: 0, 2: 22}
    assert len({place.metadata for place in cluster.committed.values()}) == 1


def test_in_partition_scope_a_partition_that_rests_is_committed_again_with_its_own_pointer() -> (
    None
):
    cluster = new_cluster(2)
    Process(cluster, scope="partition").run([3])
    resting = cluster.committed[1]
    cluster.committed[1] = Committed(resting.offset, resting.metadata)
    cluster.log[1] = cluster.log[1][:3]
    seen = Process(cluster, scope="partition").run([3]).seen
    assert seen.epochs[0].committed == {0: 6, 1: 3}
    assert cluster.committed[1] == resting


@in_both_deliveries
@in_both_scopes
@settings(max_examples=10, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.integers(1, 9), st.sampled_from([EPOCH, NOTHING])), max_size=6),
        max_size=4,
    )
)
def test_stopping_and_starting_is_bit_for_bit_one_run(
    delivery: str, scope: str, scripts: list[list[Any]]
) -> None:
    whole, parts = undisturbed(delivery=delivery, scope=scope), new_cluster()
    for script in [*scripts, [REST]]:
        Process(parts, delivery, scope).run(script)
    assert_same_end(whole, parts, scope)
    assert parts.predictions == whole.predictions
    assert parts.letters == whole.letters


def test_stopping_and_starting_is_bit_for_bit_one_run_with_a_model_of_scikit_learn() -> None:
    whole, parts = undisturbed(learner=linear_learner), new_cluster()
    for script in ([2, 3, EPOCH, 1], [4, EPOCH, 3, DELIVERY_FAILS, EPOCH, NOTHING, 2], [REST]):
        Process(parts, learner=linear_learner).run(script)
    assert_same_end(whole, parts)
    assert set(parts.predictions) == set(whole.predictions)


def test_old_checkpoints_are_collected_while_it_runs() -> None:
    cluster = new_cluster()
    Process(cluster).run([2, EPOCH] * 8)
    assert len(checkpoints_of(cluster).open()) == 3
    pointer = from_metadata(cluster.committed[0].metadata)
    assert pointer is not None
    assert checkpoints_of(cluster).load(pointer)[0].epoch == 8


# A step of the commit fails


FAILS_AND_IS_REDONE = (
    *(DELIVERY_FAILS, Item.QUEUE_FULL),
    *(COMMIT_FAILS, COMMIT_UNKNOWN, COMMIT_IS_LATE, POSTPONED),
)
AT_THE_END: dict[Item, tuple[type[StreamfitError], int]] = {
    DELIVERY_FAILS: (EpochLostError, 3),
    SAVE_FAILS: (CheckpointError, 5),
    COMMIT_FAILS: (EpochLostError, 3),
    Item.TOPIC_GONE: (KafkaUnreachableError, 3),
}


@in_both_deliveries
@pytest.mark.parametrize("fault", AT_THE_END)
def test_rows_23_37_and_45_nothing_is_committed_after_a_step_that_failed_not_even_on_close(
    delivery: str, fault: Item
) -> None:
    cluster = new_cluster()
    kind, exit_code = AT_THE_END[fault]
    with pytest.raises(kind) as caught:
        Process(cluster, delivery).run([6, EPOCH, 6, fault])
    assert caught.value.exit_code == exit_code
    assert cluster.journal.count("commit") == 1
    assert offsets(cluster) == {0: 6}
    if delivery == "exactly_once":
        assert max(predicted(cluster)) == (0, 5)


@in_both_deliveries
@in_both_scopes
@pytest.mark.parametrize("fault", [*FAILS_AND_IS_REDONE, SAVE_FAILS])
def test_rows_19_37_and_39_a_run_heals_and_ends_as_if_nothing_had_happened(
    delivery: str, scope: str, fault: Item
) -> None:
    whole, cluster = undisturbed(delivery=delivery, scope=scope), new_cluster()
    process = Process(cluster, delivery, scope)
    process.run([6, EPOCH, fault, 3, 3, EPOCH, NOTHING, 2, EPOCH, REST])
    assert_same_end(whole, cluster, scope)
    # O2 and O3: nothing is missing, and what is twice is the same, past the last commit only.
    assert set(cluster.predictions) == set(whole.predictions)
    twice = {at for (_, at), n in Counter(predicted(cluster)).items() if n > 1}
    assert twice <= set(range(6, 12))
    if delivery == "exactly_once":
        assert cluster.predictions == whole.predictions
        assert cluster.letters == whole.letters


@in_both_deliveries
@pytest.mark.parametrize("fault", [DELIVERY_FAILS, COMMIT_FAILS, COMMIT_UNKNOWN, Item.QUEUE_FULL])
def test_going_back_gives_up_the_model_and_restores_it_from_what_is_committed(
    delivery: str, fault: Item
) -> None:
    cluster = new_cluster()
    process = Process(cluster, delivery).run([6, EPOCH, fault, 6, EPOCH, NOTHING, REST])
    arrived = 12 if fault is COMMIT_UNKNOWN else 6
    assert process.source.assigned == [{0: 0}, {}, {0: arrived}]
    (reason,) = process.seen.rollbacks
    by_delivery = fault in {DELIVERY_FAILS, Item.QUEUE_FULL}
    of_commit = (
        RollbackReason.KAFKA
        if fault is COMMIT_UNKNOWN and delivery == "at_least_once"
        else RollbackReason.COMMIT
    )
    assert reason is (RollbackReason.DELIVERY if by_delivery else of_commit)
    assert process.sink.renewed == 1
    assert process.seen.states[4:7] == [State.RESTORING, State.RUNNING, State.STOPPING]


def test_a_commit_that_was_not_answered_is_kept_out_by_joining_anew() -> None:
    cluster = new_cluster()
    process = Process(cluster).run([6, EPOCH, COMMIT_IS_LATE, 6, EPOCH, NOTHING, REST])
    assert process.source.rejoined == 1
    # What it would have committed was given up: its offsets must not come back either.
    assert [each for each in process.source.assigned if each] == [{0: 0}, {0: 6}]
    assert offsets(cluster) == {0: COUNT}


class Refusals:
    """Refuses a few times what would be done."""

    def __init__(self, what: Callable[[], None], times: int) -> None:
        self._what, self.left = what, times

    def __call__(self) -> None:
        if self.left:
            self.left -= 1
            raise EpochLostError(RollbackReason.KAFKA, "kafka.librdkafka: no such file; mend it")
        self._what()


@in_both_deliveries
def test_a_sink_that_cannot_be_renewed_for_a_while_is_renewed_before_anything_is_written(
    delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = new_cluster()
    process = Process(cluster, delivery)
    process.start([6, EPOCH, COMMIT_FAILS, 6, *[EPOCH] * 20, REST])
    refusals = Refusals(process.sink.renew, 4)
    monkeypatch.setattr(process.sink, "renew", refusals)
    process.runner.run()
    process.close()
    assert (refusals.left, process.sink.renewed) == (0, 1)
    assert process.seen.rollbacks == [RollbackReason.COMMIT]
    assert offsets(cluster) == {0: COUNT}


def test_a_member_that_cannot_begin_anew_for_a_while_restores_nothing_before_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = new_cluster()
    process = Process(cluster)
    process.start([6, EPOCH, COMMIT_IS_LATE, 6, *[EPOCH] * 20, NOTHING, REST])
    refusals = Refusals(process.source.rejoin, 4)
    monkeypatch.setattr(process.source, "rejoin", refusals)
    process.runner.run()
    process.close()
    assert (refusals.left, process.source.rejoined) == (0, 1)
    # Meanwhile the commit has arrived after all: what is restored is what is committed then.
    assert [each for each in process.source.assigned if each] == [{0: 0}, {0: 12}]
    assert offsets(cluster) == {0: COUNT}


def test_what_was_queued_before_a_failure_is_thrown_away() -> None:
    cluster = new_cluster()
    Process(cluster).run([6, EPOCH, 6, DELIVERY_FAILS, EPOCH, REST])
    counts = Counter(predicted(cluster))
    # Half of the epoch had arrived; the other half is delivered by the second try alone.
    assert sum(n == 2 for n in counts.values()) == 2
    assert max(counts.values()) == 2


@in_both_deliveries
def test_a_missing_topic_or_right_ends_the_run_at_once(delivery: str) -> None:
    cluster = new_cluster()
    with pytest.raises(KafkaUnreachableError, match="create the topic, or grant") as caught:
        Process(cluster, delivery).run([6, EPOCH, 6, Item.TOPIC_GONE, EPOCH, 6, EPOCH])
    assert caught.value.exit_code == 3
    assert offsets(cluster) == {0: 6}


@in_both_deliveries
def test_row_19_a_postponed_commit_is_tried_again_by_the_next_epoch(delivery: str) -> None:
    cluster = new_cluster()
    seen = Process(cluster, delivery).run([6, POSTPONED, EPOCH, NOTHING, 3, EPOCH]).seen
    assert seen.epochs[0].ok is False
    assert offsets(cluster) == {0: 9 if delivery == "at_least_once" else 3}
    # Only a transaction is void by it: a plain commit leaves everything as it is.
    assert (seen.rollbacks == []) == (delivery == "at_least_once")


def test_row_19_a_stop_waits_for_a_rebalance_and_then_commits() -> None:
    cluster = new_cluster()
    Process(cluster).run([6, POSTPONED])
    assert offsets(cluster) == {0: 6}


def test_row_19_a_stop_does_not_wait_for_a_rebalance_for_ever() -> None:
    cluster = new_cluster()

    class Stubborn(set[Item]):
        def discard(self, _: object) -> None:
            """Keep it armed."""

    process = Process(cluster).start([6])
    cluster.armed = Stubborn([POSTPONED])
    with pytest.raises(EpochLostError, match="rebalanced"):
        process.runner.run()
    process.close()
    assert cluster.committed == {}


def test_failures_in_a_row_are_tried_again_after_longer_and_longer() -> None:
    cluster = new_cluster()
    process = Process(cluster)
    script: list[Any] = [6, EPOCH]
    for _ in range(3):
        script += [DELIVERY_FAILS, 6, EPOCH, NOTHING, NOTHING]
    process.run([*script, REST])
    waits = [each for each in process.source.assigned if each == {}]
    assert len(waits) == len(process.seen.rollbacks) >= 2
    assert offsets(cluster) == {0: COUNT}


def test_a_run_that_is_fenced_again_and_again_ends() -> None:
    cluster = new_cluster()
    script: list[Any] = [6]
    for _ in range(backoff.MOST_FENCES):
        script += [Item.FENCED, EPOCH, LATER, NOTHING, 6]
    with pytest.raises(FencedError, match="stop one") as caught:
        Process(cluster, "exactly_once").run(script)
    assert caught.value.exit_code == 4
    assert cluster.committed == {}


def test_row_39_a_fenced_run_waits_for_a_heartbeat_before_it_goes_on() -> None:
    cluster = new_cluster()
    script: list[Any] = [6, Item.FENCED, EPOCH, EPOCH, NOTHING, NOTHING]
    process = Process(cluster, "exactly_once").run(script)
    assert process.seen.rollbacks == [RollbackReason.FENCED]
    assert process.source.assigned[1:] == [{}]
    assert cluster.committed == {}


@pytest.mark.parametrize("fault", [Item.ASKING_FAILS, Item.LOAD_FAILS, Item.PREPARE_FAILS])
def test_row_28_a_restore_that_fails_while_running_is_tried_again(fault: Item) -> None:
    whole, cluster = undisturbed(delivery="exactly_once"), new_cluster()
    process = Process(cluster, "exactly_once")
    process.run([6, EPOCH, 6, DELIVERY_FAILS, fault, EPOCH, NOTHING, LATER, NOTHING, REST])
    assert_same_end(whole, cluster)
    assert cluster.predictions == whole.predictions


def test_a_store_that_cannot_be_read_at_the_first_start_ends_the_run() -> None:
    cluster = new_cluster()
    Process(cluster).run([6])
    cluster.store.is_down = True
    with pytest.raises(CheckpointError, match=r"checkpoint\.store: cannot be read") as caught:
        Process(cluster).run([6])
    assert caught.value.exit_code == 5


def test_transactions_are_told_with_how_they_ended() -> None:
    cluster = new_cluster()
    script = [6, EPOCH, 3, COMMIT_FAILS, EPOCH, NOTHING, 3, DELIVERY_FAILS, EPOCH, LATER, REST]
    seen = Process(cluster, "exactly_once").run(script).seen
    assert seen.transactions[:2] == [TransactionResult.COMMITTED, TransactionResult.FAILED]
    assert TransactionResult.ABORTED in seen.transactions
    assert seen.transactions[-1] is TransactionResult.COMMITTED


@in_both_scopes
def test_a_torn_commit_is_mended_by_going_back(scope: str) -> None:
    whole, torn = undisturbed(2, scope=scope), new_cluster(2)
    Process(torn, scope=scope).run([6, EPOCH, COMMIT_IS_TORN, 6, EPOCH, NOTHING, NOTHING, REST])
    assert offsets(torn) == {0: 24, 1: 24}
    assert set(predicted(torn)) == set(predicted(whole))
    if scope == "partition":
        assert_same_end(whole, torn, scope)


@in_both_scopes
@pytest.mark.parametrize("script", [[6, EPOCH, COMMIT_IS_TORN, 6], [COMMIT_IS_TORN, 6]])
def test_a_torn_last_commit_is_mended_by_the_next_start(script: list[Any], scope: str) -> None:
    torn = new_cluster(2)
    with pytest.raises(EpochLostError):
        Process(torn, scope=scope).run(script)
    assert len(set(offsets(torn).values())) == 2 or len(offsets(torn)) == 1
    Process(torn, scope=scope).run([REST])
    assert offsets(torn) == {0: 24, 1: 24}
    assert len(set(predicted(torn))) == 42
    if scope == "global":
        assert len(predicted(torn)) == 42


# The store is down, or slow


@in_both_deliveries
def test_row_37_without_a_store_it_reads_on_to_the_limit_and_then_waits(delivery: str) -> None:
    whole, cluster = undisturbed(delivery=delivery), new_cluster()
    down, up = Item.STORE_DOWN, Item.STORE_UP
    process = Process(cluster, delivery, max_uncheckpointed=8)
    process.run([4, EPOCH, down, 4, EPOCH, 4, EPOCH, 4, 4, EPOCH, up, EPOCH, EPOCH, REST])
    paused = [facts for facts in process.seen.epochs if not facts.ok]
    assert max(facts.uncheckpointed for facts in paused) == 8
    assert process.seen.pauses == [True, False]
    assert process.seen.rollbacks == []
    assert_same_end(whole, cluster)
    assert cluster.predictions == whole.predictions


def test_row_37_the_limit_ends_an_epoch_early_where_the_store_works() -> None:
    cluster = new_cluster()
    process = Process(cluster, max_uncheckpointed=8).run([4, 4, 4, 4, 4])
    assert [facts.committed for facts in process.seen.epochs] == [{0: 8}, {0: 16}, {0: 20}]
    assert process.seen.pauses == []


def test_row_37_a_store_that_is_down_at_the_stop_ends_the_run_with_exit_code_5() -> None:
    cluster = new_cluster()
    with pytest.raises(CheckpointError, match=r"checkpoint\.store: cannot write") as caught:
        Process(cluster).run([4, EPOCH, Item.STORE_DOWN, 4, EPOCH, 4])
    assert caught.value.exit_code == 5
    assert offsets(cluster) == {0: 4}
    cluster.store.is_down = False
    Process(cluster).run([REST])
    assert offsets(cluster) == {0: COUNT}


@in_both_deliveries
def test_row_37_while_a_slow_store_saves_only_at_least_once_reads_on(
    delivery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epochs, "PATIENCE_S", 0.0)
    monkeypatch.setattr(epochs, "PATIENCE_OF_A_TRANSACTION_S", 0.0)
    cluster = new_cluster()
    script = [Item.STORE_STUCK, 4, EPOCH, 4, NOTHING, Item.STORE_RELEASED, REST]
    process = Process(cluster, delivery).run(script)
    read = [facts.consumed for facts in process.seen.batches if facts.consumed]
    assert read[0] == 4
    assert (read[1] == 4) == (delivery == "at_least_once")
    assert process.seen.epochs[0].committed == {0: 4}
    assert offsets(cluster) == {0: COUNT}
    assert len(predicted(cluster)) == len(set(predicted(cluster))) == 21


# Partitions come and go


@in_both_deliveries
def test_a_revoke_commits_what_was_learned_and_nothing_is_learned_until_it_owns_all_again(
    delivery: str,
) -> None:
    cluster = new_cluster()
    process = Process(cluster, delivery).run([6, REVOKE, 5, NOTHING, ASSIGN, NOTHING, 18])
    assert cluster.journal == ONE_EPOCH * 2
    assert [facts.committed for facts in process.seen.epochs] == [{0: 6}, {0: 24}]
    assert [each for each in process.source.assigned if each] == [{0: 0}, {0: 6}]
    assert len(set(predicted(cluster))) == len(predicted(cluster)) == 21
    assert process.seen.rebalances == [
        (RebalanceEvent.ASSIGNED, (0,)),
        (RebalanceEvent.REVOKED, (0,)),
        (RebalanceEvent.ASSIGNED, (0,)),
    ]
    assert State.STANDBY in process.seen.states[4:]


def test_a_global_model_is_given_up_with_the_first_partition_that_goes() -> None:
    cluster = new_cluster(3)
    process = Process(cluster).run([2, Item.REVOKE_LAST, 5, 5, ASSIGN, NOTHING, 2])
    assert [each for each in process.source.assigned if each] == [
        {0: 0, 1: 0, 2: 0},
        {0: 2, 1: 2, 2: 2},
    ]
    assert offsets(cluster) == {0: 4, 1: 4, 2: 4}


@in_both_deliveries
@in_both_scopes
def test_lost_partitions_are_never_committed_and_read_again_from_the_last_commit(
    delivery: str, scope: str
) -> None:
    whole, cluster = undisturbed(delivery=delivery, scope=scope), new_cluster()
    process = Process(cluster, delivery, scope)
    process.run([6, EPOCH, 6, LOSE, NOTHING, ASSIGN, NOTHING, 18])
    assert [facts.committed for facts in process.seen.epochs] == [{0: 6}, {0: 24}]
    assert [each for each in process.source.assigned if each] == [{0: 0}, {0: 6}]
    assert process.seen.rollbacks == [RollbackReason.LOST]
    assert_same_end(whole, cluster, scope)


@in_both_deliveries
@in_both_scopes
@pytest.mark.parametrize(
    "fault",
    [DELIVERY_FAILS, SAVE_FAILS, COMMIT_FAILS, COMMIT_UNKNOWN, COMMIT_IS_LATE, POSTPONED],
)
def test_row_14_a_failure_inside_a_revoke_is_not_raised_and_the_next_owner_redoes_it(
    delivery: str, scope: str, fault: Item
) -> None:
    whole, cluster = undisturbed(delivery=delivery, scope=scope), new_cluster()
    process = Process(cluster, delivery, scope)
    process.run([6, EPOCH, 6, fault, REVOKE, NOTHING, ASSIGN, NOTHING, REST])
    assert cluster.journal.count("commit") == 2 + (fault is COMMIT_UNKNOWN)
    assert_same_end(whole, cluster, scope)


@pytest.mark.parametrize("event", [Item.REVOKE_LAST, Item.LOSE_LAST])
def test_a_failed_epoch_at_a_revoke_does_not_hide_that_the_partition_went(event: Item) -> None:
    cluster = new_cluster(2)
    script = [6, EPOCH, 6, DELIVERY_FAILS, event, NOTHING, LATER, NOTHING]
    seen = Process(cluster, scope="partition").run(script).seen
    told = RebalanceEvent.LOST if event is Item.LOSE_LAST else RebalanceEvent.REVOKED
    assert (told, (1,)) in seen.rebalances


@in_both_deliveries
def test_in_partition_scope_the_other_models_go_on_when_one_is_revoked(delivery: str) -> None:
    cluster = new_cluster(3)
    process = Process(cluster, delivery, "partition")
    process.run([2, EPOCH, 2, Item.REVOKE_LAST, NOTHING, 2, EPOCH])
    assert process.seen.rollbacks == []
    # One epoch for all: what stays is committed with what goes.
    assert [facts.committed for facts in process.seen.epochs] == [
        {0: 2, 1: 2, 2: 2},
        {0: 4, 1: 4, 2: 4},
        {0: 6, 1: 6},
    ]
    restored = [state for state in process.seen.states if state is State.RESTORING]
    assert len(restored) == 1
    assert [facts.partition for facts in process.seen.batches][-1] in {0, 1}


@in_both_deliveries
def test_in_partition_scope_a_model_that_comes_back_goes_on_where_it_was(delivery: str) -> None:
    whole = undisturbed(3, delivery=delivery, scope="partition")
    cluster = new_cluster(3)
    process = Process(cluster, delivery, "partition")
    process.run([2, Item.REVOKE_LAST, 2, ASSIGN, 2, Item.LOSE_LAST, 2, ASSIGN, NOTHING, REST])
    assert_same_end(whole, cluster, "partition")


def test_in_partition_scope_what_is_not_lost_goes_back_too() -> None:
    cluster = new_cluster(2)
    process = Process(cluster, scope="partition")
    process.run([2, EPOCH, 2, Item.LOSE_LAST, LATER, NOTHING, 2])
    assert process.seen.rollbacks == [RollbackReason.LOST]
    assert process.source.assigned[-1] == {0: 2}
    assert offsets(cluster) == {0: 4, 1: 2}


def test_in_partition_scope_each_model_has_its_own_scores_and_versions() -> None:
    cluster = Cluster(log={0: values(), 1: values(5)})
    seen = Process(cluster, scope="partition").run([REST]).seen
    last = {facts.partition: facts for facts in seen.batches}
    assert {p: facts.model_version for p, facts in last.items()} == {0: 20, 1: 4}
    assert {facts.partition: facts.scored for facts in seen.told} == {0: 20, 1: 4}
    assert {p: facts.lag.keys() for p, facts in last.items()} == {0: {0}, 1: {1}}


@in_both_scopes
def test_row_33_a_new_partition_is_taken_in(scope: str) -> None:
    cluster = new_cluster()
    process = Process(cluster, scope=scope).run([6, GROW, 5, 30])
    if scope == "global":  # after an epoch for the others
        assert process.seen.epochs[0].committed == {0: 6}
    assert process.source.assigned[1] == {0: 6, 1: 0}
    assert offsets(cluster) == {0: 24, 1: 24}
    assert len(set(predicted(cluster))) == len(predicted(cluster)) == 42


@in_both_deliveries
@pytest.mark.parametrize("fault", [DELIVERY_FAILS, COMMIT_FAILS, COMMIT_UNKNOWN, POSTPONED])
def test_row_33_a_failure_while_a_partition_is_taken_in_is_redone(
    delivery: str, fault: Item
) -> None:
    cluster = new_cluster()
    Process(cluster, delivery).run([6, fault, GROW, NOTHING, LATER, NOTHING, REST])
    assert offsets(cluster) == {0: 24, 1: 24}
    assert len(set(predicted(cluster))) == 42


def test_row_37_a_store_that_is_down_while_a_partition_is_taken_in_does_not_end_the_run() -> None:
    cluster = new_cluster()
    process = Process(cluster)
    process.run([6, EPOCH, 6, Item.STORE_DOWN, GROW, NOTHING, Item.STORE_UP, LATER, NOTHING, REST])
    assert offsets(cluster) == {0: 24, 1: 24}


@in_both_deliveries
@in_both_scopes
@pytest.mark.parametrize("change", [GROW, LOSE, REVOKE])
def test_records_that_come_with_a_change_are_read_again_and_learned_once(
    delivery: str, scope: str, change: Item
) -> None:
    cluster = new_cluster()
    script = [6, EPOCH, Item.WITH_RECORDS, change, NOTHING, ASSIGN, NOTHING, 24]
    Process(cluster, delivery, scope).run(script)
    assert set(offsets(cluster).values()) == {24}
    assert len(set(predicted(cluster))) == len(predicted(cluster)) == 21 * len(cluster.log)


# The instance is held by a dead member


class Held(Alone):
    """A group that lets nobody in before a dead member's session has ended."""

    def __init__(self, cluster: Cluster, until: float) -> None:
        super().__init__(cluster)
        self._until = until

    def join(self, member: FakeSource) -> None:
        """Tell nothing yet."""

    def serve(self, member: FakeSource) -> None:
        if self._cluster.now < self._until:
            raise InstanceHeldError("UNRELEASED_INSTANCE_ID")
        if not member.owned():
            super().join(member)


@in_both_deliveries
def test_row_17_a_held_instance_is_waited_for_and_the_run_goes_on(delivery: str) -> None:
    cluster = new_cluster()
    held = Held(cluster, cluster.now + 45)
    process = Process(cluster, delivery, group=held).run([*[EPOCH] * 50, NOTHING, REST])
    assert process.source.rejoined > 20
    assert process.seen.rollbacks == []
    assert offsets(cluster) == {0: COUNT}


def test_row_17_while_an_instance_is_held_a_client_that_cannot_be_made_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = new_cluster()
    process = Process(cluster, group=Held(cluster, cluster.now + 5))
    process.start([*[EPOCH] * 50, NOTHING, REST])
    refusals = Refusals(process.source.rejoin, 4)
    monkeypatch.setattr(process.source, "rejoin", refusals)
    process.runner.run()
    process.close()
    assert refusals.left == 0
    assert offsets(cluster) == {0: COUNT}


def test_row_17_an_instance_that_is_never_released_ends_the_run() -> None:
    cluster = new_cluster()
    with pytest.raises(InstanceHeldError) as caught:
        Process(cluster, group=Held(cluster, 10**9)).run([EPOCH] * 100)
    assert caught.value.exit_code == 4
    assert cluster.committed == {}


def test_row_17_what_was_learned_before_the_instance_was_held_counts_only_if_it_is_committed() -> (
    None
):
    cluster = new_cluster()
    process = Process(cluster)
    process.run([6, EPOCH, 6, Item.HELD, EPOCH, EPOCH, NOTHING])
    told = [facts.committed for facts in process.seen.epochs if facts.ok]
    assert told[-1] == offsets(cluster)


# Dead letters


@in_both_deliveries
def test_row_46_a_limit_commits_what_it_saw_and_stops_with_exit_code_5(delivery: str) -> None:
    cluster = Cluster(log={0: [event(0), b"{", b"{", b"{", event(1), event(2)]})
    with pytest.raises(DeadLetterLimitError, match="3 dead letters in a row") as caught:
        Process(cluster, delivery, run_limit=3).run([5, 1])
    assert caught.value.exit_code == 5
    assert offsets(cluster) == {0: 4}
    assert len(cluster.letters) == 3
    # So a restart does not stop again at the same records.
    Process(cluster, delivery, run_limit=3).run([5])
    assert offsets(cluster) == {0: 6}
    assert predicted(cluster) == [(0, 0), (0, 4), (0, 5)]


def test_row_46_in_partition_scope_each_partition_has_its_own_limit() -> None:
    cluster = Cluster(log={0: [event(0), b"{", event(1), b"{"], 1: [b"{"] * 4})
    with pytest.raises(DeadLetterLimitError, match="3 dead letters in a row"):
        Process(cluster, scope="partition", run_limit=3).run([2, 2])
    assert offsets(cluster) == {0: 4, 1: 3}


def test_row_46_a_run_of_bad_records_counts_on_after_a_restart() -> None:
    cluster = Cluster(log={0: [b"{"] * 6})
    Process(cluster, run_limit=4).run([2])
    with pytest.raises(DeadLetterLimitError, match="4 dead letters in a row"):
        Process(cluster, run_limit=4).run([1, 1, 1])
    assert offsets(cluster) == {0: 4}


@pytest.mark.parametrize("fault", [DELIVERY_FAILS, COMMIT_FAILS, POSTPONED])
def test_row_46_a_failure_while_stopping_at_a_limit_does_not_forget_the_stop(fault: Item) -> None:
    cluster = Cluster(log={0: [*[b"{"] * 3, *[event(i) for i in range(9)]]})
    with pytest.raises(DeadLetterLimitError, match="3 dead letters in a row"):
        Process(cluster, run_limit=3).run([fault, 3, NOTHING, NOTHING, LATER, 3, 3, 3])
    assert offsets(cluster) == {0: 3}


@in_both_deliveries
def test_row_26_an_event_whose_prediction_is_too_large_is_learned_and_becomes_a_dead_letter(
    delivery: str,
) -> None:
    cluster = Cluster(log={0: [event(0), event(1, id="e" * 300), event(2)]}, max_bytes=200)
    seen = Process(cluster, delivery).run([3]).seen
    assert predicted(cluster) == [(0, 0), (0, 2)]
    (letter,) = cluster.letters
    assert dict(letter.headers)["streamfit.error.stage"] == b"produce"
    assert [json.loads(v)["model_version"] for _, v, _ in cluster.predictions] == [0, 2]
    facts = next(facts for facts in seen.batches if facts.consumed)
    assert (facts.learned, facts.predicted, facts.dead_letters) == (3, 2, {"produce": 1})


# Starts


def test_row_35_a_start_on_strange_offsets_commits_nothing() -> None:
    cluster = new_cluster()
    cluster.committed[0] = Committed(4, "")
    with pytest.raises(OffsetsLostError):
        Process(cluster).run([6, EPOCH])
    assert cluster.journal == []
    assert offsets(cluster) == {0: 4}


def test_start_latest_reads_what_comes_after_and_holds_for_new_groups_only() -> None:
    cluster, latest = new_cluster(), Policies(start="latest")
    Process(cluster, policies=latest).run([5])
    assert cluster.journal == []
    cluster.log[0] += [event(24), event(25), event(26)]
    # Nothing was consumed, so nothing is committed, and the group is still new.
    Process(cluster, policies=latest).run([5])
    assert cluster.committed == {}
    Process(cluster).run([20])
    Process(cluster, policies=latest).run([20])
    assert len(predicted(cluster)) == 24


@in_both_deliveries
def test_row_31_records_that_retention_removed_are_skipped_and_counted(delivery: str) -> None:
    cluster = new_cluster()
    Process(cluster, delivery).run([6])
    cluster.first[0] = 10
    with pytest.raises(OffsetsLostError):
        Process(cluster, delivery).run([6])
    cluster.audit = Audit(once=True, gaps={0: range(6, 10)})
    seen = Process(cluster, delivery, policies=Policies(on_gap="skip")).run([REST]).seen
    assert offsets(cluster) == {0: COUNT}
    assert sum(facts.consumed for facts in seen.batches) == COUNT - 6
    assert sum(facts.skipped.get("gap", 0) for facts in seen.batches) == 4
    assert sum(facts.read for facts in seen.batches) == COUNT - 10


def test_row_31_records_that_retention_removes_while_it_runs_are_skipped_too() -> None:
    cluster = new_cluster()
    process = Process(cluster, policies=Policies(on_gap="skip")).start(
        [6, EPOCH, Item.OUT_OF_RANGE, NOTHING, REST]
    )
    cluster.audit = Audit(once=True, gaps={0: range(6, 10)})
    for _ in range(3):
        process.turn()
    cluster.first[0] = 10
    process.runner.run()
    assert process.seen.rollbacks == [RollbackReason.GAP]
    assert offsets(cluster) == {0: COUNT}
    assert sum(facts.skipped.get("gap", 0) for facts in process.seen.batches) == 4
    process.close()


def test_row_31_a_partition_that_skipped_and_rests_does_not_stop_the_next_start() -> None:
    cluster = new_cluster(2)
    Process(cluster, scope="partition").run([6])
    cluster.first[1] = COUNT  # retention removed all that was left of it
    cluster.audit = Audit(once=True, gaps={1: range(6, COUNT)})
    skip = Policies(on_gap="skip")
    Process(cluster, scope="partition", policies=skip).run([6])
    Process(cluster, scope="partition", policies=skip).run([REST])
    assert offsets(cluster)[0] == COUNT


# What is told


def test_the_dead_letters_and_predictions_of_a_read_are_told_with_what_the_lag_is() -> None:
    cluster = new_cluster()
    seen = Process(cluster).run([10, EPOCH]).seen
    assert sum(facts.consumed for facts in seen.batches) == 10
    assert seen.batches[-1].lag == {0: 14}
    assert seen.batches[-1].model_version == 8
    assert seen.told[-1].scored == 8
    # The last read record is of second 9, and it is second 101.
    assert seen.batches[-1].lag_seconds == {0: pytest.approx(92.0, abs=0.2)}


def test_without_lag_there_is_no_age() -> None:
    cluster = new_cluster()
    seen = Process(cluster).run([COUNT, EPOCH]).seen
    assert seen.batches[-1].lag == {0: 0}
    assert seen.batches[-1].lag_seconds == {0: 0.0}


@pytest.mark.parametrize("error", [StreamfitError("x"), KeyboardInterrupt()])
def test_leaving_after_an_error_commits_nothing(error: BaseException) -> None:
    cluster = new_cluster()

    def fail(name: str) -> None:
        if name == "predicted":
            raise error

    with pytest.raises(type(error)):
        Process(cluster, reach=fail).run([6, EPOCH])
    assert cluster.committed == {}
