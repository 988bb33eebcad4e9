"""Checkpoints in a store: names, loading by pointer, collecting the old ones."""

import re
from pathlib import Path

import pytest

from consumers.checkpoint import Content
from consumers.checkpoints import Checkpoints, epoch_of
from consumers.errors import CheckpointError
from consumers.pointer import Pointer
from tests.fakes import checkpoints_in

CONTENT = Content(b"model", {"learner": b"{}"})


def save(checkpoints: Checkpoints, parent: Pointer | None = None) -> Pointer:
    pointer, _ = checkpoints.save(CONTENT, {0: 5, 1: 7}, parent, "topic-id")
    return pointer


def lineage(checkpoints: Checkpoints, length: int, parent: Pointer | None = None) -> list[Pointer]:
    """Save and commit one after the other."""
    pointers: list[Pointer] = []
    for _ in range(length):
        parent = save(checkpoints, parent)
        checkpoints.collect(parent)
        pointers.append(parent)
    return pointers


def test_a_saved_checkpoint_is_loaded_by_its_pointer(tmp_path: Path) -> None:
    first = save(checkpoints_in(tmp_path))
    pointer, size = checkpoints_in(tmp_path).save(CONTENT, {0: 9}, first, None)
    manifest, content = checkpoints_in(tmp_path).load(pointer)
    assert content == CONTENT
    assert manifest.parent == first
    assert (manifest.epoch, pointer.epoch) == (2, 2)
    assert manifest.offsets() == {0: 9}
    assert size == (tmp_path / pointer.key).stat().st_size


def test_names_tell_group_topic_scope_and_epoch_and_never_repeat(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path, group="g", topic="t", scope="global")
    one, other = save(checkpoints), save(checkpoints)
    assert re.fullmatch(r"g/t/global/0000000001-[0-9a-f-]{36}", one.key)
    assert one.key != other.key
    assert epoch_of(one.key) == 1


@pytest.mark.parametrize(
    ("key", "epoch"), [("g/t/s/0000000042-x", 42), ("g/t/s/x", 0), ("", 0), ("7", 7), ("-3", 0)]
)
def test_the_epoch_is_told_by_the_name(key: str, epoch: int) -> None:
    assert epoch_of(key) == epoch


@pytest.mark.parametrize("group", ["../x", "..", ".", "a/b", "/abs", "...", "a\0b", "%2E%2E", "é"])
def test_no_groups_name_leads_out_of_its_own_folder(tmp_path: Path, group: str) -> None:
    root = tmp_path / "store"
    checkpoints = checkpoints_in(root, group=group)
    pointer = save(checkpoints)
    path = root / pointer.key
    assert path.resolve().is_relative_to(root.resolve())
    assert len(path.relative_to(root).parts) == 4
    assert [child.name for child in tmp_path.iterdir()] == ["store"]
    assert checkpoints_in(root, group=group).open() == [pointer.key]
    assert checkpoints_in(root, group="other").open() == []


def test_different_groups_never_share_a_folder(tmp_path: Path) -> None:
    groups = ["..", "%2E%2E", "%252E%252E", "a/b", "a%2Fb", "a"]
    folders = {save(checkpoints_in(tmp_path, group=group)).key.split("/")[0] for group in groups}
    assert len(folders) == len(groups)


def test_row_36_a_missing_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    pointer = save(checkpoints_in(tmp_path))
    (tmp_path / pointer.key).unlink()
    with pytest.raises(CheckpointError, match=re.escape(pointer.key)):
        checkpoints_in(tmp_path).load(pointer)


def test_row_36_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    pointer = save(checkpoints_in(tmp_path))
    path = tmp_path / pointer.key
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="sha256 differs from the pointer's"):
        checkpoints_in(tmp_path).load(pointer)


def test_row_36_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    pointer = save(checkpoints_in(tmp_path))
    path = tmp_path / pointer.key
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(CheckpointError, match="damaged"):
            checkpoints_in(tmp_path).load(pointer)


