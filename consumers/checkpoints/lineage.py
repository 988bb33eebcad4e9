"""The lineage of a checkpoint: those before it, as far back as it is asked for.

Told by the manifests alone. Which checkpoint to go on from is decided elsewhere.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from consumers.checkpoints.checkpoint import Manifest
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Checkpoints


class Ancestry:
    """A committed checkpoint and its parents; reads no further back than it must.

    Parameters
    ----------
    checkpoints : Checkpoints
        Those of the model.
    line : sequence of Pointer
        Where the lineage begins, the newest first: the committed checkpoint alone or, where
        damaged ones were passed over, down to the one that is gone on from.
    manifests : mapping of Pointer to Manifest
        Those that have been read already.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        line: Sequence[Pointer],
        manifests: Mapping[Pointer, Manifest],
    ) -> None:
        self._checkpoints = checkpoints
        self._line = list(line)
        self._manifests: dict[Pointer, Manifest | None] = dict(manifests)

    def has(self, pointer: Pointer) -> bool:
        """Tell whether a committed pointer belongs to this lineage.

        It is one of its checkpoints, or one that it left behind: epochs run on without a gap,
        but for those that a start went back over, to a checkpoint before them.
        """
        self._walk_to(pointer.epoch)
        if pointer in self._line:
            return True
        return any(
            older.epoch < pointer.epoch < newer.epoch for newer, older in pairwise(self._line)
        )

    def manifest(self, pointer: Pointer) -> Manifest | None:
        """Give the manifest of a pointer's checkpoint; None where it cannot be read."""
        if pointer not in self._manifests:
            self._manifests[pointer] = self._checkpoints.manifest(pointer.key)
        return self._manifests[pointer]

    def had_offset(self, partition: int, epoch: int) -> bool:
        """Tell whether the offset of a partition must have been committed by some epoch.

        It must if the checkpoint of that epoch knows the partition and the one before it as well:
        one alone may have been committed for other partitions only. What is not there to be read
        counts as knowing it, because only a complete commit lets older ones be collected.
        """
        self._walk_to(epoch - 1)
        line = [pointer for pointer in self._line if pointer.epoch <= epoch][:2]
        manifests = [self.manifest(pointer) for pointer in line]
        if any(found is not None and partition not in found.offsets() for found in manifests):
            return False
        first = bool(manifests) and manifests[0] is not None and manifests[0].parent is None
        return not first

    @property
    def end(self) -> Pointer:
        """The oldest one that was come to."""
        return self._line[-1]

    def _walk_to(self, epoch: int) -> None:
        while self.end.epoch > epoch:
            manifest = self.manifest(self.end)
            parent = None if manifest is None else manifest.parent
            if parent is None or parent.epoch >= self.end.epoch:
                return
            self._line.append(parent)
