"""The lineage of a checkpoint, and whole histories of commits, torn at random."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.checkpoints.lineage import Ancestry
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Lineage
from tests.lineages import Group, MemoryStore, model_of, restart


def line_of(group: Group, length: int) -> list[Pointer]:
    """Commit one after the other, the oldest first."""
    pointers: list[Pointer] = []
    for learned in range(length):
        pointers.append(group.commit({0: learned}, pointers[-1] if pointers else None))
    return pointers


def ancestry_of(group: Group, *line: Pointer) -> Ancestry:
    return Ancestry(group.checkpoints(), line, {})


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path, {0: 9})


def test_a_lineage_has_all_its_checkpoints_as_far_as_manifests_tell(group: Group) -> None:
    pointers = line_of(group, 5)
    group.lose(pointers[1])
    ancestry = ancestry_of(group, pointers[-1])
    assert [ancestry.has(pointer) for pointer in pointers] == [False, True, True, True, True]


def test_a_damaged_model_does_not_end_a_lineage_while_its_manifest_is_whole(group: Group) -> None:
    pointers = line_of(group, 3)
    group.damage(pointers[1])
    assert ancestry_of(group, pointers[-1]).has(pointers[0])


def test_another_checkpoint_of_the_same_epoch_is_no_ancestor(group: Group) -> None:
    pointers = line_of(group, 3)
    stranger = group.save({0: 1}, pointers[0])
    ancestry = ancestry_of(group, pointers[-1])
    assert (stranger.epoch, ancestry.has(stranger)) == (2, False)
    assert ancestry.has(pointers[1])


def test_what_a_start_went_back_over_was_left_behind_by_the_lineage(group: Group) -> None:
    pointers = line_of(group, 3)
    lineage = Lineage(pointers[0], 3)
    after = group.checkpoints().save(model_of({0: 5}), {0: 5}, lineage, None)
    ancestry = ancestry_of(group, after)
    assert all(ancestry.has(pointer) for pointer in pointers)
    assert not ancestry.has(Pointer("group/events/global/x", "sha", after.epoch, 1))
    assert not ancestry.has(Pointer("group/events/global/x", "sha", pointers[0].epoch, 1))


def test_nothing_is_read_while_all_pointers_are_the_newest() -> None:
    group = Group(MemoryStore(), {0: 9})
    newest = line_of(group, 3)[-1]
    ancestry = ancestry_of(group, newest)
    assert isinstance(group.store, MemoryStore)
    group.store.kept.clear()
    assert ancestry.has(newest)
    assert ancestry.end == newest


def test_a_parent_that_is_no_older_than_its_child_ends_a_lineage(group: Group) -> None:
    first, second = line_of(group, 2)
    strange = group.checkpoints().save(model_of({0: 2}), {0: 2}, Lineage(second, 1), None)
    assert strange.epoch == second.epoch
    ancestry = ancestry_of(group, strange)
    assert not ancestry.has(first)
    assert ancestry.end == strange


@pytest.mark.parametrize(
    ("known", "had"),
    [
        ([{0: 1}, {0: 1}], False),  # nobody knows it
        ([{0: 1}, {0: 1, 1: 1}], False),  # added just before the newest
        ([{0: 1, 1: 1}, {0: 1, 1: 1}], True),
        ([{0: 1, 1: 1}], False),  # the first commit of all
    ],
)
def test_two_checkpoints_that_know_a_partition_show_that_it_had_an_offset(
    group: Group,
    known: list[dict[int, int]],
    had: bool,  # noqa: FBT001 - a column of the table
) -> None:
    pointer: Pointer | None = None
    for offsets in known:
        pointer = group.commit(offsets, pointer)
    assert pointer is not None
    assert ancestry_of(group, pointer).had_offset(1, pointer.epoch) is had


def test_a_collected_parent_shows_that_a_commit_was_complete(group: Group) -> None:
    first = group.commit({0: 1, 1: 1})
    newest = group.commit({0: 2, 1: 2}, first)
    group.lose(first)
    assert ancestry_of(group, newest).had_offset(1, 2)
    assert not ancestry_of(group, newest).had_offset(2, 2)


@given(data=st.data(), keep=st.integers(1, 5))
def test_whatever_commits_are_torn_a_start_goes_on_at_the_newest_checkpoint(
    data: st.DataObject, keep: int
) -> None:
    group = Group(MemoryStore(), dict.fromkeys(range(data.draw(st.integers(1, 3))), 100), keep=keep)
    newest: Pointer | None = None
    of_newest: dict[int, int] = {}
    for _ in range(data.draw(st.integers(1, 10))):
        if data.draw(st.integers(0, 5)) == 0:
            group.ends[len(group.ends)] = 100
        found = group.find()
        offsets = {p: of_newest.get(p, 0) for p in group.ends}
        assert found == restart(newest, offsets, learned=of_newest)

        learned = {p: offset + data.draw(st.integers(0, 3)) for p, offset in offsets.items()}
        checkpoints = group.checkpoints()
        checkpoints.open()
        pointer = checkpoints.save(model_of(learned), learned, found.lineage, group.id)
        stored = data.draw(st.sets(st.sampled_from(sorted(learned))))
        # Without this a partition whose first two commits were torn looks like a lost offset.
        stored |= {p for p in of_newest if p not in group.offsets}
        group.point(pointer, {p: learned[p] for p in stored})
        if stored:
            newest, of_newest = pointer, learned
        if stored == learned.keys():
            checkpoints.collect(pointer)
