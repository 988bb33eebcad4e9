"""The checkpoint's format: one immutable zip that says itself whether it is whole.

Where checkpoints are kept is the store's business, which one counts the pointer's.
"""

import hashlib
import importlib.metadata
import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from consumers.checkpoints.pointer import Pointer
from consumers.errors import CheckpointError, DamagedCheckpointError

FORMAT = 1
_MANIFEST, _MODEL, _STATE = "manifest.json", "model.skops", "state.json"
_DRIFT = "drift.bin"  # left out where no detector watches
MEND = (
    "restore it from a copy, go back with `streamfit models rollback`, or set "
    "learning.on_damaged = 'previous'"
)
_STAMP = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint says of itself.

    Attributes
    ----------
    format : int
        Version of this format.
    parts : dict of str to str
        sha256 of each other part, hexadecimal.
    settings_hash : str
        Hash of the settings that decide what the model means.
    settings : dict
        Those settings, to name what differs.
    epoch : int
        Number of the checkpoint in its lineage, from 1.
    parent : Pointer or None
        The pointer committed before it.
    topic : str
        The input topic.
    topic_id : str or None
        The broker's id of that topic; None where the broker cannot tell it.
    next_offsets : dict of str to int
        Partition (as text) to next offset.
    versions : dict of str to str
        Versions of the packages that wrote it.
    """

    format: int
    parts: dict[str, str]
    settings_hash: str
    settings: dict[str, Any]
    epoch: int
    parent: Pointer | None
    topic: str
    topic_id: str | None
    next_offsets: dict[str, int]
    versions: dict[str, str]

    def offsets(self) -> dict[int, int]:
        """Partition to next offset."""
        return {int(partition): offset for partition, offset in self.next_offsets.items()}


@dataclass(frozen=True, slots=True)
class Content:
    """What a restart needs: the model, and everything that is not in it.

    Attributes
    ----------
    model : bytes
        The scikit-learn pipeline, in skops format.
    state : mapping of str to bytes
        Name of a component to its own snapshot, JSON.
    drift : bytes
        What the drift detectors have seen; empty where none watches.
    """

    model: bytes
    state: Mapping[str, bytes]
    drift: bytes = b""


@cache
def versions() -> dict[str, str]:
    """Versions of the packages that a checkpoint depends on."""
    names = ("streamfit", "scikit-learn", "numpy", "skops")
    return {name: importlib.metadata.version(name) for name in names}


def parts_of(content: Content) -> dict[str, bytes]:
    """Give the parts of the zip, by name."""
    state = {name: msgspec.Raw(value) for name, value in content.state.items()}
    parts = {_MODEL: content.model, _STATE: msgspec.json.encode(state)}
    return {**parts, _DRIFT: content.drift} if content.drift else parts


def manifest_for(
    parts: Mapping[str, bytes],
    *,
    epoch: int,
    parent: Pointer | None,
    topic: tuple[str, str | None],
    settings: tuple[Mapping[str, Any], str],
    next_offsets: Mapping[int, int],
) -> Manifest:
    """Write down what these parts are; `topic` is with its id, `settings` with their hash."""
    return Manifest(
        format=FORMAT,
        parts={name: digest(part) for name, part in parts.items()},
        settings_hash=settings[1],
        settings=dict(settings[0]),
        epoch=epoch,
        parent=parent,
        topic=topic[0],
        topic_id=topic[1],
        next_offsets={str(p): offset for p, offset in sorted(next_offsets.items())},
        versions=versions(),
    )


def pack(manifest: Manifest, parts: Mapping[str, bytes]) -> bytes:
    """Write the zip: the manifest first, parts uncompressed (skops compresses nothing either)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in {_MANIFEST: msgspec.json.encode(manifest), **parts}.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), data)
    return buffer.getvalue()


def digest(data: bytes) -> str:
    """sha256 of some bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def unpack(data: bytes, key: str) -> tuple[Manifest, Content]:
    """Read a checkpoint, checking everything before anything is deserialised.

    Parameters
    ----------
    data : bytes
        The zip.
    key : str
        Its name, for the error.

    Raises
    ------
    DamagedCheckpointError
        If it is damaged.
    CheckpointError
        If a version wrote it that this one cannot read.
    """
    try:
        parts = _parts(data)
        manifest = _manifest(parts.pop(_MANIFEST), key)
        if {name: digest(part) for name, part in parts.items()} != manifest.parts:
            raise DamagedCheckpointError(
                f"checkpoint {key}: damaged (a part's sha256 differs); {MEND}"
            )
        state = msgspec.json.decode(parts[_STATE], type=dict[str, msgspec.Raw])
        snapshots = {name: bytes(raw) for name, raw in state.items()}
        return manifest, Content(parts[_MODEL], snapshots, parts.get(_DRIFT, b""))
    except _DAMAGED as error:
        raise DamagedCheckpointError(f"checkpoint {key}: damaged ({error}); {MEND}") from None


def manifest_of(data: bytes, key: str) -> Manifest:
    """Read only what a checkpoint says of itself; its other parts may be damaged.

    Raises
    ------
    DamagedCheckpointError
        If not even that can be read.
    CheckpointError
        If a version wrote it that this one cannot read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse_bomb(archive.getinfo(_MANIFEST), len(data))
            return _manifest(archive.read(_MANIFEST), key)
    except _DAMAGED as error:
        raise DamagedCheckpointError(f"checkpoint {key}: damaged ({error}); {MEND}") from None


def _manifest(part: bytes, key: str) -> Manifest:
    written = msgspec.json.decode(part, type=_Format).format
    if written != FORMAT:  # before anything else of it is read, for that may have changed
        raise CheckpointError(
            f"checkpoint {key}: format {written}, this version reads {FORMAT}; "
            "run the version that wrote it"
        )
    return msgspec.json.decode(part, type=Manifest)


class _Format(msgspec.Struct):
    format: int


def _parts(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for part in archive.infolist():
            _refuse_bomb(part, len(data))
        return {name: archive.read(name) for name in archive.namelist()}


def _refuse_bomb(part: zipfile.ZipInfo, size: int) -> None:
    # Parts are stored as they are: whatever grows when it is unpacked may be a bomb.
    if part.compress_type != zipfile.ZIP_STORED or part.file_size > size:
        raise zipfile.BadZipFile("a part is compressed, which streamfit's never are")


# What zipfile and msgspec raise for bytes that are no checkpoint.
_DAMAGED = (
    zipfile.BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
)
