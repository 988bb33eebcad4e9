"""The checkpoints of one model as they stand in the store, whatever settings they learned under.

Reads and describes; which of them count is told in `standing`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from consumers.checkpoints import checkpoint
from consumers.checkpoints.checkpoint import Content, Manifest
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Checkpoints, Place, epoch_of
from consumers.checkpoints.store import Store
from consumers.errors import CheckpointError


@dataclass(frozen=True, slots=True)
class Stored:
    """A whole checkpoint, and the pointer that would name it."""

    pointer: Pointer
    manifest: Manifest
    content: Content


@dataclass(frozen=True, slots=True)
class Described:
    """What a checkpoint says of itself, without its model.

    Attributes
    ----------
    key : str
        Its name.
    epoch : int
        Its epoch, as its name tells.
    pointer : Pointer or None
        What names it; None, as all below, where it cannot be read.
    parent : Pointer or None
        The checkpoint before it.
    model_version : int or None
        Events learned.
    next_offsets : dict of int to int
        Partition to next offset.
    tells_parent : bool
        Whether `parent` is known; a damaged one may still tell it.
    problem : str or None
        Why it cannot be read.
    """

    key: str
    epoch: int
    pointer: Pointer | None = None
    parent: Pointer | None = None
    model_version: int | None = None
    next_offsets: dict[int, int] | None = None
    tells_parent: bool = True
    problem: str | None = None


class LearnerState(msgspec.Struct):
    """The part of a learner's state that people ask for."""

    model_version: int
    open_labels: list[float] = []


class Catalogue:
    """Reads the checkpoints of one model.

    Parameters
    ----------
    checkpoints : Checkpoints
        The same, held against the settings.
    store : Store
        Where they are kept.
    max_bytes : int
        No larger one is read.
    """

    def __init__(self, checkpoints: Checkpoints, store: Store, max_bytes: int) -> None:
        self._checkpoints = checkpoints
        self._store = store
        self._max_bytes = max_bytes

    @property
    def place(self) -> Place:
        """What they are checkpoints of."""
        return self._checkpoints.place

    def keys(self) -> list[str]:
        """Give the names that are there, the newest epoch first.

        Raises
        ------
        OSError
            If the store does not answer.
        """
        return newest_first(self._checkpoints.open(sweep=False))

    def read(self, key: str) -> Stored:
        """Read one.

        Raises
        ------
        CheckpointError
            If it is missing or damaged, not of this model, or a newer version wrote it.
        OSError
            If the store does not answer.
        """
        if key.rpartition("/")[0] != self.place.prefix:  # a pointer's key comes from outside
            raise CheckpointError(f"checkpoint {key}: not of {self.place}; choose one that is")
        data = self._store.get(key, self._max_bytes)
        manifest, content = checkpoint.unpack(data, key)
        pointer = Pointer(key, checkpoint.digest(data), manifest.epoch, len(data))
        return Stored(pointer, manifest, content)

    def describe(self, keys: Iterable[str]) -> dict[str, Described]:
        """Describe some, in their order; one model at a time is in memory.

        Raises
        ------
        OSError
            If the store does not answer.
        """
        return {key: self._describe(key) for key in keys}

    def _describe(self, key: str) -> Described:
        try:
            stored = self.read(key)
            version = learner_state(stored).model_version
        except CheckpointError as error:
            return self._damaged(key, str(error))
        manifest = stored.manifest
        return Described(
            key=key,
            epoch=manifest.epoch,
            pointer=stored.pointer,
            parent=manifest.parent,
            model_version=version,
            next_offsets=manifest.offsets(),
        )

    def _damaged(self, key: str, problem: str) -> Described:
        manifest = self._checkpoints.manifest(key)
        return Described(
            key=key,
            epoch=epoch_of(key),
            parent=None if manifest is None else manifest.parent,
            next_offsets=None if manifest is None else manifest.offsets(),
            tells_parent=manifest is not None,
            problem=problem,
        )


def newest_first(keys: Iterable[str]) -> list[str]:
    """Sort names: the newest epoch first, those of one epoch by name."""
    return sorted(keys, key=lambda key: (-epoch_of(key), key))


def learner_state(stored: Stored) -> LearnerState:
    """Give what the learner had learned.

    Raises
    ------
    CheckpointError
        If the checkpoint does not say so.
    """
    try:
        return msgspec.json.decode(stored.content.state["learner"], type=LearnerState)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(
            f"checkpoint {stored.pointer.key}: the learner's state cannot be read ({error}); "
            f"{checkpoint.MEND}"
        ) from None
