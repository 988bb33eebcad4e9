"""The end of an epoch: flush, save, commit, in that order, each only if the one before was good."""

from dataclasses import replace
from pathlib import Path

import pytest

from consumers.epochs import Epochs, Work
from consumers.errors import CheckpointError, KafkaUnreachableError, StreamfitError
from consumers.pointer import from_metadata
from tests.fakes import (
    Cluster,
    FakeSink,
    FakeSource,
    Item,
    Recorder,
    checkpoints_in,
    new_flow,
    new_learning,
)
from tests.records import event, records_of


class Desk:
    """Epochs on a cluster, and some work that was done."""

    def __init__(self, folder: Path) -> None:
        self.cluster = Cluster(log={0: [event(i) for i in range(9)]})
        self.checkpoints = checkpoints_in(folder, self.cluster)
        self.seen = Recorder()
        source = FakeSource(self.cluster, [])
        source.own([0])
        sink = FakeSink(self.cluster)
        clocks = (lambda: self.cluster.now, lambda: self.cluster.now + 1e9)
        self.epochs = Epochs(source, sink, self.checkpoints, self.seen, clocks)
        learning = new_learning()
        flow = new_flow(self.cluster, sink, learning)
        self.work = Work(learning, flow, {0: 0}, None, self.cluster.now)

    def learn(self, first: int, last: int) -> None:
        values = [event(i) for i in range(first, last)]
        facts, _ = self.work.flow(records_of(values, first=first))
        self.work.next_offsets.update(facts.next_offsets)
        self.work.moved = True


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_an_epoch_flushes_saves_and_commits_in_that_order(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.epochs.end(desk.work)
    assert desk.cluster.journal == ["flush", "save", "commit"]
    assert len(desk.cluster.predictions) == 4
    committed = desk.cluster.committed[0]
    assert committed.offset == 4
    pointer = from_metadata(committed.metadata)
    assert pointer is not None
    manifest, content = desk.checkpoints.load(pointer)
    assert manifest.offsets() == {0: 4}
    assert (manifest.epoch, manifest.parent, manifest.topic_id) == (1, None, "id-1")
    restored = new_learning()
    restored.restore(content)
    assert restored.learner.model_version == 4


def test_each_epoch_names_the_one_before_as_its_parent(desk: Desk) -> None:
    pointers = []
    for first in (0, 3, 6):
        desk.learn(first, first + 3)
        desk.epochs.end(desk.work)
        pointers.append(desk.work.parent)
    parents = [desk.checkpoints.load(pointer)[0].parent for pointer in pointers if pointer]
    assert parents == [None, *pointers[:2]]
    assert [facts.epoch for facts in desk.seen.epochs] == [1, 2, 3]


def test_nothing_consumed_no_epoch(desk: Desk) -> None:
    desk.epochs.end(desk.work)
    assert desk.cluster.journal == []
    assert desk.seen.epochs == []
    desk.learn(0, 1)
    desk.epochs.end(desk.work)
    desk.epochs.end(desk.work)
    assert desk.cluster.journal == ["flush", "save", "commit"]


def test_an_epoch_begins_when_the_last_one_ended_whether_anything_was_read_or_not(
    desk: Desk,
) -> None:
    desk.cluster.now += 5
    desk.epochs.end(desk.work)
    assert desk.work.since_s == desk.cluster.now


@pytest.mark.parametrize(
    ("fault", "error", "text", "journal"),
    [
        (Item.DELIVERY_FAILS, KafkaUnreachableError, "not delivered", []),
        (Item.SAVE_FAILS, CheckpointError, r"checkpoint\.store: cannot write", ["flush"]),
        (Item.COMMIT_FAILS, KafkaUnreachableError, "commit refused", ["flush", "save"]),
    ],
)
def test_rows_23_and_37_nothing_is_committed_after_a_step_that_failed(
    desk: Desk, fault: Item, error: type[StreamfitError], text: str, journal: list[str]
) -> None:
    desk.learn(0, 4)
    desk.cluster.armed.add(fault)
    with pytest.raises(error, match=text):
        desk.epochs.end(desk.work)
    assert desk.cluster.journal == journal
    assert desk.cluster.committed == {}
    assert desk.work.parent is None
    assert desk.work.moved
    (facts,) = desk.seen.epochs
    assert not facts.ok
    assert facts.committed == {}
    assert facts.checkpoint_bytes == 0


def test_an_epoch_is_told_with_its_size_times_and_offsets(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.epochs.end(desk.work)
    (facts,) = desk.seen.epochs
    assert facts.ok
    assert facts.seconds.keys() == {"flush", "save", "commit"}
    assert facts.checkpoint_bytes > 1000
    assert facts.committed == {0: 4}
    assert facts.time_s == desk.cluster.now + 1e9


def test_old_checkpoints_that_cannot_be_deleted_do_not_fail_the_epoch(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(desk.checkpoints, "collect", refuse)
    desk.learn(0, 4)
    desk.epochs.end(desk.work)
    assert desk.seen.epochs[0].ok
    assert desk.cluster.committed[0].offset == 4


def test_what_was_told_does_not_change_with_the_work(desk: Desk) -> None:
    desk.learn(0, 4)
    desk.epochs.end(desk.work)
    told = replace(desk.seen.epochs[0], committed=dict(desk.seen.epochs[0].committed))
    desk.learn(4, 6)
    assert desk.seen.epochs[0] == told
