"""Checkpoints in a store: names, loading by pointer, collecting the old ones."""

import re
from pathlib import Path

import pytest

from consumers.checkpoints.checkpoint import Content
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Checkpoints, Lineage, epoch_of
from consumers.errors import CheckpointError, DamagedCheckpointError
from tests.lineages import open_checkpoints

CONTENT = Content(b"a trained one", {"learner": b"{}"})


def save(checkpoints: Checkpoints, parent: Pointer | None = None) -> Pointer:
    lineage = Lineage(parent, parent.epoch if parent else 0)
    return checkpoints.save(CONTENT, {0: 5, 1: 7}, lineage, "topic-id")


def lineage(checkpoints: Checkpoints, length: int, parent: Pointer | None = None) -> list[Pointer]:
    """Save and commit one after the other."""
    pointers: list[Pointer] = []
    for _ in range(length):
        parent = save(checkpoints, parent)
        checkpoints.collect(parent)
        pointers.append(parent)
    return pointers


def test_a_saved_checkpoint_is_loaded_by_its_pointer(tmp_path: Path) -> None:
    first = save(open_checkpoints(tmp_path))
    pointer = open_checkpoints(tmp_path).save(CONTENT, {0: 9}, Lineage(first, 1), None)
    manifest, content = open_checkpoints(tmp_path).load(pointer)
    assert content == CONTENT
    assert manifest.parent == first
    assert (manifest.epoch, pointer.epoch) == (2, 2)
    assert manifest.offsets() == {0: 9}
    assert pointer.size == (tmp_path / pointer.key).stat().st_size


def test_names_tell_group_topic_scope_and_epoch_and_never_repeat(tmp_path: Path) -> None:
    checkpoints = open_checkpoints(tmp_path, group="g", topic="t", scope="global")
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
    checkpoints = open_checkpoints(root, group=group)
    pointer = save(checkpoints)
    path = root / pointer.key
    assert path.resolve().is_relative_to(root.resolve())
    assert len(path.relative_to(root).parts) == 4
    assert [child.name for child in tmp_path.iterdir()] == ["store"]
    assert open_checkpoints(root, group=group).open() == [pointer.key]
    assert open_checkpoints(root, group="other").open() == []


def test_different_groups_never_share_a_folder(tmp_path: Path) -> None:
    groups = ["..", "%2E%2E", "%252E%252E", "a/b", "a%2Fb", "a"]
    folders = {save(open_checkpoints(tmp_path, group=group)).key.split("/")[0] for group in groups}
    assert len(folders) == len(groups)


def test_row_36_a_missing_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    (tmp_path / pointer.key).unlink()
    with pytest.raises(DamagedCheckpointError, match=re.escape(pointer.key)) as caught:
        open_checkpoints(tmp_path).load(pointer)
    assert "mount the store that has it" in str(caught.value)


def test_row_36_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    path = tmp_path / pointer.key
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedCheckpointError, match="size, sha256 or epoch differ"):
        open_checkpoints(tmp_path).load(pointer)


