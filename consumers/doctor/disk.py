"""Where a local store lies: which file system, how much room, and whether it outlives the process.

Remote stores tell none of this.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from consumers.doctor.finding import Finding, Kind, Level

SPACE = Kind(
    "store.space",
    Level.WARNING,
    "a checkpoint that cannot be written keeps the run from committing; the events since are "
    "done again",
    "make room, or set checkpoint.keep lower",
)
TEMPORARY = Kind(
    "store.temporary",
    Level.WARNING,
    "what lies there is gone after a restart of the machine or the container: the next start finds "
    "offsets without a checkpoint, and stops (exit 5)",
    "name a folder of a mounted volume, or an object store, in checkpoint.store",
)
NETWORK = Kind(
    "store.network",
    Level.NOTE,
    "each epoch waits for that file server, and no time-out ends it: a server that hangs holds the "
    "loop",
    "measure streamfit_stage_duration_seconds; an object store ends its requests in time",
)

_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108 looked for, not written to
_VOLATILE = frozenset({"tmpfs", "ramfs", "overlay"})
_NETWORK = ("nfs", "cifs", "smb", "fuse.", "9p", "ceph", "glusterfs", "lustre")
_LEAST_BYTES = 100_000_000
_MOUNTS = Path("/proc/self/mounts")


@dataclass(frozen=True, slots=True)
class Disk:
    """Where a local store lies.

    Attributes
    ----------
    folder : Path
        The store's.
    kind : str
        Of the file system; empty where nobody tells.
    free : int
        Bytes that may still be written.
    """

    folder: Path
    kind: str
    free: int


def folder_of(address: str) -> Path | None:
    """Give the folder that an address names; None where it is no local one."""
    parts = urlsplit(address)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def nearest(folder: Path) -> Path:
    """Give the folder, or the one above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def disk_of(folder: Path, mounts: Path = _MOUNTS) -> Disk:
    """Look where a folder lies."""
    there = nearest(folder)
    try:
        lines = [line.split() for line in mounts.read_text(encoding="utf-8").splitlines()]
    except OSError:  # only Linux has it
        lines = []
    real = there.resolve()
    above = [(line[1], line[2]) for line in lines if real.is_relative_to(line[1])]
    kind = max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]
    return Disk(folder, kind, shutil.disk_usage(there).free)


def judge(disk: Disk, size: int | None, keep: int) -> Iterator[Finding]:
    """Hold a disk against what checkpoints take.

    Parameters
    ----------
    disk : Disk
    size : int or None
        Bytes of the newest checkpoint; None where there is none.
    keep : int
        How many are kept.
    """
    needed = _LEAST_BYTES if size is None else size * (keep + 2)
    seen = f"{disk.free / 1e6:,.0f} MB are free, {keep} checkpoints take {needed / 1e6:,.1f} MB"
    if disk.free < needed:
        level = Level.PROBLEM if size is not None and disk.free < 2 * size else None
        yield SPACE.found(seen, level=level)
    else:
        yield SPACE.ok(seen)
    if disk.kind in _VOLATILE:
        yield TEMPORARY.found(f"{disk.folder} is on {disk.kind}")
    elif any(disk.folder.is_relative_to(place) for place in _TEMPORARY):
        yield TEMPORARY.found(f"{disk.folder} is a folder for what is temporary")
    if disk.kind.startswith(_NETWORK):
        yield NETWORK.found(f"{disk.folder} is on {disk.kind}")


def may_be_made(folder: Path) -> bool:
    """Tell whether a folder that is not there yet could be made."""
    return os.access(nearest(folder), os.W_OK | os.X_OK)
