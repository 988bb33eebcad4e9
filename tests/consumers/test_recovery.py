"""Where to go on: committed offsets held against the checkpoints of a real local store."""

from pathlib import Path

import pytest

from consumers.checkpoint import Content
from consumers.errors import CheckpointError, OffsetsLostError
from consumers.pointer import Pointer
from consumers.recovery import Recovery, Restart
from consumers.source import Committed
from tests.fakes import Cluster, FakeSource, checkpoints_in


def find(cluster: Cluster, folder: Path, start: str = "earliest") -> Restart:
    source = FakeSource(cluster, [])
    source.own(cluster.log)
    return Recovery(source, checkpoints_in(folder), start).find()


def cluster_of(*lengths: int) -> Cluster:
    return Cluster(log={p: [b"x"] * length for p, length in enumerate(lengths)})


def commit(
    cluster: Cluster,
    folder: Path,
    offsets: dict[int, int],
    parent: Pointer | None = None,
    torn: tuple[int, ...] = (),
) -> Pointer:
    """Save a checkpoint and commit it, but not for the partitions named in `torn`."""
    content = Content(b"model %d" % sum(offsets.values()), {})
    pointer, _ = checkpoints_in(folder).save(content, offsets, parent, cluster.topic_id)
    for partition, offset in offsets.items():
        if partition not in torn:
            cluster.committed[partition] = Committed(offset, pointer.to_metadata())
    return pointer


@pytest.mark.parametrize(
    ("start", "offsets"), [("earliest", {0: 2, 1: 0}), ("latest", {0: 9, 1: 4})]
)
def test_a_new_group_begins_anew_where_start_says(
    tmp_path: Path, start: str, offsets: dict[int, int]
) -> None:
    cluster = cluster_of(9, 4)
    cluster.first = {0: 2}
    assert find(cluster, tmp_path, start) == Restart(None, None, offsets)


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_a_restart_goes_on_at_the_checkpoints_own_offsets(tmp_path: Path, start: str) -> None:
    cluster = cluster_of(9, 4)
    first = commit(cluster, tmp_path, {0: 3, 1: 0})
    pointer = commit(cluster, tmp_path, {0: 7, 1: 2}, first)
    assert find(cluster, tmp_path, start) == Restart(Content(b"model 9", {}), pointer, {0: 7, 1: 2})


def test_row_6_an_orphan_of_the_first_epoch_is_no_reason_to_stop(tmp_path: Path) -> None:
    cluster = cluster_of(9)
    commit(cluster, tmp_path, {0: 3}, torn=(0,))
    assert find(cluster, tmp_path).content is None


def test_row_6_an_orphan_is_never_used_while_a_pointer_exists(tmp_path: Path) -> None:
    cluster = cluster_of(9)
    pointer = commit(cluster, tmp_path, {0: 3})
    commit(cluster, tmp_path, {0: 8}, pointer, torn=(0,))
    assert find(cluster, tmp_path).parent == pointer
    assert find(cluster, tmp_path).next_offsets == {0: 3}


@pytest.mark.parametrize("metadata", ["", "somebody's", '{"key":"k"}'])
def test_row_35_offsets_without_a_pointer_stop(tmp_path: Path, metadata: str) -> None:
    cluster = cluster_of(9, 9)
    commit(cluster, tmp_path, {0: 3, 1: 3})
    cluster.committed[1] = Committed(3, metadata)
    with pytest.raises(OffsetsLostError, match=r"partitions \[1\] .* without a checkpoint"):
        find(cluster, tmp_path)


def test_row_35_offsets_without_a_pointer_stop_even_where_the_store_is_empty(
    tmp_path: Path,
) -> None:
    cluster = cluster_of(9)
    cluster.committed[0] = Committed(3, "")
    with pytest.raises(OffsetsLostError, match="without a checkpoint"):
        find(cluster, tmp_path)


@pytest.mark.parametrize("offset", [0, 2, 4])
def test_row_35_an_offset_that_is_not_its_checkpoints_stops(tmp_path: Path, offset: int) -> None:
    cluster = cluster_of(9, 9)
    pointer = commit(cluster, tmp_path, {0: 3, 1: 5})
    cluster.committed[0] = Committed(offset, pointer.to_metadata())
    with pytest.raises(OffsetsLostError, match=f"committed offset {offset}, .* goes on at 3"):
        find(cluster, tmp_path)


@pytest.mark.parametrize("torn", [(0,), (1,), (0, 2)])
def test_of_a_torn_commit_the_newest_checkpoint_wins_with_its_own_offsets(
    tmp_path: Path, torn: tuple[int, ...]
) -> None:
    cluster = cluster_of(9, 9, 9)
    first = commit(cluster, tmp_path, {0: 1, 1: 2, 2: 3})
    newest = commit(cluster, tmp_path, {0: 4, 1: 2, 2: 6}, first, torn=torn)
    found = find(cluster, tmp_path)
    assert found.parent == newest
    assert found.next_offsets == {0: 4, 1: 2, 2: 6}


