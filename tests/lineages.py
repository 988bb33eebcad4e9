"""A topic in memory, and a group that commits as a run does: for tests of starts."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from consumers.checkpoints.checkpoint import Content
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.recovery import Policies, Recovery, Restart
from consumers.checkpoints.series import GLOBAL, Checkpoints, Lineage, Meaning, Place
from consumers.checkpoints.store import LocalStore, Store
from consumers.errors import CheckpointError
from consumers.kafka.source import Committed

SETTINGS = {"model": {"steps": [{"use": "SGDClassifier"}]}}


def open_checkpoints(
    store: Path | Store,
    *,
    settings: Mapping[str, Any] = SETTINGS,
    keep: int = 3,
    max_bytes: int = 10**6,
    **place: str,
) -> Checkpoints:
    """Open the checkpoints of one model, as a start does."""
    return Checkpoints(
        LocalStore(store) if isinstance(store, Path) else store,
        Place(**{"group": "group", "topic": "events", "scope": GLOBAL, **place}),
        Meaning(settings, repr(settings)),
        keep=keep,
        max_bytes=max_bytes,
    )


def model_of(offsets: Mapping[int, int]) -> Content:
    """Make what has learned just these records."""
    return Content(b"model of %r" % sorted(offsets.items()), {})


class MemoryStore:
    """A store that forgets everything with the test."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def put(self, key: str, data: bytes) -> None:
        assert key not in self.kept
        self.kept[key] = data

    def get(self, key: str, max_bytes: int) -> bytes:
        if key not in self.kept or len(self.kept[key]) > max_bytes:
            raise CheckpointError(f"checkpoint {key}: not there, or too large")
        return self.kept[key]

    def keys(self, prefix: str) -> Iterator[str]:
        return (key for key in list(self.kept) if key.startswith(f"{prefix}/"))

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)

    def sweep(self, prefix: str) -> None:
        """Find nothing: a put here is never half done."""


@dataclass
class Group:
    """What outlives a process, and `Positions` of it."""

    store: Path | Store
    ends: dict[int, int]
    firsts: dict[int, int] = field(default_factory=dict)
    id: str | None = "id-1"
    offsets: dict[int, Committed] = field(default_factory=dict)
    scope: str = GLOBAL
    keep: int = 5

    def topic_id(self) -> str | None:
        return self.id

    def committed(self) -> dict[int, Committed]:
        return {p: self.offsets.get(p, Committed(None, "")) for p in sorted(self.ends)}

    def bounds(self, partition: int) -> tuple[int, int]:
        return self.firsts.get(partition, 0), self.ends[partition]

    def checkpoints(self) -> Checkpoints:
        return open_checkpoints(self.store, scope=self.scope, keep=self.keep)

    def save(self, offsets: Mapping[int, int], parent: Pointer | None = None) -> Pointer:
        """Save a checkpoint and don't commit it."""
        lineage = Lineage(parent, parent.epoch if parent else 0)
        return self.checkpoints().save(model_of(offsets), offsets, lineage, self.id)

    def commit(
        self,
        offsets: Mapping[int, int],
        parent: Pointer | None = None,
        torn: Collection[int] = (),
    ) -> Pointer:
        """Save a checkpoint and commit it, but not for the partitions named in `torn`."""
        pointer = self.save(offsets, parent)
        self.point(pointer, {p: offset for p, offset in offsets.items() if p not in torn})
        return pointer

    def point(self, pointer: Pointer, offsets: Mapping[int, int]) -> None:
        """Commit these offsets with this pointer."""
        for partition, offset in offsets.items():
            self.offsets[partition] = Committed(offset, pointer.to_metadata())

    def find(self, **policies: str) -> Restart:
        """Start."""
        return Recovery(self, self.checkpoints(), Policies(**policies)).find(self.committed())

    def path(self, pointer: Pointer) -> Path:
        assert isinstance(self.store, Path)
        return self.store / pointer.key

    def damage(self, pointer: Pointer) -> None:
        """Flip a bit of its model: the manifest can still be read."""
        self._replace(pointer, b"model of", b"Model of")

    def ruin(self, pointer: Pointer) -> None:
        """Leave nothing of it that could be read."""
        path = self.path(pointer)
        path.write_bytes(path.read_bytes()[:100])

    def lose(self, pointer: Pointer) -> None:
        """Remove its file."""
        self.path(pointer).unlink()

    def _replace(self, pointer: Pointer, old: bytes, new: bytes) -> None:
        data = self.path(pointer).read_bytes()
        assert old in data
        self.path(pointer).write_bytes(data.replace(old, new, 1))


def restart(
    pointer: Pointer | None,
    offsets: Mapping[int, int],
    *,
    learned: Mapping[int, int] | None = None,
    epoch: int | None = None,
    skipped: Mapping[int, int] | None = None,
) -> Restart:
    """Make the answer of a start; the model has learned `offsets` unless told otherwise."""
    if epoch is None:
        epoch = pointer.epoch if pointer else 0
    content = model_of(offsets if learned is None else learned) if pointer else None
    return Restart(content, Lineage(pointer, epoch), dict(offsets), dict(skipped or {}))
