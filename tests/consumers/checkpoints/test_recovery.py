"""Where to go on: committed offsets held against the checkpoints of a real local store.

What the policies make of what does not fit is in test_policies.py.
"""

import logging
from pathlib import Path

import pytest

from consumers.checkpoints.recovery import Policies, Recovery
from consumers.errors import (
    CheckpointError,
    DamagedCheckpointError,
    KafkaUnreachableError,
    OffsetsLostError,
)
from consumers.kafka.source import Committed
from tests.lineages import Group, open_checkpoints, restart


def group_of(folder: Path, *ends: int) -> Group:
    return Group(folder, dict(enumerate(ends)))


# A group that is new


@pytest.mark.parametrize(
    ("start", "offsets"), [("earliest", {0: 2, 1: 0}), ("latest", {0: 9, 1: 4})]
)
def test_a_new_group_begins_anew_where_start_says(
    tmp_path: Path, start: str, offsets: dict[int, int]
) -> None:
    group = group_of(tmp_path, 9, 4)
    group.firsts = {0: 2}
    assert group.find(start=start) == restart(None, offsets)


@pytest.mark.parametrize("on_reset", ["fail", "follow_kafka", "follow_checkpoint"])
def test_row_6_an_orphan_of_the_first_epoch_is_no_reason_to_stop(
    tmp_path: Path, on_reset: str
) -> None:
    group = group_of(tmp_path, 9)
    group.save({0: 3})
    assert group.find(on_reset=on_reset) == restart(None, {0: 0})


# A restart in order


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_restart_goes_on_at_the_checkpoints_own_offsets(tmp_path: Path, start: str) -> None:
    group = group_of(tmp_path, 9, 4)
    first = group.commit({0: 3, 1: 0})
    pointer = group.commit({0: 7, 1: 2}, first)
    assert group.find(start=start) == restart(pointer, {0: 7, 1: 2})


def test_a_model_of_one_partition_goes_on_like_one_of_all(tmp_path: Path) -> None:
    group = Group(tmp_path, {7: 9}, scope="7")
    assert group.find() == restart(None, {7: 0})
    pointer = group.commit({7: 5}, group.commit({7: 3}))
    assert group.find() == restart(pointer, {7: 5})


def test_row_6_an_orphan_is_never_used_while_a_pointer_exists(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9)
    pointer = group.commit({0: 3})
    group.save({0: 8}, pointer)
    assert group.find() == restart(pointer, {0: 3})


def test_finding_changes_nothing(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9)
    group.commit({0: 3})
    before = dict(group.offsets), sorted(tmp_path.rglob("*"))
    assert group.find() == group.find()
    assert (dict(group.offsets), sorted(tmp_path.rglob("*"))) == before


@pytest.mark.parametrize("sweep", [True, False])
def test_row_5_what_a_dead_writer_left_is_swept_only_when_asked(
    tmp_path: Path, *, sweep: bool
) -> None:
    group = group_of(tmp_path, 9)
    left = group.path(group.commit({0: 3})).parent / f".{'a' * 32}.tmp"
    left.write_bytes(b"half")
    Recovery(group, group.checkpoints(), Policies()).find(group.committed(), sweep=sweep)
    assert left.exists() is not sweep


# Torn commits


@pytest.mark.parametrize("torn", [(0,), (1,), (0, 2)])
def test_of_a_torn_commit_the_newest_checkpoint_wins_with_its_own_offsets(
    tmp_path: Path, torn: tuple[int, ...]
) -> None:
    group = group_of(tmp_path, 9, 9, 9)
    first = group.commit({0: 1, 1: 2, 2: 3})
    newest = group.commit({0: 4, 1: 2, 2: 6}, first, torn=torn)
    assert group.find() == restart(newest, {0: 4, 1: 2, 2: 6})


def test_a_torn_first_commit_goes_on_from_it(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9)
    newest = group.commit({0: 4, 1: 5}, torn=(1,))
    assert group.find() == restart(newest, {0: 4, 1: 5})


def test_torn_commits_that_follow_each_other_lie_in_one_lineage(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9, 9)
    pointer = group.commit({0: 1, 1: 1, 2: 1})
    pointer = group.commit({0: 2, 1: 2, 2: 2}, pointer, torn=(2,))
    pointer = group.commit({0: 3, 1: 3, 2: 3}, pointer, torn=(1, 2))
    pointer = group.commit({0: 4, 1: 4, 2: 4}, pointer, torn=(1, 2))
    assert group.find() == restart(pointer, {0: 4, 1: 4, 2: 4})


