"""Getting a checkpoint out of the store that is whole: the one asked for, or one before it.

`learning.on_damaged` is carried out here. Offsets are not looked at.
"""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import groupby

from consumers.checkpoints.checkpoint import Content, Manifest
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Checkpoints, epoch_of
from consumers.errors import DamagedCheckpointError
from metrics.events import CHECKPOINT_PASSED_OVER

_log = logging.getLogger("streamfit.recovery")


@dataclass(frozen=True, slots=True)
class Whole:
    """A checkpoint that was read, and is what its pointer says.

    Attributes
    ----------
    line : tuple of Pointer
        From the one that was asked for down to this one, the newest first: more than one where
        damaged ones were passed over.
    manifest, content
        What is in it.
    """

    line: tuple[Pointer, ...]
    manifest: Manifest
    content: Content

    @property
    def pointer(self) -> Pointer:
        """Names it."""
        return self.line[-1]

    @property
    def passed_over(self) -> bool:
        """Whether it is not the one that was asked for."""
        return len(self.line) > 1


class Retrieval:
    """Reads whole checkpoints.

    Parameters
    ----------
    checkpoints : Checkpoints
        Those of the model.
    names : iterable of str
        The ones that the store has now.
    on_damaged : {"fail", "previous"}
        What to do about a missing or damaged one. One of other settings, another place or a newer
        format is refused in any case.
    """

    def __init__(self, checkpoints: Checkpoints, names: Iterable[str], on_damaged: str) -> None:
        self._checkpoints = checkpoints
        self._names = sorted(names, key=epoch_of, reverse=True)
        self._on_damaged = on_damaged

    @property
    def newest_epoch(self) -> int:
        """The highest epoch in the store, 0 if it is empty."""
        return epoch_of(self._names[0]) if self._names else 0

    def committed(self, pointer: Pointer) -> Whole:
        """Read the checkpoint that a committed pointer names, or one before it.

        The one before is its parent, by name, while a manifest is left that tells it; otherwise
        the newest whole one of a lower epoch.

        Raises
        ------
        DamagedCheckpointError
            If it is missing or damaged, and there is none before it or the policy is to stop.
        CheckpointError
            If it cannot be used for another reason.
        OSError
            If the store does not answer.
        """
        try:
            return Whole((pointer,), *self._checkpoints.load(pointer))
        except DamagedCheckpointError as error:
            self._stop_or_warn(error)
        line = [pointer]
        while (parent := self._parent(line[-1])) is not None:
            line.append(parent)
            try:
                return Whole(tuple(line), *self._checkpoints.load(parent))
            except DamagedCheckpointError as error:
                self._stop_or_warn(error)
        found = self._newest_below(pointer.epoch, {one.key for one in line})
        if found is None:
            raise DamagedCheckpointError(
                f"checkpoint {pointer.key}: missing or damaged, and the store has no whole one "
                "before it (learning.on_damaged = 'previous'); restore one from a copy, or choose "
                "another input.group to begin anew"
            )
        return Whole((pointer, found.pointer), found.manifest, found.content)

    def newest(self) -> Whole | None:
        """Read the newest checkpoint of the store; None if it is empty.

        The newest has the highest epoch: clocks and time stamps of a store are not to be trusted.
        Of several, as a writer that died before its commit leaves them, it is the one that has
        learned most.

        Raises
        ------
        DamagedCheckpointError
            If it is damaged, and there is none before it or the policy is to stop.
        CheckpointError
            If it cannot be used for another reason.
        OSError
            If the store does not answer.
        """
        found = self._newest_below(self.newest_epoch + 1)
        if found is None and self._names:
            raise DamagedCheckpointError(
                f"checkpoint.store: every checkpoint of {self._checkpoints.place} is damaged; "
                "restore one from a copy, or choose another input.group to begin anew"
            )
        return found

    def _newest_below(self, epoch: int, without: Collection[str] = ()) -> Whole | None:
        names = (n for n in self._names if epoch_of(n) < epoch and n not in without)
        for _, alike in groupby(names, key=epoch_of):
            best: Whole | None = None
            for name in sorted(alike):
                found = self._read(name)
                if found and (best is None or _learned(found) > _learned(best)):
                    best = found
            if best:
                return best
        return None

    def _read(self, name: str) -> Whole | None:
        try:
            pointer, manifest, content = self._checkpoints.read(name)
        except DamagedCheckpointError as error:
            self._stop_or_warn(error)
            return None
        return Whole((pointer,), manifest, content)

    def _parent(self, pointer: Pointer) -> Pointer | None:
        manifest = self._checkpoints.manifest(pointer.key)
        if manifest is None or manifest.epoch != pointer.epoch or manifest.parent is None:
            return None
        return manifest.parent if manifest.parent.epoch < pointer.epoch else None

    def _stop_or_warn(self, error: DamagedCheckpointError) -> None:
        if self._on_damaged == "fail":
            raise error
        _log.warning("%s: looking for the one before it", error, extra=CHECKPOINT_PASSED_OVER())


def _learned(whole: Whole) -> int:
    return sum(whole.manifest.next_offsets.values())
