"""The checkpoints of one model: saved under new names, loaded by pointer, collected when old."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from consumers import checkpoint
from consumers.checkpoint import Content, Manifest
from consumers.errors import CheckpointError
from consumers.pointer import Pointer
from consumers.store import Store


class Checkpoints:
    """Saves and loads the checkpoints of one group, topic and scope.

    Parameters
    ----------
    store : Store
        Where they are kept.
    group, topic, scope : str
        They make up the names: `<group>/<topic>/<scope>/<epoch>-<uuid>`.
    settings : mapping
        The settings that decide what the model means.
    settings_hash : str
        Their hash.
    keep : int
        How many of the newest epochs are kept.
    """

    def __init__(
        self,
        store: Store,
        *,
        group: str,
        topic: str,
        scope: str,
        settings: Mapping[str, Any],
        settings_hash: str,
        keep: int,
    ) -> None:
        self._store = store
        self._topic = topic
        self._prefix = "/".join(_as_folder(name) for name in (group, topic, scope))
        self._settings = dict(settings)
        self._hash = settings_hash
        self._keep = keep
        self._versions = checkpoint.versions()
        self._known: dict[str, int] = {}

    def open(self, *, sweep: bool = True) -> list[str]:
        """Sweep what a dead writer left, and give the names that are there."""
        if sweep:
            self._store.sweep(self._prefix)
        self._known = {key: epoch_of(key) for key in self._store.keys(self._prefix)}
        return list(self._known)

    def save(
        self,
        content: Content,
        next_offsets: Mapping[int, int],
        parent: Pointer | None,
        topic_id: str | None,
    ) -> tuple[Pointer, int]:
        """Write a checkpoint under a new name.

        Returns
        -------
        Pointer
            To be committed with the offsets; until then the checkpoint does not count.
        int
            Its size in bytes.

        Raises
        ------
        OSError
            If the store refuses.
        """
        epoch = parent.epoch + 1 if parent else 1
        parts = checkpoint.parts_of(content)
        manifest = Manifest(
            format=checkpoint.FORMAT,
            parts={name: checkpoint.digest(part) for name, part in parts.items()},
            settings_hash=self._hash,
            settings=self._settings,
            epoch=epoch,
            parent=parent,
            topic=self._topic,
            topic_id=topic_id,
            next_offsets={str(p): offset for p, offset in sorted(next_offsets.items())},
            versions=self._versions,
        )
        data = checkpoint.pack(manifest, parts)
        pointer = Pointer(f"{self._prefix}/{epoch:010d}-{uuid4()}", checkpoint.digest(data), epoch)
        self._store.put(pointer.key, data)
        self._known[pointer.key] = epoch
        return pointer, len(data)

    def load(self, pointer: Pointer) -> tuple[Manifest, Content]:
        """Read the checkpoint that a pointer names.

        Raises
        ------
        CheckpointError
            If it is missing, damaged, or of a model with other settings.
        """
        data = self._store.get(pointer.key)
        if checkpoint.digest(data) != pointer.sha256:
            raise CheckpointError(
                f"checkpoint {pointer.key}: damaged (sha256 differs from the pointer's); restore "
                "the file from a copy, or reset the group's offsets to begin anew"
            )
        manifest, content = checkpoint.unpack(data, pointer.key)
        if manifest.settings_hash != self._hash:
            changed = ", ".join(_differences("", manifest.settings, self._settings))
            raise CheckpointError(
                f"checkpoint {pointer.key}: learned under other settings ({changed}); "
                "set them back, or choose another input.group to begin anew"
            )
        return manifest, content

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


def _differences(path: str, old: Any, new: Any) -> list[str]:
    """Name the keys whose values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        below = [_differences(f"{path}.{k}" if path else k, old.get(k), new.get(k)) for k in keys]
        return [name for names in below for name in names]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        below = [
            _differences(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(old, new, strict=True))
        ]
        return [name for names in below for name in names]
    return [] if old == new else [path]
