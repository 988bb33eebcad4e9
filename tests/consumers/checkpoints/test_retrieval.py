"""What `on_damaged` makes of missing and damaged checkpoints."""

from pathlib import Path

import pytest

from consumers.errors import DamagedCheckpointError, OffsetsLostError
from tests.lineages import Group, restart

OFFSETS = {0: 7, 1: 2}


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path, {0: 9, 1: 9})


WAYS = ["damage", "ruin", "lose"]


@pytest.mark.parametrize("way", WAYS)
def test_row_36_a_damaged_checkpoint_stops_naming_the_ways_out(group: Group, way: str) -> None:
    pointer = group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    getattr(group, way)(pointer)
    with pytest.raises(DamagedCheckpointError, match=pointer.key) as caught:
        group.find(on_reset="follow_kafka")
    assert "streamfit models rollback" in str(caught.value)
    assert "learning.on_damaged" in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_row_36_the_one_before_a_damaged_checkpoint_goes_on_with_its_own_offsets(
    group: Group, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = group.commit({0: 3, 1: 0})
    pointer = group.commit(OFFSETS, before)
    getattr(group, way)(pointer)
    assert group.find(on_damaged="previous") == restart(before, {0: 3, 1: 0}, epoch=2)
    assert f"going back to {before.key}, 6 records are done again" in caplog.text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("other", WAYS)
def test_row_36_damaged_checkpoints_are_passed_over_until_a_whole_one_comes(
    group: Group, way: str, other: str
) -> None:
    whole = group.commit({0: 3, 1: 0})
    damaged = group.commit({0: 4, 1: 1}, whole)
    newest = group.commit(OFFSETS, damaged)
    getattr(group, way)(newest)
    getattr(group, other)(damaged)
    assert group.find(on_damaged="previous") == restart(whole, {0: 3, 1: 0}, epoch=3)


def test_row_36_the_parent_goes_before_an_orphan_where_the_manifest_still_tells_it(
    group: Group,
) -> None:
    first = group.commit({0: 1, 1: 0})
    parent = group.commit({0: 2, 1: 0}, first)
    group.save({0: 6, 1: 0}, first)
    newest = group.commit(OFFSETS, parent)
    group.damage(newest)
    assert group.find(on_damaged="previous").lineage.parent == parent


@pytest.mark.parametrize("way", WAYS)
def test_row_36_where_none_is_whole_it_stops_and_never_begins_anew(group: Group, way: str) -> None:
    first = group.commit({0: 3, 1: 0})
    newest = group.commit(OFFSETS, first)
    for pointer in (first, newest):
        getattr(group, way)(pointer)
    with pytest.raises(DamagedCheckpointError, match="no whole one before it"):
        group.find(on_damaged="previous", on_reset="follow_kafka")


@pytest.mark.parametrize("has_parent", [True, False])
def test_row_36_a_checkpoint_exchanged_for_another_whole_one_is_damaged(
    group: Group, *, has_parent: bool
) -> None:
    first = group.commit({0: 3, 1: 0})
    second = group.commit({0: 4, 1: 0}, first)
    other = group.save({0: 2, 1: 0}, first if has_parent else None)
    group.damage(group.commit(OFFSETS, second))
    group.path(second).write_bytes(group.path(other).read_bytes())
    assert group.find(on_damaged="previous") == restart(first, {0: 3, 1: 0}, epoch=3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first_torn", [True, False])
def test_row_36_a_damaged_checkpoint_whose_commit_was_torn_goes_back_too(
    group: Group, way: str, *, first_torn: bool
) -> None:
    before = group.commit({0: 3, 1: 0})
    newest = group.commit(OFFSETS, before, torn=(0,) if first_torn else (1,))
    getattr(group, way)(newest)
    assert group.find(on_damaged="previous") == restart(before, {0: 3, 1: 0}, epoch=2)


@pytest.mark.parametrize("way", WAYS)
def test_row_36_a_commit_torn_just_after_going_back_goes_on(group: Group, way: str) -> None:
    before = group.commit({0: 3, 1: 0}, group.commit({0: 1, 1: 0}))
    damaged = group.commit(OFFSETS, before)
    getattr(group, way)(damaged)
    lineage = group.find(on_damaged="previous").lineage
    offsets = {0: 8, 1: 4}
    after = group.checkpoints().save(restart(damaged, offsets).content, offsets, lineage, "id-1")  # type: ignore[arg-type] # it has content
    group.point(after, {0: 8})
    assert after.epoch == 4
    assert group.find() == restart(after, offsets)


def test_row_36_a_partition_added_since_the_one_before_is_read_from_its_start(
    group: Group,
) -> None:
    before = group.commit({0: 3})
    group.ruin(group.commit(OFFSETS, before))
    found = group.find(on_damaged="previous")
    assert found == restart(before, {0: 3, 1: 0}, learned={0: 3}, epoch=2)


def test_row_36_records_that_are_gone_when_going_back_are_a_gap(group: Group) -> None:
    before = group.commit({0: 3, 1: 0})
    group.lose(group.commit(OFFSETS, before))
    group.firsts[0] = 5
    with pytest.raises(OffsetsLostError, match="2 records lost"):
        group.find(on_damaged="previous")
    assert group.find(on_damaged="previous", on_gap="skip").skipped == {0: 2}


@pytest.mark.parametrize("way", ["damage", "ruin"])
@pytest.mark.parametrize("on_reset", ["follow_kafka", "follow_checkpoint"])
def test_row_36_a_damaged_checkpoint_of_the_store_is_never_followed(
    group: Group, way: str, on_reset: str
) -> None:
    whole = group.commit({0: 3, 1: 0}, group.commit({0: 1, 1: 0}))
    getattr(group, way)(group.commit(OFFSETS, whole))
    group.offsets.clear()
    with pytest.raises(DamagedCheckpointError, match="streamfit models rollback"):
        group.find(on_reset=on_reset)
    found = group.find(on_reset=on_reset, on_damaged="previous")
    assert (found.lineage.parent, found.lineage.epoch) == (whole, 3)


def test_row_36_a_store_of_nothing_but_damaged_checkpoints_stops(group: Group) -> None:
    first = group.commit({0: 1, 1: 0})
    for pointer in (first, group.commit(OFFSETS, first)):
        group.ruin(pointer)
    group.offsets.clear()
    with pytest.raises(DamagedCheckpointError, match="every checkpoint of group group"):
        group.find(on_reset="follow_kafka", on_damaged="previous")
