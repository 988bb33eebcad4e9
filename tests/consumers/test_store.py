"""The local store: what a crash or a full disk leaves behind; and addresses. See the contract."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from consumers.errors import SettingsError
from consumers.store import LocalStore, open_store


def test_row_5_a_temporary_file_of_a_dead_writer_is_no_checkpoint_and_is_swept(
    tmp_path: Path,
) -> None:
    store = LocalStore(tmp_path)
    store.put("g/t/1", b"x")
    left = tmp_path / "g" / "t" / f".{'0' * 32}.tmp"
    other = tmp_path / "g2" / f".{'0' * 32}.tmp"
    other.parent.mkdir()
    for path in (left, other):
        path.write_bytes(b"half")
    assert list(store.keys("g")) == ["g/t/1"]
    store.sweep("g")
    assert not left.exists()
    assert other.exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_row_37_a_put_that_fails_leaves_nothing_and_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    store = LocalStore(tmp_path)
    store.put("g/0", b"before")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(code)):
        store.put("g/1", b"x")
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "g").iterdir()] == ["0"]


def test_a_put_is_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        calls.append(f"fsync {kind}")
        fsync(descriptor)

    def noted_rename(self: Path, target: Any) -> Path:
        calls.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    LocalStore(tmp_path).put("1", b"x")
    assert calls == ["fsync file", "rename", "fsync folder"]
    LocalStore(tmp_path).put("new/folder/2", b"x")
    # Each folder that was made survives only once the one above it is on disk.
    assert calls[3:] == ["fsync folder"] * 2 + ["fsync file", "rename", "fsync folder"]


def test_a_root_that_is_a_file_is_an_os_error_not_a_missing_checkpoint(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        LocalStore(root).get("g/1")
    with pytest.raises(OSError, match="file"):
        LocalStore(root).put("g/1", b"")


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("s3://bucket/x", "s3:// is not available yet"),
        ("file://host/x", "not an absolute path"),
        ("file://relative", "not an absolute path"),
        ("memory://x", "memory:// is not available yet"),
    ],
)
def test_an_address_that_nothing_opens_is_a_mistake_in_the_settings(
    address: str, text: str
) -> None:
    with pytest.raises(SettingsError, match=text) as caught:
        open_store(address)
    assert str(caught.value).startswith(f"checkpoint.store = {address!r}: ")


def test_file_addresses_name_a_folder(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/a%20b").put("k", b"x")
    open_store(f"file://localhost{tmp_path}/c").put("k", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b", "c"]