def test_row_36_any_flipped_bit_is_refused(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    path = tmp_path / pointer.key
    data = path.read_bytes()
    for place in range(0, len(data), 7):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(DamagedCheckpointError, match="damaged"):
            open_checkpoints(tmp_path).load(pointer)


def test_row_36_the_checkpoint_of_another_epoch_under_the_same_name_is_refused(
    tmp_path: Path,
) -> None:
    one, other = lineage(open_checkpoints(tmp_path), 2)
    (tmp_path / one.key).write_bytes((tmp_path / other.key).read_bytes())
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        open_checkpoints(tmp_path).load(one)


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
    pointer = save(open_checkpoints(tmp_path, settings=written))
    with pytest.raises(CheckpointError, match=re.escape(f"other settings ({named});")) as caught:
        open_checkpoints(tmp_path, settings=settings).load(pointer)
    assert caught.value.exit_code == 5


def test_row_36_a_checkpoint_larger_than_allowed_is_not_read(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    small = open_checkpoints(tmp_path, max_bytes=pointer.size - 1)
    for read in (lambda: small.load(pointer), lambda: small.read(pointer.key)):
        with pytest.raises(CheckpointError, match=r"checkpoint\.max_bytes") as caught:
            read()
        assert not isinstance(caught.value, DamagedCheckpointError)
    open_checkpoints(tmp_path, max_bytes=pointer.size).load(pointer)


def test_row_36_a_file_larger_than_its_pointer_says_is_damaged_and_not_read(
    tmp_path: Path,
) -> None:
    pointer = save(open_checkpoints(tmp_path))
    with (tmp_path / pointer.key).open("ab") as file:
        file.truncate(10**7)
    with pytest.raises(DamagedCheckpointError, match="larger than its pointer says"):
        open_checkpoints(tmp_path, max_bytes=10**8).load(pointer)


def test_row_36_a_pointer_of_another_epoch_is_refused(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    other = Pointer(pointer.key, pointer.sha256, pointer.epoch + 1, pointer.size)
    with pytest.raises(DamagedCheckpointError, match="or epoch differ"):
        open_checkpoints(tmp_path).load(other)


def test_row_36_nothing_is_unpacked_before_its_sha256_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointer = save(open_checkpoints(tmp_path))
    (tmp_path / pointer.key).write_bytes(bytes(pointer.size))
    monkeypatch.delattr("consumers.checkpoints.checkpoint.unpack")
    with pytest.raises(DamagedCheckpointError, match="damaged"):
        open_checkpoints(tmp_path).load(pointer)


@pytest.mark.parametrize(
    "key",
    [
        "group/events/0/{name}",
        "group/other/global/{name}",
        "other/events/global/{name}",
        "group/events/global/../0/{name}",
        "group/events/global/more/{name}",
        "group/events/global/..",
        "group/events/global/README",
        "group/events/global/{name}\0",
        "/group/events/global/{name}",
        "{name}",
        "",
    ],
)
def test_row_36_a_name_that_leads_elsewhere_is_refused_and_never_opened(
    tmp_path: Path, key: str
) -> None:
    pointer = save(open_checkpoints(tmp_path))
    key = key.format(name=pointer.key.rpartition("/")[2])
    elsewhere = Pointer(key, pointer.sha256, pointer.epoch, pointer.size)
    checkpoints = open_checkpoints(tmp_path)
    for read in (lambda: checkpoints.load(elsewhere), lambda: checkpoints.read(key)):
        with pytest.raises(CheckpointError, match=r"not of group group, .*; set input\.group"):
            read()
    assert checkpoints.manifest(key) is None


def test_a_checkpoint_read_by_its_name_gives_the_pointer_that_names_it(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    found, manifest, content = open_checkpoints(tmp_path).read(pointer.key)
    assert (found, content) == (pointer, CONTENT)
    assert (manifest, content) == open_checkpoints(tmp_path).load(pointer)


def test_a_manifest_is_read_even_where_the_model_is_damaged(tmp_path: Path) -> None:
    checkpoints = open_checkpoints(tmp_path)
    pointer = save(checkpoints)
    manifest, _ = checkpoints.load(pointer)
    path = tmp_path / pointer.key
    path.write_bytes(path.read_bytes().replace(CONTENT.model, b"A TRAINED ONE"))
    with pytest.raises(DamagedCheckpointError):
        checkpoints.load(pointer)
    assert checkpoints.manifest(pointer.key) == manifest
    path.write_bytes(b"")
    assert checkpoints.manifest(pointer.key) is None
    path.unlink()
    assert checkpoints.manifest(pointer.key) is None


def test_an_epoch_is_above_all_that_were_committed_whichever_is_gone_back_to(
    tmp_path: Path,
) -> None:
    checkpoints = open_checkpoints(tmp_path)
    first = save(checkpoints)
    pointer = checkpoints.save(CONTENT, {0: 9}, Lineage(first, 7), None)
    assert pointer.epoch == 8
    assert checkpoints.load(pointer)[0].parent == first


def test_the_newest_epochs_are_kept_and_the_committed_one_among_them(tmp_path: Path) -> None:
    checkpoints = open_checkpoints(tmp_path, keep=3)
    pointers = lineage(checkpoints, 6)
    assert sorted(checkpoints.open()) == sorted(pointer.key for pointer in pointers[-3:])
    for pointer in pointers[-3:]:
        checkpoints.load(pointer)


def test_row_9_with_keep_1_the_committed_one_is_never_collected(tmp_path: Path) -> None:
    checkpoints = open_checkpoints(tmp_path, keep=1)
    (*_, committed) = lineage(checkpoints, 4)
    # Saved and not committed yet: the commit may still fail.
    orphan = save(checkpoints, committed)
    checkpoints.collect(committed)
    assert sorted(checkpoints.open()) == sorted([committed.key, orphan.key])
    checkpoints.load(committed)


def test_row_6_orphans_of_a_dead_writer_are_collected_later(tmp_path: Path) -> None:
    committed = lineage(open_checkpoints(tmp_path, keep=2), 3)[-1]
    orphans = [save(open_checkpoints(tmp_path, keep=2), committed) for _ in range(3)]
    restarted = open_checkpoints(tmp_path, keep=2)
    assert set(restarted.open()) >= {orphan.key for orphan in orphans}
    pointers = lineage(restarted, 2, committed)
    assert set(restarted.open()) >= {orphan.key for orphan in orphans}
    pointers += lineage(restarted, 1, pointers[-1])
    assert sorted(restarted.open()) == sorted(pointer.key for pointer in pointers[-2:])


def test_row_5_opening_sweeps_what_a_dead_writer_left_unfinished(tmp_path: Path) -> None:
    pointer = save(open_checkpoints(tmp_path))
    left = (tmp_path / pointer.key).parent / f".{'a' * 32}.tmp"
    left.write_bytes(b"half")
    assert open_checkpoints(tmp_path).open() == [pointer.key]
    assert not left.exists()


def test_strange_files_beside_the_checkpoints_are_left_alone(tmp_path: Path) -> None:
    checkpoints = open_checkpoints(tmp_path, keep=1)
    pointers = lineage(checkpoints, 1)
    folder = (tmp_path / pointers[0].key).parent
    notes = [folder.parent / "README", folder / "README", folder / "0000000001-copy"]
    for note in notes:
        note.write_text("do not delete")
    restarted = open_checkpoints(tmp_path, keep=1)
    assert restarted.open() == [pointers[0].key]
    lineage(restarted, 3, pointers[-1])
    assert all(note.exists() for note in notes)
