"""Where checkpoints are kept: the contract, a local folder, and which address opens what.

A store knows names and bytes, nothing of what they mean.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from consumers.checkpoints.object_store import open_remote
from consumers.checkpoints.store_errors import missing, refuse_larger, refused
from consumers.checkpoints.store_names import is_temporary, temporary_name

Reach = Callable[[str], None]  # is told the name of the point that the program has come to


class Store(Protocol):
    """Keeps immutable blobs under names with slashes.

    All methods block, those of remote stores under a deadline, and raise OSError, with a text of
    one line, if the store cannot be reached or refuses. They may be called from several threads.
    Nothing that a store tells depends on a clock: names carry their own order.
    """

    def put(self, key: str, data: bytes) -> None:
        """Keep `data` under a new name; when this returns, it survives a power cut.

        Until then nothing is seen under the name, however this ends.
        """

    def get(self, key: str, max_bytes: int) -> bytes:
        """Give back what is kept under a name, whether `keys` shows it already or not.

        Parameters
        ----------
        key : str
            The name.
        max_bytes : int
            The size is looked at first; nothing is read of what is larger.

        Raises
        ------
        CheckpointError
            If there is nothing under that name, or more than `max_bytes`.
        """

    def keys(self, prefix: str) -> Iterator[str]:
        """Names below a prefix, in no order; some stores show a new name late."""

    def delete(self, key: str) -> None:
        """Forget a name; no error if it is gone."""

    def sweep(self, prefix: str) -> None:
        """Remove what writers that died have left unfinished below a prefix."""


def _go_on(_: str) -> None:
    """Do nothing at a point that the program has come to."""


class LocalStore:
    """Keeps blobs as files below a folder.

    Parameters
    ----------
    root : Path
        The folder; made when something is first kept.
    reach : callable
        Called with "saving" in the middle of each `put`.
    """

    def __init__(self, root: Path, reach: Reach = _go_on) -> None:
        self._root = root
        self._reach = reach

    def put(self, key: str, data: bytes) -> None:
        """Write to a temporary name, fsync, rename, fsync the folder."""
        path = self._root / key
        self._make(path.parent)
        temporary = path.parent / temporary_name()
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            self._reach("saving")
            temporary.rename(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        _fsync_folder(path.parent)

    def get(self, key: str, max_bytes: int) -> bytes:
        """Read the file, as far as it went when it was opened."""
        try:
            with (self._root / key).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                refuse_larger(key, size, max_bytes)
                return file.read(size)
        except FileNotFoundError:
            raise missing(key, str(self._root)) from None

    def keys(self, prefix: str) -> Iterator[str]:
        """Walk the files below the prefix, temporary ones left out."""
        for path in self._files(prefix):
            if not is_temporary(path.name):
                yield path.relative_to(self._root).as_posix()

    def delete(self, key: str) -> None:
        """Remove the file."""
        (self._root / key).unlink(missing_ok=True)

    def sweep(self, prefix: str) -> None:
        """Remove temporary files below the prefix."""
        for path in self._files(prefix):
            if is_temporary(path.name):
                path.unlink(missing_ok=True)

    def _files(self, prefix: str) -> Iterator[Path]:
        """Walk the files below a prefix; only where nothing was ever kept there are none."""
        folder = self._root / prefix
        try:
            is_folder = stat.S_ISDIR(folder.stat().st_mode)
        except FileNotFoundError:
            return
        if is_folder:
            yield from _files_below(folder)

    def _make(self, folder: Path) -> None:
        absent = [f for f in (folder, *folder.parents) if not f.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for made in absent:  # a folder survives a power cut only once its parent is on disk
            _fsync_folder(made.parent)


def _files_below(folder: Path) -> Iterator[Path]:
    # Not by rglob, nor by os.walk: to them a folder that cannot be read is an empty one.
    with os.scandir(folder) as listing:
        entries = list(listing)  # what is listed may be deleted meanwhile
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files_below(Path(entry))
        elif entry.is_file():
            yield Path(entry)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_store(address: str, reach: Reach = _go_on) -> Store:
    """Open the store that an address names; nothing is connected yet.

    Parameters
    ----------
    address : str
        `file:///folder`, or an address of any file system that fsspec knows, such as
        `s3://bucket/folder`. Logins and end points come from where its own library looks for them.
    reach : callable
        Called with "saving" in the middle of each `put`.

    Raises
    ------
    SettingsError
        If nothing here can open such an address.
    """
    parts = urlsplit(address)
    if parts.scheme in {"", "local"}:
        raise refused(address, "a folder is written file:///folder")
    if parts.scheme != "file":
        return open_remote(address, reach)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        raise refused(address, "not an absolute path; write file:///folder")
    return LocalStore(Path(unquote(parts.path)), reach)
