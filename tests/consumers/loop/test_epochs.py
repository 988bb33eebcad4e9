"""The end of an epoch: flush, save, commit, in that order, each only if the one before was good."""

from concurrent.futures import wait
from dataclasses import replace
from typing import cast

import pytest

from consumers.checkpoints.pointer import from_metadata
from consumers.checkpoints.series import Checkpoints, Lineage
from consumers.errors import (
    EpochLostError,
    KafkaUnreachableError,
    StreamfitError,
)
from consumers.loop import epochs
from consumers.loop.clocks import Clocks
from consumers.loop.delivery import AtLeastOnce, Delivery, ExactlyOnce
from consumers.loop.epochs import Epochs
from consumers.loop.lanes import Lane, Lanes
from metrics.facts import RollbackReason
from producers.transactional_sink import TransactionalSink
from tests.fake_sinks import FakeSink, FakeTransactionalSink
from tests.fakes import WAIT_S, Cluster, FakeSource, Item, Recorder
from tests.processes import checkpoints_of, new_flow, new_learning
from tests.promises import ChainLearner, fold, predicted
from tests.records import event, records_of

ONE_EPOCH = ["flush", "save", "commit"]


class Desk:
    """Epochs on a cluster, and a model for each partition."""

    def __init__(self, delivery: str = "at_least_once", partitions: int = 1) -> None:
        self.cluster = Cluster(log={p: [event(i) for i in range(9)] for p in range(partitions)})
        self.seen = Recorder()
        self.reached: list[str] = []
        source = FakeSource(self.cluster, [])
        source.own(range(partitions))
        self.sink, commits = self._delivery(delivery, source)
        commits.prepare()
        clocks = Clocks(lambda: self.cluster.now, lambda: self.cluster.now + 1e9)
        self.epochs = Epochs(self.sink, commits, self.seen, clocks, self.reached.append)
        self.lanes = Lanes()
        self.lanes.add(self._lane(p) for p in range(partitions))
        self.lane = next(iter(self.lanes))

    def _delivery(self, delivery: str, source: FakeSource) -> tuple[FakeSink, Delivery]:
        if delivery == "at_least_once":
            sink = FakeSink(self.cluster)
            return sink, AtLeastOnce(source, sink)
        transactional = FakeTransactionalSink(self.cluster, "id")
        client = cast("TransactionalSink", transactional)
        return transactional, ExactlyOnce(source, client, self.seen)

    def _lane(self, partition: int) -> Lane:
        learning = new_learning(ChainLearner())
        return Lane(
            partition=partition,
            learning=learning,
            flow=new_flow(self.cluster, self.sink, learning),
            checkpoints=checkpoints_of(self.cluster, str(partition)),
            lineage=Lineage(),
            topic_id="id-1",
            next_offsets={partition: 0},
        )

    def learn(self, first: int, last: int, partition: int = 0) -> None:
        """Let a model learn some of its records."""
        values = self.cluster.log[partition][first:last]
        lane = list(self.lanes)[partition]
        records = records_of(values, first=first, partition=partition)
        lane.advance(records, lane.flow(records)[0])

    def end(self) -> None:
        self.epochs.end(self.lanes)

    def advance(self) -> bool:
        return self.epochs.advance(self.lanes)

    def checkpoints(self, partition: int = 0) -> Checkpoints:
        return checkpoints_of(self.cluster, str(partition))

    def release(self) -> None:
        """Let the store go on, and wait until it has kept everything."""
        assert self.epochs._open is not None
        saving = [each.pointer for each in self.epochs._open.savings]
        self.cluster.store.release()
        assert not wait(saving, WAIT_S).not_done


