"""Checkpoints in an object store, or on any other file system that fsspec knows.

How requests end in time is not decided here, but in `remote_files`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.core import strip_protocol

from consumers.checkpoints.remote_files import PATIENCE_S, RemoteFiles
from consumers.checkpoints.store_errors import masked, missing, refuse_larger, refused
from consumers.checkpoints.store_names import is_temporary, temporary_name

# Object stores, and the package that speaks to each.
_OBJECTS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
}


class _RemoteStore(ABC):
    """What is the same for objects and for files: reading, listing, deleting."""

    def __init__(
        self, address: str, reach: Callable[[str], None], *, objects: bool, patience_s: float
    ) -> None:
        self._place = masked(address)
        self._root = strip_protocol(address).rstrip("/")
        self._reach = reach
        self._files = RemoteFiles(address, objects=objects, patience_s=patience_s)

    def get(self, key: str, max_bytes: int) -> bytes:
        """Ask for the size, then for the bytes; no listing is asked."""
        path = self._path(key)
        try:
            size = self._size(path)
            refuse_larger(key, size, max_bytes)
            return bytes(self._files.call("cat_file", path, size=size))
        except FileNotFoundError:
            self._check_place()
            raise missing(key, self._place) from None

    def delete(self, key: str) -> None:
        """Remove the file or object."""
        with suppress(FileNotFoundError):
            self._files.call("rm_file", self._path(key))

    @abstractmethod
    def _check_place(self) -> None:
        """Raise OSError if not the name is missing but the place where it should be."""

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _size(self, path: str) -> int:
        found = self._files.call("info", path)
        if found["type"] != "file":  # names that go on below this one make it look like a folder
            raise FileNotFoundError(path)
        if found["size"] is None:
            raise OSError(f"{self._place}: tells no sizes; choose another checkpoint.store")
        return int(found["size"])

    def _names(self, prefix: str, **options: Any) -> list[str]:
        """List all names below a prefix."""
        try:
            paths: list[str] = self._files.call("find", self._path(prefix), **options)
        except FileNotFoundError:
            paths = []
        below, root = self._path(prefix).strip("/") + "/", self._root.strip("/")
        found = (path.lstrip("/") for path in paths)
        # An object whose name ends with a slash is a folder that another program has drawn.
        return [
            path.removeprefix(root).lstrip("/")
            for path in found
            if path.startswith(below) and not path.endswith("/")
        ]


class ObjectStore(_RemoteStore):
    """Keeps blobs as objects: one request makes one, and it is there whole or not at all.

    Parameters
    ----------
    address : str
        Such as `s3://bucket/folder`.
    reach : callable
        Called with "saving" in the middle of each `put`.
    patience_s : float
        How long one request may take, in seconds; large blobs get more.
    """

    def __init__(
        self, address: str, reach: Callable[[str], None], patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(address, reach, objects=True, patience_s=patience_s)

    def put(self, key: str, data: bytes) -> None:
        """Send the object, in one piece unless the client finds it too large for that."""
        self._reach("saving")
        self._files.call("pipe_file", self._path(key), data, size=len(data))

    def keys(self, prefix: str) -> Iterator[str]:
        """List the objects; an empty list is believed only of a bucket that exists."""
        names = self._names(prefix)
        if not names:
            self._check_place()
        return iter(names)

    def sweep(self, prefix: str) -> None:
        """Do nothing: what was not sent to its end is not there."""

    def _check_place(self) -> None:
        try:
            self._files.call("info", self._root.partition("/")[0])
        except FileNotFoundError:
            raise OSError(
                f"{self._place}: no such bucket; create it, or correct checkpoint.store"
            ) from None
        except PermissionError:
            pass  # the right to ask about the bucket is not needed for anything else


class FileStore(_RemoteStore):
    """Keeps blobs as files of a remote file system: written under another name, then moved.

    Parameters
    ----------
    address : str
        Such as `sftp://host/folder`.
    reach : callable
        Called with "saving" in the middle of each `put`.
    patience_s : float
        How long one request may take, in seconds; large blobs get more.
    """

    def __init__(
        self, address: str, reach: Callable[[str], None], patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(address, reach, objects=False, patience_s=patience_s)

    def put(self, key: str, data: bytes) -> None:
        """Write to a temporary name, then move; when it is on disk is the server's affair."""
        path = self._path(key)
        folder = path.rpartition("/")[0]
        temporary = f"{folder}/{temporary_name()}"
        self._files.call("makedirs", folder, exist_ok=True)
        try:
            self._files.call("pipe_file", temporary, data, size=len(data))
            self._reach("saving")
            self._files.move(temporary, path)
        except OSError:
            with suppress(OSError):  # the next start sweeps what is left
                self._files.call("rm_file", temporary)
            raise

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the files below the prefix, temporary ones left out."""
        names = self._names(prefix, on_error="raise")
        return (name for name in names if not is_temporary(name))

    def sweep(self, prefix: str) -> None:
        """Remove temporary files below the prefix."""
        for name in filter(is_temporary, self._names(prefix, on_error="raise")):
            self.delete(name)

    def _check_place(self) -> None:
        """Do nothing: the folder is made when something is first kept."""


def open_remote(address: str, reach: Callable[[str], None]) -> ObjectStore | FileStore:
    """Open the store that an address of fsspec names; nothing is connected yet.

    Raises
    ------
    SettingsError
        If fsspec does not know such an address, or the package for it is not installed.
    """
    protocol = urlsplit(address).scheme
    if "://" not in address or "::" in address:
        raise refused(address, "not the address of one store; write s3://bucket/folder")
    try:
        fsspec.get_filesystem_class(protocol)
    except ImportError as error:
        package = _OBJECTS.get(protocol)
        mend = f"pip install {package}" if package else "install it"
        raise refused(address, f"{error}; {mend}") from None
    except ValueError:
        known = "file://, s3://, gs:// or az://"
        raise refused(address, f"{protocol}:// is not known; use {known}") from None
    if protocol not in _OBJECTS:
        return FileStore(address, reach)
    if not strip_protocol(address).strip("/"):
        raise refused(address, f"names no bucket; write {protocol}://bucket/folder")
    return ObjectStore(address, reach)