def test_row_36_the_checkpoint_of_another_epoch_under_the_same_name_is_refused(
    tmp_path: Path,
) -> None:
    one, other = lineage(checkpoints_in(tmp_path), 2)
    (tmp_path / one.key).write_bytes((tmp_path / other.key).read_bytes())
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoints_in(tmp_path).load(one)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"schema": {"classes": [0, 2]}, "model": {"steps": [{"use": "A"}]}}, "schema.classes[1]"),
        ({"schema": {"classes": [0]}, "model": {"steps": [{"use": "A"}]}}, "schema.classes"),
        ({"schema": {"classes": [0, 1]}, "model": {"steps": [{"use": "B"}]}}, "model.steps[0].use"),
        (
            {"schema": {"classes": [0, 1]}, "model": {"steps": [{"use": "A", "eta0": 1}]}},
            "model.steps[0].eta0",
        ),
        ({"schema": {"classes": [0, 2]}, "model": {}}, "model.steps, schema.classes[1]"),
    ],
)
def test_row_36_another_models_checkpoint_is_refused_naming_the_keys_that_differ(
    tmp_path: Path, settings: dict[str, object], named: str
) -> None:
    written = {"schema": {"classes": [0, 1]}, "model": {"steps": [{"use": "A"}]}}
    pointer = save(checkpoints_in(tmp_path, settings=written))
    with pytest.raises(CheckpointError, match=re.escape(f"other settings ({named});")) as caught:
        checkpoints_in(tmp_path, settings=settings).load(pointer)
    assert caught.value.exit_code == 5


def test_the_newest_epochs_are_kept_and_the_committed_one_among_them(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path, keep=3)
    pointers = lineage(checkpoints, 6)
    assert sorted(checkpoints.open()) == sorted(pointer.key for pointer in pointers[-3:])
    for pointer in pointers[-3:]:
        checkpoints.load(pointer)


def test_row_9_with_keep_1_the_committed_one_is_never_collected(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path, keep=1)
    (*_, committed) = lineage(checkpoints, 4)
    # Saved and not committed yet: the commit may still fail.
    orphan = save(checkpoints, committed)
    checkpoints.collect(committed)
    assert sorted(checkpoints.open()) == sorted([committed.key, orphan.key])
    checkpoints.load(committed)


def test_row_6_orphans_of_a_dead_writer_are_collected_later(tmp_path: Path) -> None:
    committed = lineage(checkpoints_in(tmp_path, keep=2), 3)[-1]
    orphans = [save(checkpoints_in(tmp_path, keep=2), committed) for _ in range(3)]
    restarted = checkpoints_in(tmp_path, keep=2)
    assert set(restarted.open()) >= {orphan.key for orphan in orphans}
    pointers = lineage(restarted, 2, committed)
    assert set(restarted.open()) >= {orphan.key for orphan in orphans}
    pointers += lineage(restarted, 1, pointers[-1])
    assert sorted(restarted.open()) == sorted(pointer.key for pointer in pointers[-2:])


def test_row_5_opening_sweeps_what_a_dead_writer_left_unfinished(tmp_path: Path) -> None:
    pointer = save(checkpoints_in(tmp_path))
    left = (tmp_path / pointer.key).parent / f".{'a' * 32}.tmp"
    left.write_bytes(b"half")
    assert checkpoints_in(tmp_path).open() == [pointer.key]
    assert not left.exists()


def test_strange_files_beside_the_checkpoints_are_left_alone(tmp_path: Path) -> None:
    checkpoints = checkpoints_in(tmp_path, keep=1)
    pointers = lineage(checkpoints, 1)
    note = (tmp_path / pointers[0].key).parent.parent / "README"
    note.write_text("do not delete")
    restarted = checkpoints_in(tmp_path, keep=1)
    restarted.open()
    lineage(restarted, 3, pointers[-1])
    assert note.exists()
