"""Where to go on after a start: what the committed offsets say, held against the checkpoint.

Decides, and changes nothing. Never a silent fresh start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consumers.checkpoint import Content, Manifest
from consumers.checkpoints import Checkpoints, epoch_of
from consumers.errors import CheckpointError, OffsetsLostError
from consumers.pointer import Pointer, from_metadata
from consumers.source import Committed, Positions

_MEND = "choose another input.group to begin anew, or put offsets and checkpoints back together"


@dataclass(frozen=True, slots=True)
class Restart:
    """From where to go on.

    Attributes
    ----------
    content : Content or None
        What to restore; None to begin anew.
    parent : Pointer or None
        The pointer that is committed.
    next_offsets : dict of int to int
        Partition to the next offset to read.
    """

    content: Content | None
    parent: Pointer | None
    next_offsets: dict[int, int]


class Recovery:
    """Finds the point to go on from.

    Parameters
    ----------
    source : Positions
        Tells of all partitions of the topic.
    checkpoints : Checkpoints
        Those of this group and topic.
    start : {"earliest", "latest"}
        Where to begin when group and store are both new.
    """

    def __init__(self, source: Positions, checkpoints: Checkpoints, start: str) -> None:
        self._source = source
        self._checkpoints = checkpoints
        self._start = start

    def find(self, *, sweep: bool = True) -> Restart:
        """Hold committed offsets against checkpoints.

        Parameters
        ----------
        sweep : bool
            Remove what a dead writer left unfinished; only for who owns all partitions.

        Raises
        ------
        OffsetsLostError
            If they do not belong together.
        CheckpointError
            If the checkpoint is missing, damaged, or of another model, or the store cannot be read.
        """
        try:
            return self._find(sweep=sweep)
        except OSError as error:
            raise CheckpointError(
                f"checkpoint.store: cannot be read ({error}); mount it, or grant the right to read"
            ) from error

    def _find(self, *, sweep: bool) -> Restart:
        names = self._checkpoints.open(sweep=sweep)
        committed = self._source.committed()
        if all(place.offset is None for place in committed.values()):
            return self._anew(names, committed)
        pointer, manifest, content = self._newest(committed)
        self._check_topic(manifest)
        return Restart(content, pointer, self._next_offsets(committed, pointer, manifest))

    def _anew(self, names: list[str], committed: Mapping[int, Committed]) -> Restart:
        # A checkpoint of the first epoch may be an orphan: saved, and never committed.
        if any(epoch_of(name) > 1 for name in names):
            raise OffsetsLostError(
                "the group has no committed offsets, but the store holds checkpoints of it, and "
                f"learning.on_reset = 'fail': offsets expired, or the group was deleted; {_MEND}"
            )
        begin: Callable[[int], int] = self._first if self._start == "earliest" else self._last
        return Restart(None, None, {partition: begin(partition) for partition in committed})

    def _newest(self, committed: Mapping[int, Committed]) -> tuple[Pointer, Manifest, Content]:
        pointers = {
            partition: from_metadata(place.metadata)
            for partition, place in committed.items()
            if place.offset is not None
        }
        without = sorted(partition for partition, found in pointers.items() if found is None)
        if without:
            raise OffsetsLostError(
                f"partitions {without} have committed offsets without a checkpoint, and "
                f"learning.on_reset = 'fail': something else committed for this group; {_MEND}"
            )
        different = {found for found in pointers.values() if found is not None}
        newest = max(different, key=lambda pointer: pointer.epoch)
        manifest, content = self._checkpoints.load(newest)
        # A commit that was torn stored the newest pointer for some partitions only.
        strange = different - {newest, manifest.parent}
        if strange:
            raise OffsetsLostError(
                f"partitions point to checkpoints of different lineages ({newest.key}, "
                f"{min(pointer.key for pointer in strange)}), and learning.on_reset = 'fail'; "
                f"{_MEND}"
            )
        return newest, manifest, content

    def _next_offsets(
        self, committed: Mapping[int, Committed], pointer: Pointer, manifest: Manifest
    ) -> dict[int, int]:
        learned = manifest.offsets()
        result = {}
        for partition, place in committed.items():
            if partition not in learned and place.offset is None:
                result[partition] = self._first(partition)  # a new partition
                continue
            ours = from_metadata(place.metadata) == pointer
            if partition not in learned or (ours and learned[partition] != place.offset):
                raise OffsetsLostError(
                    f"partition {partition}: committed offset {place.offset}, but checkpoint "
                    f"{pointer.key} goes on at {learned.get(partition)}, and "
                    f"learning.on_reset = 'fail': offsets were reset; {_MEND}"
                )
            # Without a parent this was the first commit, and it was torn.
            if place.offset is None and manifest.parent is not None:
                raise OffsetsLostError(
                    f"partition {partition}: its committed offset is gone, and "
                    f"learning.on_reset = 'fail'; {_MEND}"
                )
            result[partition] = learned[partition]
        return result

    def _check_topic(self, manifest: Manifest) -> None:
        now = self._source.topic_id()
        if now is not None and manifest.topic_id is not None and now != manifest.topic_id:
            raise OffsetsLostError(
                f"input.topic = {manifest.topic!r}: it was deleted and made anew since the last "
                f"checkpoint, and learning.on_reset = 'fail'; {_MEND}"
            )

    def _first(self, partition: int) -> int:
        return self._source.bounds(partition)[0]

    def _last(self, partition: int) -> int:
        return self._source.bounds(partition)[1]