@pytest.mark.parametrize("level", [1, 2])
def test_row_33_a_commit_torn_just_after_a_partition_was_added_is_torn_and_not_lost(
    tmp_path: Path, level: int
) -> None:
    group = group_of(tmp_path, 9, 9, 9)
    pointer = group.commit({0: 1, 1: 1}, group.commit({0: 0, 1: 0}))
    for learned in range(level):
        torn = {0: 2, 1: 1, 2: 5 + learned}
        pointer = group.commit(torn, pointer, torn=(1, 2))
    assert group.find() == restart(pointer, {0: 2, 1: 1, 2: 4 + level})


# Partitions that were added


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_row_33_a_new_partition_is_read_from_its_start(tmp_path: Path, start: str) -> None:
    group = group_of(tmp_path, 9, 9)
    pointer = group.commit({0: 3, 1: 5})
    group.ends[2], group.firsts[2] = 4, 1
    assert group.find(start=start) == restart(pointer, {0: 3, 1: 5, 2: 1}, learned={0: 3, 1: 5})


def test_row_33_a_new_partition_with_an_offset_of_its_own_stops(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9)
    pointer = group.commit({0: 3})
    group.point(pointer, {1: 2})
    with pytest.raises(OffsetsLostError, match=r"partition 1: committed offset 2, .* not know"):
        group.find()


def test_a_partition_that_only_the_parent_knows_stops(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9)
    group.commit({0: 4}, group.commit({0: 3, 1: 2}))
    with pytest.raises(OffsetsLostError, match="partition 1: committed offset 2"):
        group.find()


def test_a_broker_that_does_not_tell_all_partitions_is_asked_again(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9, 9)
    group.commit({0: 3, 1: 3, 2: 3})
    del group.ends[2]
    with pytest.raises(KafkaUnreachableError, match=r"does not tell of partitions \[2\]"):
        group.find(on_reset="follow_kafka")


# What does not belong together


@pytest.mark.parametrize("metadata", ["", "somebody's", '{"key":"k"}'])
def test_row_35_offsets_without_a_pointer_stop(tmp_path: Path, metadata: str) -> None:
    group = group_of(tmp_path, 9, 9)
    group.commit({0: 3, 1: 3})
    group.offsets[1] = Committed(3, metadata)
    with pytest.raises(OffsetsLostError, match=r"partitions \[1\] .* without a checkpoint"):
        group.find()


def test_row_35_offsets_without_a_pointer_stop_even_where_the_store_is_empty(
    tmp_path: Path,
) -> None:
    group = group_of(tmp_path, 9)
    group.offsets[0] = Committed(3, "")
    with pytest.raises(OffsetsLostError, match="without a checkpoint") as caught:
        group.find()
    assert "learning.on_reset = 'fail'; set it to" in str(caught.value)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("offset", [0, 2, 4])
def test_row_35_an_offset_that_is_not_its_checkpoints_stops(tmp_path: Path, offset: int) -> None:
    group = group_of(tmp_path, 9, 9)
    pointer = group.commit({0: 3, 1: 5})
    group.point(pointer, {0: offset})
    with pytest.raises(OffsetsLostError, match=f"committed offset {offset}, .* goes on at 3"):
        group.find()


def test_row_35_an_offset_that_is_not_its_own_older_checkpoints_stops(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9)
    first = group.commit({0: 3, 1: 5})
    group.commit({0: 4, 1: 6}, first, torn=(1,))
    group.point(first, {1: 2})
    with pytest.raises(OffsetsLostError, match=r"partition 1: committed offset 2, .* at 5"):
        group.find()


def test_row_35_pointers_of_different_lineages_stop(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9)
    first = group.commit({0: 1, 1: 1})
    group.commit({0: 2, 1: 2}, first, torn=(1,))
    group.commit({0: 3, 1: 3}, torn=(0,))
    with pytest.raises(OffsetsLostError, match="different lineages"):
        group.find()


def test_row_35_pointers_of_one_epoch_but_different_checkpoints_stop(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9)
    first = group.commit({0: 1, 1: 1})
    group.commit({0: 2, 1: 2}, first, torn=(1,))
    group.commit({0: 2, 1: 2}, first, torn=(0,))
    with pytest.raises(OffsetsLostError, match="different lineages"):
        group.find()


def test_row_34_lost_offsets_stop_where_the_store_has_a_lineage(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9)
    group.commit({0: 7}, group.commit({0: 3}))
    group.offsets.clear()
    with pytest.raises(OffsetsLostError, match=r"no committed offsets, but the store holds"):
        group.find()


