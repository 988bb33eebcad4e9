"""Checkpoints and the pointers to them, opened with zipfile, json and skops alone."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import skops.io

Complain = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pointer:
    """What the metadata of a committed offset says."""

    key: str
    sha256: str
    epoch: int
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint.

    Attributes
    ----------
    pointer : Pointer
        That named it.
    epoch : int
        As it says itself.
    parent : Pointer or None
        Its predecessor.
    next_offsets : mapping of int to int
        Partition to next offset.
    pipeline : sklearn.pipeline.Pipeline
        The model.
    learner : mapping
        `model_version`, `open_rows`, `open_labels`.
    """

    pointer: Pointer
    epoch: int
    parent: Pointer | None
    next_offsets: Mapping[int, int]
    pipeline: Any
    learner: Mapping[str, Any]


def pointer_of(metadata: str) -> Pointer | None:
    """Read the metadata of a committed offset; None if it is no pointer."""
    try:
        return Pointer(**json.loads(metadata))
    except (ValueError, TypeError):
        return None


def opened(pointer: Pointer, checkpoints: Mapping[str, bytes], complain: Complain) -> Stored | None:
    """Open the checkpoint that a pointer names; None, with the reason told, if that fails."""
    data = checkpoints.get(pointer.key)
    if data is None:
        complain(f"checkpoint {pointer.key}: a committed offset points to it, and it is missing")
        return None
    if hashlib.sha256(data).hexdigest() != pointer.sha256:
        complain(f"checkpoint {pointer.key}: its sha256 is not the pointer's")
        return None
    if pointer.size not in {None, len(data)}:
        complain(f"checkpoint {pointer.key}: {len(data)} bytes, the pointer says {pointer.size}")
    try:
        stored = _parsed(pointer, data, complain)
    except Exception as error:  # noqa: BLE001 - damaged bytes raise anything, and all of it is told
        complain(f"checkpoint {pointer.key}: cannot be opened: {error!r}")
        return None
    if stored.epoch != pointer.epoch:
        complain(
            f"checkpoint {pointer.key}: is of epoch {stored.epoch}, the pointer says "
            f"{pointer.epoch}"
        )
    return stored


def _parsed(pointer: Pointer, data: bytes, complain: Complain) -> Stored:
    manifest, parts = parts_of(data)
    for name, sha256 in manifest["parts"].items():
        if hashlib.sha256(parts[name]).hexdigest() != sha256:
            complain(f"checkpoint {pointer.key}: {name} is not the one that the manifest names")
    model = parts["model.skops"]
    return Stored(
        pointer,
        manifest["epoch"],
        manifest["parent"] and Pointer(**manifest["parent"]),
        {int(partition): offset for partition, offset in manifest["next_offsets"].items()},
        # Whatever it holds may be made: it comes from a test's own run.
        skops.io.loads(model, trusted=skops.io.get_untrusted_types(data=model)),
        json.loads(parts["state.json"])["learner"],
    )


def parts_of(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Give the manifest of a checkpoint, and its parts as they are."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(parts.pop("manifest.json")), parts