@pytest.fixture(params=["at_least_once", "exactly_once"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


@pytest.fixture
def two() -> Desk:
    return Desk(partitions=2)


def test_an_epoch_flushes_saves_and_commits_in_that_order(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.end()
    assert desk.cluster.journal == ONE_EPOCH
    assert desk.reached == ["flushed", "saved", "committed", "gc"]
    assert len(desk.cluster.predictions) == 4
    committed = desk.cluster.committed[0]
    assert committed.offset == 4
    pointer = from_metadata(committed.metadata)
    assert pointer is not None
    manifest, content = desk.checkpoints().load(pointer)
    assert manifest.offsets() == {0: 4}
    assert (manifest.epoch, manifest.parent, manifest.topic_id) == (1, None, "id-1")
    restored = ChainLearner()
    new_learning(restored).restore(content)
    assert (restored.chain, restored.model_version) == fold(desk.cluster.log[0][:4])


def test_each_epoch_names_the_one_before_as_its_parent(desk: Desk) -> None:
    pointers = []
    for first in (0, 3, 6):
        desk.learn(first, first + 3)
        desk.end()
        pointers.append(desk.lane.lineage.parent)
    parents = [desk.checkpoints().load(pointer)[0].parent for pointer in pointers if pointer]
    assert parents == [None, *pointers[:2]]
    assert [facts.epoch for facts in desk.seen.epochs] == [1, 2, 3]


def test_an_epoch_after_going_back_is_above_any_that_was_committed(desk: Desk) -> None:
    desk.learn(0, 2)
    desk.end()
    older = desk.lane.lineage.parent
    desk.lane.lineage = Lineage(older, 7)
    desk.learn(2, 4)
    desk.end()
    assert desk.lane.lineage.parent is not None
    manifest, _ = desk.checkpoints().load(desk.lane.lineage.parent)
    assert (manifest.epoch, manifest.parent) == (8, older)


def test_nothing_consumed_no_epoch(desk: Desk) -> None:
    desk.end()
    assert not desk.advance()
    assert desk.cluster.journal == []
    assert desk.seen.epochs == []
    desk.learn(0, 1)
    desk.end()
    desk.end()
    assert desk.cluster.journal == ONE_EPOCH


FAULTS = [
    (Item.DELIVERY_FAILS, EpochLostError, "not delivered", []),
    (Item.TOPIC_GONE, KafkaUnreachableError, "create the topic", []),
    (Item.SAVE_FAILS, EpochLostError, "cannot write", ["flush"]),
    (Item.COMMIT_FAILS, EpochLostError, "refused", ["flush", "save"]),
]


@pytest.mark.parametrize(("fault", "error", "text", "journal"), FAULTS)
def test_rows_23_and_37_nothing_is_committed_after_a_step_that_failed(
    desk: Desk, fault: Item, error: type[StreamfitError], text: str, journal: list[str]
) -> None:
    desk.learn(0, 4)
    desk.cluster.armed.add(fault)
    with pytest.raises(error, match=text):
        desk.end()
    assert desk.cluster.journal == journal
    assert desk.cluster.committed == {}
    assert desk.lane.lineage.parent is None
    assert desk.lane.uncheckpointed == 4
    assert not desk.epochs.saving
    (facts,) = desk.seen.epochs
    assert not facts.ok
    assert facts.committed == {}
    assert facts.checkpoint_bytes == 0
    assert facts.uncheckpointed == 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Item.DELIVERY_FAILS, RollbackReason.DELIVERY),
        (Item.COMMIT_FAILS, RollbackReason.COMMIT),
        (Item.POSTPONED, RollbackReason.COMMIT),
    ],
)
def test_an_epoch_that_is_lost_tells_why(desk: Desk, fault: Item, reason: RollbackReason) -> None:
    desk.learn(0, 4)
    desk.cluster.armed.add(fault)
    with pytest.raises(EpochLostError) as caught:
        desk.advance()
    assert caught.value.reason is reason


