"""The store of the checkpoints: whether it can be written, and whether what it holds is whole."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from consumers.checkpoints.series import GLOBAL, Place, epoch_of
from consumers.checkpoints.store import Store, open_store
from consumers.checkpoints.store_errors import masked
from consumers.checks import try_store
from consumers.doctor import disk
from consumers.doctor.clock import duration, judge_store
from consumers.doctor.finding import Finding, Kind, Level
from consumers.errors import CheckpointError
from consumers.models.stored import Catalogue
from consumers.settings import Settings
from consumers.wiring import checkpoints_of

WRITABLE = Kind(
    "store.writable",
    Level.PROBLEM,
    "no checkpoint, no commit: the run would learn the same events again and again",
    "mount the store, or grant this user or login the right to write there",
)
IN_MEMORY = Kind(
    "store.in_memory",
    Level.WARNING,
    "it is gone with the process: the next start finds offsets without a checkpoint, and stops",
    "name a folder of a mounted volume, or an object store, in checkpoint.store",
)
NEWEST = Kind(
    "store.newest",
    Level.WARNING,
    "the newest checkpoint cannot be read; if it is the committed one, no run can start",
    "see `streamfit models verify FILE --all`; `streamfit models rollback` goes to a whole one",
)
LARGE = Kind(
    "store.large",
    Level.WARNING,
    "a checkpoint above checkpoint.max_bytes is refused, and from then on nothing is committed",
    "raise checkpoint.max_bytes",
)
MANY = Kind(
    "store.many",
    Level.NOTE,
    "runs collect all but the newest checkpoint.keep after a commit: so many are left by something "
    "else, or the right to delete is missing",
    "see `streamfit models list FILE`; grant the right to delete",
)


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store holds of one model.

    Attributes
    ----------
    place : Place
    count : int
        Checkpoints.
    size : int or None
        Bytes of the newest one; None where there is none, or it cannot be read.
    problem : str or None
        Why the newest cannot be read.
    epoch : int
        That of the newest; 0 where there is none.
    written_s : float or None
        When it was written, by the store's clock, in seconds since 1970; None where that is not
        told.
    """

    place: Place
    count: int
    size: int | None = None
    problem: str | None = None
    epoch: int = 0
    written_s: float | None = None


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at the store: write a probe and remove it, and read the newest checkpoints."""
    address = settings.checkpoint.store
    yield writable(settings)
    if urlsplit(address).scheme == "memory":
        yield IN_MEMORY.found(masked(address))
    held, now_s = look(settings), time.time()
    yield from judge(held, settings.checkpoint.keep, settings.checkpoint.max_bytes, now_s)
    if (folder := disk.folder_of(address)) is not None:
        sizes = [facts.size for facts in held if facts.size is not None]
        keep = settings.checkpoint.keep * max(1, len(held))
        yield from disk.judge(disk.disk_of(folder), max(sizes, default=None), keep)


def writable(settings: Settings) -> Finding:
    """Try to write, where that leaves nothing behind."""
    address = settings.checkpoint.store
    folder = disk.folder_of(address)
    if folder is None or folder.exists():
        tried = try_store(settings)
        return WRITABLE.ok(tried.found) if tried.error is None else WRITABLE.of_error(tried.error)
    if disk.may_be_made(folder):
        return WRITABLE.ok(f"{address} is not there yet, and can be made")
    return WRITABLE.found(f"{address} is not there, and {disk.nearest(folder)} cannot be written")


def look(settings: Settings) -> list[StoreFacts]:
    """Read what the store holds of the models of the settings.

    Raises
    ------
    OSError
        If the store does not answer.
    """
    store = open_store(settings.checkpoint.store)
    partitioned = settings.learning.scope == "partition"
    scopes = _partitions(settings, store) if partitioned else [GLOBAL]
    return [_held(settings, store, scope) for scope in scopes]


def judge(held: list[StoreFacts], keep: int, max_bytes: int, now_s: float) -> Iterator[Finding]:
    """Hold what the store has against the settings.

    Parameters
    ----------
    held : list of StoreFacts
        One for each model.
    keep, max_bytes : int
        As the settings have them.
    now_s : float
        This machine's time, in seconds since 1970.
    """
    for facts in held:
        yield _newest(facts, now_s)
        yield from judge_store(facts.written_s, now_s)
        if facts.size is not None and 2 * facts.size > max_bytes:
            seen = f"{facts.place}: {facts.size:,} bytes of the {max_bytes:,} allowed"
            yield LARGE.found(seen)
        if facts.count > 2 * keep + 2:
            yield MANY.found(f"{facts.place}: {facts.count} checkpoints, checkpoint.keep = {keep}")
    if not held:
        yield NEWEST.ok("no checkpoint yet")


def _newest(facts: StoreFacts, now_s: float) -> Finding:
    if facts.problem is not None:
        return NEWEST.found(facts.problem)
    if not facts.count:
        return NEWEST.ok(f"{facts.place}: no checkpoint yet")
    age = "" if facts.written_s is None else f", {duration(now_s - facts.written_s)} old"
    return NEWEST.ok(
        f"{facts.place}: checkpoints: {facts.count}; the newest is whole, {facts.size:,} bytes{age}"
    )


def _partitions(settings: Settings, store: Store) -> list[str]:
    above = Place(settings.input.group, settings.input.topic).prefix.rpartition("/")[0]
    scopes = {key.removeprefix(f"{above}/").partition("/")[0] for key in store.keys(above)}
    return sorted((scope for scope in scopes if scope.isdecimal()), key=int)


def _held(settings: Settings, store: Store, scope: str) -> StoreFacts:
    checkpoints = checkpoints_of(settings, scope)
    catalogue = Catalogue(checkpoints, store, settings.checkpoint.max_bytes)
    keys = catalogue.keys()
    if not keys:
        return StoreFacts(checkpoints.place, 0)
    folder = disk.folder_of(settings.checkpoint.store)
    written = None if folder is None else (folder / keys[0]).stat().st_mtime
    size, problem = None, None
    try:
        size = catalogue.read(keys[0]).pointer.size
    except CheckpointError as error:
        problem = str(error)
    return StoreFacts(checkpoints.place, len(keys), size, problem, epoch_of(keys[0]), written)
