"""Whether what a group has committed and what its checkpoint says belong together.

Only finds out. What is done where they do not is `learning.on_reset`, in `following`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from consumers.checkpoints.checkpoint import Manifest
from consumers.checkpoints.lineage import Ancestry
from consumers.checkpoints.pointer import Pointer, from_metadata
from consumers.checkpoints.retrieval import Whole
from consumers.errors import KafkaUnreachableError
from consumers.kafka.source import Committed


class Disagreement(Exception):  # noqa: N818 - no error yet: a policy says what comes of it
    """Why offsets and checkpoints do not belong together; never leaves a start."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What Kafka says.

    Attributes
    ----------
    committed : mapping of int to Committed
        Every partition of the model.
    topic_id : str or None
        The broker's id of the topic; None where it cannot tell.
    pointers : dict of int to Pointer
        Partition to the pointer committed with its offset, where there is one.
    """

    committed: Mapping[int, Committed]
    topic_id: str | None
    pointers: dict[int, Pointer]

    @classmethod
    def of(cls, committed: Mapping[int, Committed], topic_id: str | None) -> "Claims":
        """Read the pointers among what is committed."""
        found = {
            partition: from_metadata(place.metadata)
            for partition, place in committed.items()
            if place.offset is not None
        }
        return cls(committed, topic_id, {p: pointer for p, pointer in found.items() if pointer})

    @property
    def offsets(self) -> dict[int, int]:
        """Partition to committed offset, where there is one."""
        return {p: place.offset for p, place in self.committed.items() if place.offset is not None}

    @property
    def newest(self) -> Pointer | None:
        """The pointer of the highest epoch; of several, the one that most partitions have."""
        counts = Counter(self.pointers.values())
        return max(counts, key=lambda one: (one.epoch, counts[one], one.key), default=None)

    def check_pointers(self) -> None:
        """Look for offsets that somebody else committed.

        Raises
        ------
        Disagreement
            If there are any.
        """
        without = sorted(self.offsets.keys() - self.pointers.keys())
        if without:
            raise Disagreement(
                f"partitions {without} have committed offsets without a checkpoint: something "
                "else committed for this group"
            )

    def made_anew(self, manifest: Manifest) -> bool:
        """Tell whether a checkpoint is of a topic that is gone, though it had the same name.

        Raises
        ------
        KafkaUnreachableError
            If it is the same topic, but the broker does not tell all its partitions.
        """
        if self.topic_id is not None and manifest.topic_id is not None:
            if self.topic_id != manifest.topic_id:
                return True
            if untold := self._untold(manifest):
                raise KafkaUnreachableError(
                    f"input.topic = {manifest.topic!r}: the broker does not tell of partitions "
                    f"{untold}, which the checkpoint knows; start again"
                )
        # Where no id tells, fewer partitions do: a topic never loses any.
        return bool(self._untold(manifest))

    def _untold(self, manifest: Manifest) -> list[int]:
        return sorted(manifest.offsets().keys() - self.committed.keys())


def check(claims: Claims, whole: Whole, ancestry: Ancestry) -> None:
    """Hold what is committed against the newest whole checkpoint.

    Where this passes, the checkpoint's own next offsets are the ones to go on from, for a torn
    commit as well; a partition that it does not know is new.

    Raises
    ------
    Disagreement
        If they do not belong together.
    """
    if claims.made_anew(whole.manifest):
        raise Disagreement(
            f"input.topic = {whole.manifest.topic!r}: it was deleted and made anew since the last "
            "checkpoint"
        )
    _check_lineage(claims, ancestry)
    for partition, place in claims.committed.items():
        if place.offset is None:
            _check_nothing_gone(partition, claims, ancestry)
        else:
            _check_offset(partition, place.offset, claims.pointers[partition], whole, ancestry)


def _check_lineage(claims: Claims, ancestry: Ancestry) -> None:
    # A commit that was torn stored the newest pointer for some partitions only.
    for pointer in sorted(set(claims.pointers.values()), key=lambda one: -one.epoch):
        if not ancestry.has(pointer):
            assert claims.newest  # noqa: S101 - there is this pointer
            raise Disagreement(
                f"partitions point to checkpoints of different lineages ({claims.newest.key}, "
                f"{pointer.key}; the first one's was followed down to {ancestry.end.key})"
            )


def _check_nothing_gone(partition: int, claims: Claims, ancestry: Ancestry) -> None:
    # Either the partition is new, or every commit since it was added was torn, or it is gone.
    oldest = min(pointer.epoch for pointer in claims.pointers.values())
    if ancestry.had_offset(partition, oldest):
        raise Disagreement(f"partition {partition}: its committed offset is gone")


def _check_offset(
    partition: int, offset: int, pointer: Pointer, whole: Whole, ancestry: Ancestry
) -> None:
    manifest = ancestry.manifest(pointer)
    if manifest is not None and manifest.offsets().get(partition) != offset:
        goes_on = manifest.offsets().get(partition)
        told = "does not know the partition" if goes_on is None else f"goes on at {goes_on}"
        raise Disagreement(
            f"partition {partition}: committed offset {offset}, but its checkpoint {pointer.key} "
            f"{told}: offsets were reset"
        )
    # An older checkpoint, gone back to, may well not know a partition that was added since.
    gone_back = pointer.epoch > whole.pointer.epoch
    if partition not in whole.manifest.offsets() and not gone_back:
        raise Disagreement(
            f"partition {partition}: committed offset {offset}, but checkpoint "
            f"{whole.pointer.key} does not know the partition"
        )
