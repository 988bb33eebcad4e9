"""Where checkpoints are kept. A store knows names and bytes, nothing of what they mean."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from consumers.errors import CheckpointError, SettingsError

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")


class Store(Protocol):
    """Keeps immutable blobs under names with slashes.

    All methods block, and raise OSError if the store cannot be reached or refuses.
    """

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under a new name; when this returns, it survives a power cut."""

    def get(self, key: str) -> bytes:
        """Give back what is kept under a name.

        Raises
        ------
        CheckpointError
            If there is nothing under that name.
        """

    def keys(self, prefix: str) -> Iterator[str]:
        """Names below a prefix, in no order."""

    def delete(self, key: str) -> None:
        """Forget a name; no error if it is gone."""

    def sweep(self, prefix: str) -> None:
        """Remove what writers that died have left unfinished below a prefix."""


class LocalStore:
    """Keeps blobs as files below a folder.

    Parameters
    ----------
    root : Path
        The folder; made when something is first kept.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """Write to a temporary name, fsync, rename, fsync the folder."""
        path = self._root / key
        self._make(path.parent)
        temporary = path.parent / f".{uuid4().hex}.tmp"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _fsync_folder(path.parent)

    def get(self, key: str) -> bytes:
        """Read the file."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            raise CheckpointError(
                f"checkpoint {key}: not in {self._root}; mount the store that has it, "
                "or reset the group's offsets to begin anew"
            ) from None

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the files below the prefix, temporary ones left out."""
        for path in (self._root / prefix).rglob("*"):
            if path.is_file() and not _TEMPORARY.fullmatch(path.name):
                yield path.relative_to(self._root).as_posix()

    def delete(self, key: str) -> None:
        """Remove the file."""
        (self._root / key).unlink(missing_ok=True)

    def sweep(self, prefix: str) -> None:
        """Remove temporary files below the prefix."""
        for path in (self._root / prefix).rglob("*.tmp"):
            if _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)

    def _make(self, folder: Path) -> None:
        missing = [f for f in (folder, *folder.parents) if not f.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:  # a folder survives a power cut only once its parent is on disk
            _fsync_folder(made.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_store(address: str) -> Store:
    """Open the store that an address names.

    Raises
    ------
    SettingsError
        If nothing here can open such an address.
    """
    parts = urlsplit(address)
    if parts.scheme != "file":
        raise SettingsError(
            f"checkpoint.store = {address!r}: {parts.scheme}:// is not available yet; use file://"
        )
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise SettingsError(
            f"checkpoint.store = {address!r}: not an absolute path; write file:///folder"
        )
    return LocalStore(Path(unquote(parts.path)))