def test_a_torn_first_commit_goes_on_from_it(tmp_path: Path) -> None:
    cluster = cluster_of(9, 9)
    newest = commit(cluster, tmp_path, {0: 4, 1: 5}, torn=(1,))
    found = find(cluster, tmp_path)
    assert (found.parent, found.next_offsets) == (newest, {0: 4, 1: 5})


def test_pointers_of_different_lineages_stop(tmp_path: Path) -> None:
    cluster = cluster_of(9, 9)
    first = commit(cluster, tmp_path, {0: 1, 1: 1})
    commit(cluster, tmp_path, {0: 2, 1: 2}, first, torn=(1,))
    stranger = commit(cluster, tmp_path, {0: 3, 1: 3}, torn=(0,))
    assert stranger.epoch == 1
    with pytest.raises(OffsetsLostError, match="different lineages"):
        find(cluster, tmp_path)


def test_pointers_of_the_same_epoch_but_different_checkpoints_stop(tmp_path: Path) -> None:
    cluster = cluster_of(9, 9)
    first = commit(cluster, tmp_path, {0: 1, 1: 1})
    commit(cluster, tmp_path, {0: 2, 1: 2}, first, torn=(1,))
    commit(cluster, tmp_path, {0: 2, 1: 2}, first, torn=(0,))
    with pytest.raises(OffsetsLostError, match="different lineages"):
        find(cluster, tmp_path)


def test_row_34_lost_offsets_stop_where_the_store_has_a_lineage(tmp_path: Path) -> None:
    cluster = cluster_of(9)
    commit(cluster, tmp_path, {0: 7}, commit(cluster, tmp_path, {0: 3}))
    cluster.committed.clear()
    with pytest.raises(OffsetsLostError, match=r"no committed offsets, but the store holds"):
        find(cluster, tmp_path)


def test_row_34_one_lost_offset_stops(tmp_path: Path) -> None:
    cluster = cluster_of(9, 9)
    # Of the second epoch, so that it is no commit that was torn at the very beginning.
    first = commit(cluster, tmp_path, {0: 1, 1: 1})
    commit(cluster, tmp_path, {0: 3, 1: 5}, first)
    del cluster.committed[1]
    with pytest.raises(OffsetsLostError, match="partition 1: its committed offset is gone"):
        find(cluster, tmp_path)


def test_row_32_a_topic_that_was_made_anew_stops(tmp_path: Path) -> None:
    cluster = cluster_of(9)
    commit(cluster, tmp_path, {0: 3})
    cluster.topic_id = "id-2"
    with pytest.raises(OffsetsLostError, match="deleted and made anew"):
        find(cluster, tmp_path)


@pytest.mark.parametrize(("before", "now"), [(None, "id-1"), ("id-1", None), (None, None)])
def test_a_topic_id_that_the_broker_cannot_tell_is_not_compared(
    tmp_path: Path, before: str | None, now: str | None
) -> None:
    cluster = cluster_of(9)
    cluster.topic_id = before
    commit(cluster, tmp_path, {0: 3})
    cluster.topic_id = now
    assert find(cluster, tmp_path).next_offsets == {0: 3}


@pytest.mark.parametrize("start", ["earliest", "latest"])
def test_row_33_a_new_partition_is_read_from_its_start(tmp_path: Path, start: str) -> None:
    cluster = cluster_of(9, 9)
    pointer = commit(cluster, tmp_path, {0: 3, 1: 5})
    cluster.log[2] = [b"x"] * 4
    cluster.first[2] = 1
    found = find(cluster, tmp_path, start)
    assert found.next_offsets == {0: 3, 1: 5, 2: 1}
    assert found.parent == pointer


def test_a_new_partition_with_an_offset_of_its_own_stops(tmp_path: Path) -> None:
    cluster = cluster_of(9, 9)
    pointer = commit(cluster, tmp_path, {0: 3})
    cluster.committed[1] = Committed(2, pointer.to_metadata())
    with pytest.raises(OffsetsLostError, match="partition 1: committed offset 2"):
        find(cluster, tmp_path)


def test_row_36_a_pointer_whose_checkpoint_is_gone_stops_and_never_begins_anew(
    tmp_path: Path,
) -> None:
    cluster = cluster_of(9)
    pointer = commit(cluster, tmp_path, {0: 3})
    (tmp_path / pointer.key).unlink()
    with pytest.raises(CheckpointError, match="not in"):
        find(cluster, tmp_path)


def test_row_37_a_store_that_cannot_be_read_is_a_clear_stop(tmp_path: Path) -> None:
    cluster = cluster_of(9)
    pointer = commit(cluster, tmp_path, {0: 3})
    path = tmp_path / pointer.key
    path.unlink()
    path.mkdir()
    with pytest.raises(CheckpointError, match=r"checkpoint\.store: cannot be read"):
        find(cluster, tmp_path)


def test_finding_changes_nothing(tmp_path: Path) -> None:
    cluster = cluster_of(9)
    commit(cluster, tmp_path, {0: 3})
    before = dict(cluster.committed), sorted(tmp_path.rglob("*"))
    assert find(cluster, tmp_path) == find(cluster, tmp_path)
    assert (dict(cluster.committed), sorted(tmp_path.rglob("*"))) == before
    assert cluster.journal == []