@pytest.mark.parametrize("keep", [1, 5])
def test_row_34_one_lost_offset_stops(tmp_path: Path, keep: int) -> None:
    group = group_of(tmp_path, 9, 9)
    # Of the second epoch, so that it is no commit that was torn at the very beginning.
    pointer = group.commit({0: 3, 1: 5}, group.commit({0: 1, 1: 1}))
    checkpoints = open_checkpoints(tmp_path, keep=keep)
    checkpoints.open()
    checkpoints.collect(pointer)
    del group.offsets[1]
    with pytest.raises(OffsetsLostError, match="partition 1: its committed offset is gone"):
        group.find()


def test_row_34_one_lost_offset_stops_behind_a_torn_commit_too(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9, 9, 9)
    pointer = group.commit({0: 1, 1: 1, 2: 1}, group.commit({0: 0, 1: 0, 2: 0}))
    group.commit({0: 2, 1: 2, 2: 2}, pointer, torn=(1,))
    del group.offsets[2]
    with pytest.raises(OffsetsLostError, match="partition 2: its committed offset is gone"):
        group.find()


def test_row_32_a_topic_that_was_made_anew_stops(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9)
    group.commit({0: 3})
    group.id = "id-2"
    with pytest.raises(OffsetsLostError, match="deleted and made anew"):
        group.find()


def test_row_32_a_topic_made_anew_with_fewer_partitions_stops_without_an_id(
    tmp_path: Path,
) -> None:
    group = group_of(tmp_path, 9, 9)
    group.id = None
    group.commit({0: 3, 1: 3})
    del group.ends[1]
    with pytest.raises(OffsetsLostError, match="deleted and made anew"):
        group.find()


@pytest.mark.parametrize(("before", "now"), [(None, "id-1"), ("id-1", None), (None, None)])
def test_row_32_a_topic_id_that_the_broker_cannot_tell_is_not_compared(
    tmp_path: Path, before: str | None, now: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    group = group_of(tmp_path, 9)
    group.id = before
    group.commit({0: 3})
    group.id = now
    with caplog.at_level(logging.INFO, "streamfit.recovery"):
        assert group.find().next_offsets == {0: 3}
    assert ("does not tell the topic's id" in caplog.text) == (now is None)


# Checkpoints that cannot be used, whatever the policies

EASY = {"on_reset": "follow_kafka", "on_gap": "skip", "on_damaged": "previous"}


def test_row_36_another_models_checkpoint_is_refused_whatever_the_policies(
    tmp_path: Path,
) -> None:
    group = group_of(tmp_path, 9)
    group.commit({0: 5}, group.commit({0: 3}))
    changed = open_checkpoints(tmp_path, settings={"model": {"steps": [{"use": "Other"}]}})
    with pytest.raises(CheckpointError, match=r"other settings \(model.steps\[0\].use\)") as caught:
        Recovery(group, changed, Policies(**EASY)).find(group.committed())
    assert not isinstance(caught.value, DamagedCheckpointError)


@pytest.mark.parametrize(("before", "now"), [("global", "0"), ("0", "global"), ("0", "1")])
def test_row_36_a_checkpoint_of_another_scope_is_refused_whatever_the_policies(
    tmp_path: Path, before: str, now: str
) -> None:
    group = Group(tmp_path, {0: 9}, scope=before)
    group.commit({0: 3})
    group.scope = now
    with pytest.raises(CheckpointError, match=r"not of group group, .*; set .*learning\.scope"):
        group.find(**EASY)


def test_row_36_a_checkpoint_of_another_group_is_refused_whatever_the_policies(
    tmp_path: Path,
) -> None:
    group = group_of(tmp_path, 9)
    group.commit({0: 3})
    other = open_checkpoints(tmp_path, group="other")
    with pytest.raises(CheckpointError, match=r"not of group other, .*; set input\.group"):
        Recovery(group, other, Policies(**EASY)).find(group.committed())


def test_row_49_a_newer_versions_checkpoint_is_refused_whatever_the_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = group_of(tmp_path, 9)
    first = group.commit({0: 3})
    with monkeypatch.context() as newer:
        newer.setattr("consumers.checkpoints.checkpoint.FORMAT", 2)
        group.commit({0: 5}, first)
    with pytest.raises(CheckpointError, match=r"format 2, this version reads 1; run") as caught:
        group.find(**EASY)
    assert not isinstance(caught.value, DamagedCheckpointError)


def test_row_37_a_store_that_cannot_be_read_is_told_as_it_is(tmp_path: Path) -> None:
    group = group_of(tmp_path, 9)
    path = group.path(group.commit({0: 3}, group.commit({0: 1})))
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        group.find(**EASY)
