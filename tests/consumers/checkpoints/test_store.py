"""The local store: what a crash or a full disk leaves behind; and addresses. See the contract."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from consumers.checkpoints.store import LocalStore, open_store
from consumers.errors import CheckpointError, SettingsError


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
        LocalStore(root).get("g/1", 10)
    with pytest.raises(OSError, match="file"):
        LocalStore(root).put("g/1", b"")


def test_a_folder_that_is_not_there_holds_nothing_but_one_in_a_file_is_an_os_error(
    tmp_path: Path,
) -> None:
    root = tmp_path / "file"
    assert list(LocalStore(root).keys("g")) == []
    LocalStore(root).sweep("g")
    root.write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        list(LocalStore(root).keys("g"))
    with pytest.raises(NotADirectoryError):
        LocalStore(root).sweep("g")


@pytest.mark.parametrize("hidden", ["", "g", "g/t"])
def test_a_folder_that_may_not_be_read_is_an_os_error_and_not_an_empty_store(hidden: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        store = LocalStore(root)
        store.put("g/t/1", b"x")
        (root / hidden).chmod(0)
        try:
            with _without_roots_rights():
                with pytest.raises(PermissionError):
                    list(store.keys("g"))
                with pytest.raises(PermissionError):
                    store.sweep("g")
        finally:
            (root / hidden).chmod(0o755)
        assert list(store.keys("g")) == ["g/t/1"]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE])
def test_a_folder_that_fails_while_it_is_listed_is_an_os_error_and_not_an_empty_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = LocalStore(tmp_path)
    store.put("g/1", b"x")

    def fail(_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fail)
        with pytest.raises(OSError, match=os.strerror(code)):
            list(store.keys("g"))


def test_row_37_a_blob_that_finds_no_room_leaves_nothing_and_raises(tmp_path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from consumers.checkpoints.store import LocalStore
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
store = LocalStore(Path(sys.argv[1]))
store.put("g/small", bytes(1000))
try:
    store.put("g/large", bytes(1001))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{os.strerror(errno.EFBIG)}\n"
    assert [path.name for path in (tmp_path / "g").iterdir()] == ["small"]


def test_row_37_a_folder_that_may_only_be_read_gives_what_it_has_and_takes_nothing() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        store = LocalStore(root)
        store.put("g/1", b"x")
        (root / "g").chmod(0o555)
        root.chmod(0o555)
        with _without_roots_rights():
            for key in ("g/2", "new/folder/3"):
                with pytest.raises(PermissionError):
                    store.put(key, b"x")
            with pytest.raises(PermissionError):
                store.delete("g/1")
            assert store.get("g/1", 10) == b"x"
            assert list(store.keys("g")) == ["g/1"]
        (root / "g").chmod(0o755)
        root.chmod(0o755)


@contextmanager
def _without_roots_rights() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_row_36_a_file_of_10_gb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    with (tmp_path / "g" / "huge").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(CheckpointError, match=r"g/huge: 10737418240 bytes.*checkpoint\.max_bytes"):
        LocalStore(tmp_path).get("g/huge", 100_000_000)


@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO])
def test_row_38_a_stale_handle_is_an_os_error_not_a_missing_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    store = LocalStore(tmp_path)
    store.put("g/1", b"x")

    def stale(_: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr("consumers.checkpoints.store.os.fstat", stale)
        with pytest.raises(OSError, match=os.strerror(code)):
            store.get("g/1", 10)


def test_row_38_a_clock_that_went_wrong_changes_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for key, second in (("g/1", 4_000_000_000), ("g/2", 0), ("g/3", 1_700_000_000)):
        store.put(key, key.encode())
        os.utime(tmp_path / key, (second, second))
    store.sweep("g")
    assert sorted(store.keys("g")) == ["g/1", "g/2", "g/3"]
    assert store.get("g/2", 10) == b"g/2"


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("file://host/x", "not an absolute path; write file:///folder"),
        ("file://relative", "not an absolute path; write file:///folder"),
        ("/var/lib/streamfit", "a folder is written file:///folder"),
        ("local:///folder", "a folder is written file:///folder"),
        ("s3://", "names no bucket; write s3://bucket/folder"),
        ("s3:bucket", "not the address of one store; write s3://bucket/folder"),
        ("simplecache::s3://b/x", "not the address of one store; write s3://bucket/folder"),
        ("xyz://b/x", "xyz:// is not known; use file://, s3://, gs:// or az://"),
    ],
)
def test_an_address_that_nothing_opens_is_a_mistake_in_the_settings(
    address: str, text: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(address)
    assert str(caught.value) == f"checkpoint.store = {address!r}: {text}"


@pytest.mark.parametrize(
    ("address", "package", "text"),
    [
        ("s3://bucket/x", "s3fs", "Install s3fs to access S3; pip install s3fs"),
        (
            "gs://bucket/x",
            "gcsfs",
            "Please install gcsfs to access Google Storage; pip install gcsfs",
        ),
        (
            "sftp://host/x",
            "paramiko",
            'SFTPFileSystem requires "paramiko" to be installed; install it',
        ),
    ],
)
def test_a_package_that_is_not_installed_is_named_with_how_to_get_it(
    address: str, package: str, text: str
) -> None:
    program = """
import sys
sys.modules[sys.argv[2]] = None
from consumers.errors import SettingsError
from consumers.checkpoints.store import open_store
try:
    open_store(sys.argv[1])
except SettingsError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, address, package],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"checkpoint.store = {address!r}: {text}\n"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("xyz://ann:secret@host/x", "xyz://ann:***@host/x"),
        ("xyz://ann:sec/r@et@host/x", "xyz://ann:***@host/x"),
        ("xyz://:secret@host/x", "xyz://:***@host/x"),
        ("xyz://box/x?sig=secret", "xyz://box/x?***"),
        ("file://ann:secret@host/x", "file://ann:***@host/x"),
    ],
)
def test_an_error_does_not_tell_the_password_of_an_address(address: str, shown: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_store(address)
    assert str(caught.value).startswith(f"checkpoint.store = {shown!r}: ")


def test_file_addresses_name_a_folder(tmp_path: Path) -> None:
    open_store(f"file://{tmp_path}/a%20b").put("k", b"x")
    open_store(f"file://localhost{tmp_path}/c").put("k", b"x")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a b", "c"]
