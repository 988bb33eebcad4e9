"""The checkpoints of one model: saved under new names, loaded by pointer, collected when old."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from consumers.checkpoints import checkpoint
from consumers.checkpoints.checkpoint import Content, Manifest
from consumers.checkpoints.differences import differences
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.store import Store
from consumers.errors import CheckpointError, DamagedCheckpointError

GLOBAL = "global"
_NAME = re.compile(r"[0-9]{10,}-[0-9a-f-]{36}")  # <epoch>-<uuid>


@dataclass(frozen=True, slots=True)
class Place:
    """What checkpoints are of.

    Attributes
    ----------
    group, topic : str
        The consumer group and its input topic.
    scope : str
        `global`, or the number of a partition.
    """

    group: str
    topic: str
    scope: str = GLOBAL

    @property
    def prefix(self) -> str:
        """How their names begin: `<group>/<topic>/<scope>`."""
        return "/".join(_as_folder(name) for name in (self.group, self.topic, self.scope))

    def owns(self, key: str) -> bool:
        """Tell a name that `save` gave: a pointer's comes from outside, and could lead anywhere."""
        folder, _, name = key.rpartition("/")
        return folder == self.prefix and _NAME.fullmatch(name) is not None

    def check(self, key: str) -> None:
        """Refuse the checkpoint of another place."""
        if not self.owns(key):
            raise CheckpointError(
                f"checkpoint {key}: not of {self}; set input.group, input.topic and "
                "learning.scope to what they were, or choose another input.group to begin anew"
            )

    def __str__(self) -> str:
        scope = "scope global" if self.scope == GLOBAL else f"partition {self.scope}"
        return f"group {self.group}, topic {self.topic}, {scope}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """The settings that decide what a model means, and their hash."""

    settings: Mapping[str, Any]
    hash: str

    def check(self, manifest: Manifest, key: str) -> None:
        """Refuse the checkpoint of a model with other settings, naming the keys that differ."""
        if manifest.settings_hash != self.hash:
            changed = ", ".join(differences(manifest.settings, self.settings))
            raise CheckpointError(
                f"checkpoint {key}: learned under other settings ({changed}); "
                "set them back, or choose another input.group to begin anew"
            )


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where the next checkpoint belongs.

    Attributes
    ----------
    parent : Pointer or None
        The checkpoint before it.
    epoch : int
        The highest epoch that was ever committed, 0 before the first: the next one is higher,
        whichever checkpoint was gone back to.
    """

    parent: Pointer | None = None
    epoch: int = 0


class Checkpoints:
    """Saves and loads the checkpoints of one model: of a group, a topic and a scope.

    Parameters
    ----------
    store : Store
        Where they are kept.
    place : Place
        What they are checkpoints of.
    meaning : Meaning
        The settings that decide what the model means.
    keep : int
        How many of the newest epochs are kept.
    max_bytes : int
        No larger one is read.
    """

    def __init__(
        self, store: Store, place: Place, meaning: Meaning, *, keep: int, max_bytes: int
    ) -> None:
        self._store = store
        self.place = place
        self._meaning = meaning
        self._keep = keep
        self._max_bytes = max_bytes
        self._known: dict[str, int] = {}

    def open(self, *, sweep: bool = True) -> list[str]:
        """Sweep what a dead writer left, and give the names that are there."""
        if sweep:
            self._store.sweep(self.place.prefix)
        names = filter(self.place.owns, self._store.keys(self.place.prefix))
        self._known = {key: epoch_of(key) for key in names}
        return list(self._known)

    def save(
        self,
        content: Content,
        next_offsets: Mapping[int, int],
        lineage: Lineage,
        topic_id: str | None,
    ) -> Pointer:
        """Write a checkpoint under a new name; until its pointer is committed it does not count.

        Raises
        ------
        OSError
            If the store refuses.
        CheckpointError
            If it is larger than any that would be read.
        """
        epoch = lineage.epoch + 1
        parts = checkpoint.parts_of(content)
        manifest = checkpoint.manifest_for(
            parts,
            epoch=epoch,
            parent=lineage.parent,
            topic=(self.place.topic, topic_id),
            settings=(self._meaning.settings, self._meaning.hash),
            next_offsets=next_offsets,
        )
        data = checkpoint.pack(manifest, parts)
        if len(data) > self._max_bytes:
            raise CheckpointError(
                f"checkpoint.max_bytes = {self._max_bytes}: the model has grown to {len(data)} "
                "bytes, which no start would read; raise it"
            )
        key = f"{self.place.prefix}/{epoch:010d}-{uuid4()}"
        pointer = Pointer(key, checkpoint.digest(data), epoch, len(data))
        self._store.put(key, data)
        self._known[key] = epoch
        return pointer

    def load(self, pointer: Pointer) -> tuple[Manifest, Content]:
        """Read the checkpoint that a pointer names.

        Nothing is read of a file larger than the pointer says, and nothing is unpacked before its
        sha256 is right.

        Raises
        ------
        DamagedCheckpointError
            If it is missing, or not the one that the pointer means.
        CheckpointError
            If it is of another place, of a model with other settings, or too large.
        """
        self.place.check(pointer.key)
        if pointer.size > self._max_bytes:
            raise CheckpointError(
                f"checkpoint {pointer.key}: {pointer.size} bytes, more than the {self._max_bytes} "
                "of checkpoint.max_bytes; raise it"
            )
        try:
            data = self._store.get(pointer.key, pointer.size)
        except CheckpointError as error:
            raise DamagedCheckpointError(
                f"checkpoint {pointer.key}: not in the store, or larger than its pointer says; "
                f"mount the store that has it, {checkpoint.MEND}"
            ) from error
        if (len(data), checkpoint.digest(data)) == (pointer.size, pointer.sha256):
            manifest, content = checkpoint.unpack(data, pointer.key)
            self._meaning.check(manifest, pointer.key)
            if manifest.epoch == pointer.epoch:
                return manifest, content
        raise DamagedCheckpointError(
            f"checkpoint {pointer.key}: damaged (its size, sha256 or epoch differ from the "
            f"pointer's); {checkpoint.MEND}"
        )

    def read(self, key: str) -> tuple[Pointer, Manifest, Content]:
        """Read a checkpoint by its name, with the pointer that would name it.

        Raises
        ------
        DamagedCheckpointError
            If it is damaged.
        CheckpointError
            If it is missing, of another place, of a model with other settings, or too large.
        """
        self.place.check(key)
        data = self._store.get(key, self._max_bytes)
        manifest, content = checkpoint.unpack(data, key)
        self._meaning.check(manifest, key)
        return Pointer(key, checkpoint.digest(data), manifest.epoch, len(data)), manifest, content

    def manifest(self, key: str) -> Manifest | None:
        """Read what a checkpoint says of itself, even where the rest of it is damaged.

        Good for following a lineage, never for restoring. None if it cannot be read.
        """
        if not self.place.owns(key):
            return None
        try:
            return checkpoint.manifest_of(self._store.get(key, self._max_bytes), key)
        except CheckpointError:
            return None

    def collect(self, committed: Pointer) -> None:
        """Delete what is `keep` or more epochs older than the committed checkpoint."""
        old = [key for key, epoch in self._known.items() if epoch <= committed.epoch - self._keep]
        for key in old:
            self._store.delete(key)
            del self._known[key]


def _as_folder(name: str) -> str:
    return quote(name, safe="").replace(".", "%2E") if set(name) == {"."} else quote(name, safe="")


def epoch_of(key: str) -> int:
    """Give the epoch that a checkpoint's name tells, 0 if it tells none."""
    number = key.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isdigit() else 0