def test_row_37_a_checkpoint_that_cannot_be_saved_is_left_to_the_next_epoch(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.cluster.store.is_down = True
    assert not desk.advance()
    desk.learn(4, 6)
    assert not desk.advance()
    assert [facts.ok for facts in desk.seen.epochs] == [False, False]
    assert [facts.uncheckpointed for facts in desk.seen.epochs] == [4, 6]
    desk.cluster.store.is_down = False
    desk.learn(6, 7)
    assert desk.advance()
    assert desk.cluster.committed[0].offset == 7
    assert desk.lane.uncheckpointed == 0
    assert len(desk.cluster.predictions) == len(set(predicted(desk.cluster))) == 7


def test_an_epoch_is_told_with_its_size_times_and_offsets(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.end()
    (facts,) = desk.seen.epochs
    assert facts.ok
    assert facts.seconds.keys() == {"flush", "save", "commit"}
    assert desk.lane.lineage.parent is not None
    assert facts.checkpoint_bytes == desk.lane.lineage.parent.size
    assert facts.committed == {0: 4}
    assert facts.uncheckpointed == 0
    assert facts.time_s == desk.cluster.now + 1e9


def test_old_checkpoints_that_cannot_be_deleted_do_not_fail_the_epoch(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(desk.lane.checkpoints, "collect", refuse)
    desk.learn(0, 4)
    desk.end()
    assert desk.seen.epochs[0].ok
    assert desk.cluster.committed[0].offset == 4


def test_row_37_after_a_delete_that_fails_the_next_epoch_goes_on_deleting(
    two: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    first, second = two.lanes
    delete = two.cluster.store.delete

    def hang(key: str) -> None:
        asked.append(key)
        raise TimeoutError("no answer within 20 s")

    def learn_and_end(epoch: int) -> None:
        for partition in range(2):
            two.learn(epoch, epoch + 1, partition)
        two.end()

    for epoch in range(3):
        learn_and_end(epoch)
    monkeypatch.setattr(two.cluster.store, "delete", hang)
    learn_and_end(3)
    assert len(asked) == 1
    monkeypatch.setattr(two.cluster.store, "delete", delete)
    learn_and_end(4)
    assert [len(lane.checkpoints.open()) for lane in (first, second)] == [3, 3]


def test_what_was_told_does_not_change_with_the_work(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.end()
    told = replace(desk.seen.epochs[0], committed=dict(desk.seen.epochs[0].committed))
    desk.learn(4, 6)
    assert desk.seen.epochs[0] == told


# A store that takes its time


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "PATIENCE_S", 0.0)
    monkeypatch.setattr(epochs, "PATIENCE_OF_A_TRANSACTION_S", 0.0)


@pytest.mark.usefixtures("_impatient")
def test_row_37_a_slow_save_is_not_waited_for_and_commits_what_was_learned_when_it_began(
    desk: Desk,
) -> None:
    desk.learn(0, 4)
    desk.cluster.store.hang()
    assert not desk.advance()
    assert desk.epochs.saving
    desk.learn(4, 7)
    assert not desk.advance()
    assert desk.cluster.committed == {}
    assert desk.cluster.journal == ["flush"]
    desk.release()
    assert desk.advance()
    # The offset of the snapshot, not what was learned since; that is the next epoch's.
    assert desk.cluster.committed[0].offset == 4
    assert desk.lane.uncheckpointed == 3
    assert desk.seen.epochs[-1].uncheckpointed == 3
    pointer = from_metadata(desk.cluster.committed[0].metadata)
    assert pointer is not None
    assert desk.checkpoints().load(pointer)[1].model == fold(desk.cluster.log[0][:4])[0]
    desk.end()
    assert desk.cluster.committed[0].offset == 7
    assert desk.lane.uncheckpointed == 0


@pytest.mark.usefixtures("_impatient")
def test_row_37_a_slow_save_that_fails_in_the_end_keeps_the_model(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.cluster.store.hang()
    desk.cluster.armed.add(Item.SAVE_FAILS)
    assert not desk.advance()
    desk.learn(4, 6)
    desk.release()
    assert not desk.advance()
    assert not desk.epochs.saving
    desk.end()
    assert desk.cluster.committed[0].offset == 6


@pytest.mark.usefixtures("_impatient")
def test_the_last_epoch_waits_for_the_one_that_is_being_saved(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.cluster.store.hang()
    assert not desk.advance()
    desk.learn(4, 6)
    desk.release()
    desk.end()
    assert [facts.committed for facts in desk.seen.epochs] == [{0: 4}, {0: 6}]
    assert [facts.epoch for facts in desk.seen.epochs] == [1, 2]


def test_row_37_a_store_that_does_not_come_back_within_the_deadline_loses_the_epoch(
    desk: Desk,
) -> None:
    desk.learn(0, 4)
    desk.cluster.store.hang()
    with pytest.raises(EpochLostError, match="nothing saved within") as caught:
        desk.epochs.end(desk.lanes, 0.01)
    assert caught.value.reason is RollbackReason.STORE
    assert not desk.epochs.saving
    assert desk.cluster.committed == {}
    desk.cluster.store.release()


@pytest.mark.usefixtures("_impatient")
def test_what_is_being_saved_when_it_is_dropped_is_never_committed(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.cluster.store.hang()
    assert not desk.advance()
    desk.epochs.drop()
    assert not desk.epochs.saving
    desk.cluster.store.release()
    desk.epochs.close()
    desk.lanes.clear()
    assert not desk.advance()
    assert desk.cluster.committed == {}


# A model for each partition


def test_models_of_several_partitions_are_committed_together(two: Desk) -> None:
    two.learn(0, 4, 0)
    two.learn(0, 2, 1)
    two.end()
    assert two.cluster.journal.count("commit") == 1
    pointers = [from_metadata(place.metadata) for place in two.cluster.committed.values()]
    for partition, (pointer, count) in enumerate(zip(pointers, (4, 2), strict=True)):
        assert pointer is not None
        assert two.cluster.committed[partition].offset == count
        assert two.checkpoints(partition).load(pointer)[0].offsets() == {partition: count}
    (facts,) = two.seen.epochs
    assert facts.committed == {0: 4, 1: 2}
    assert facts.checkpoint_bytes == sum(pointer.size for pointer in pointers if pointer)


def test_a_model_that_rests_is_not_saved_again_and_keeps_its_pointer(two: Desk) -> None:
    two.learn(0, 4, 0)
    two.learn(0, 2, 1)
    two.end()
    before = dict(two.cluster.committed)
    two.learn(4, 5, 0)
    two.end()
    assert two.cluster.journal.count("save") == 3
    assert two.cluster.committed[1] == before[1]
    assert two.cluster.committed[0].offset == 5
    assert two.seen.epochs[-1].committed == {0: 5, 1: 2}


def test_a_model_that_has_never_moved_is_not_committed(two: Desk) -> None:
    two.learn(0, 4, 0)
    two.end()
    assert two.cluster.committed.keys() == {0}


def test_one_model_that_cannot_be_saved_keeps_all_from_being_committed(two: Desk) -> None:
    two.learn(0, 4, 0)
    two.learn(0, 2, 1)
    two.cluster.armed.add(Item.SAVE_FAILS)
    assert not two.advance()
    assert two.cluster.committed == {}
    assert two.lanes.uncheckpointed == 6
    assert two.advance()
    assert {p: place.offset for p, place in two.cluster.committed.items()} == {0: 4, 1: 2}
