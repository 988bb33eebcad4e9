"""Going back: a copy of an older checkpoint becomes the committed one, its offsets with it.

What is to be done is planned first and changes nothing; then it is carried out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from consumers.checkpoints.agreement import Claims
from consumers.checkpoints.checkpoint import Content, Manifest
from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Checkpoints, Lineage
from consumers.errors import (
    CheckpointError,
    FencedError,
    KafkaUnreachableError,
    OffsetsLostError,
    SettingsError,
)
from consumers.kafka.edges import Edges, without_gaps
from consumers.kafka.source import Committed, Positions
from consumers.models.standing import Line, choose, follow, pointer_to
from consumers.models.stored import Catalogue


class Offsets(Positions, Protocol):
    """Where a group without members stands. All methods raise a StreamfitError on failure."""

    def commit(self, next_offsets: Mapping[int, int], metadata: str) -> None:
        """Commit in one request, each offset with the same string."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What going back would do.

    Attributes
    ----------
    committed : Pointer
        The checkpoint that is committed now.
    target : Pointer
        The one to go back to.
    manifest, content
        What it holds.
    before, after : dict of int to int
        Partition to next offset, as committed now and then.
    walked_by : str
        How the target was found: `lineage`, or `names` where the lineage is broken.
    gone : dict of int to int
        Partition to the number of records between `after` and the beginning of the log.
    """

    committed: Pointer
    target: Pointer
    manifest: Manifest
    content: Content
    before: dict[int, int]
    after: dict[int, int]
    walked_by: str
    gone: dict[int, int]


class Rollback:
    """Plans to go back, and does it.

    Parameters
    ----------
    catalogue : Catalogue
        The checkpoints as they are.
    checkpoints : Checkpoints
        The same, held against the settings.
    offsets : Offsets
        Of the group, for the partitions of the model.
    edges : Edges
        Where those begin and end.
    on_gap : {"fail", "skip"}
        What to do where retention removed records that would be read again.
    fits : callable
        Raises a CheckpointError for content that the settings' model cannot take over.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        checkpoints: Checkpoints,
        offsets: Offsets,
        edges: Edges,
        on_gap: str,
        fits: Callable[[Content], None],
    ) -> None:
        self._catalogue = catalogue
        self._checkpoints = checkpoints
        self._offsets = offsets
        self._edges = edges
        self._on_gap = on_gap
        self._fits = fits

    def plan(self, wanted: str) -> Plan:
        """Find the checkpoint and see that one can go back to it. Changes nothing.

        Parameters
        ----------
        wanted : str
            Its epoch or name.

        Raises
        ------
        SettingsError
            If there is no such checkpoint, or it is the committed one.
        CheckpointError
            If it is not of the committed lineage, damaged, or of other settings.
        OffsetsLostError
            If the topic is another one now, or no longer holds what would be read.
        OSError
            If the store does not answer.
        """
        claims = Claims.of(self._offsets.committed(), self._offsets.topic_id())
        committed = self._committed(claims)
        there = self._catalogue.describe(self._catalogue.keys())
        line = follow(committed, there)
        key = choose(wanted, there, line)
        self._require_older(key, committed, line)
        target, manifest, content = self._read(key, pointer_to(key, there, claims))
        self._fits(content)
        after = self._after(claims, manifest)
        _, gone = without_gaps(self._edges, after, self._on_gap)
        return Plan(
            committed=committed,
            target=target,
            manifest=manifest,
            content=content,
            before=claims.offsets,
            after=after,
            walked_by="lineage" if line.holds(key) else "names",
            gone=gone,
        )

    def _committed(self, claims: Claims) -> Pointer:
        if claims.newest is None:
            raise OffsetsLostError(
                f"{self._catalogue.place}: no committed offset points to a checkpoint, so there is "
                "no lineage to go back in; run with learning.on_reset = 'follow_checkpoint'"
            )
        return claims.newest

    def carry_out(self, plan: Plan) -> Pointer:
        """Save the copy, commit it, and read back what is committed.

        Raises
        ------
        FencedError
            If the group has a member, or something else commits for it.
        KafkaUnreachableError
            If Kafka does not take the commit, or not for all partitions.
        OSError
            If the store refuses.
        """
        lineage = Lineage(plan.committed, plan.committed.epoch)
        topic_id = plan.manifest.topic_id
        pointer = self._checkpoints.save(plan.content, plan.after, lineage, topic_id)
        metadata = pointer.to_metadata()
        try:
            self._offsets.commit(plan.after, metadata)
        except KafkaUnreachableError:
            # The request may have arrived all the same: what is true is what is committed.
            if not self._is_committed(plan.after, metadata):
                raise
        if not self._is_committed(plan.after, metadata):
            raise FencedError(
                f"{self._catalogue.place}: other offsets are committed than those of checkpoint "
                f"{pointer.key}; something else commits for this group: stop it and try again"
            )
        return pointer

    def _require_older(self, key: str, committed: Pointer, line: Line) -> None:
        if key == committed.key:
            raise SettingsError(f"{key}: is the committed checkpoint; name an older one")
        if line.holds(key) is False:
            older = ", ".join(name.rpartition("/")[2] for name in line.keys[1:]) or "none"
            raise CheckpointError(
                f"checkpoint {key}: not of the committed lineage; those one can go back to: {older}"
            )

    def _read(self, key: str, pointer: Pointer | None) -> tuple[Pointer, Manifest, Content]:
        if pointer is None:
            return self._checkpoints.read(key)
        return pointer, *self._checkpoints.load(pointer)

    def _after(self, claims: Claims, manifest: Manifest) -> dict[int, int]:
        if claims.made_anew(manifest):
            raise OffsetsLostError(
                f"input.topic = {manifest.topic!r}: it was deleted and made anew since that "
                "checkpoint, so its offsets mean other records; choose another input.group"
            )
        # What was learned of a partition that the checkpoint does not know is undone as well.
        known = manifest.offsets()
        return {
            p: known[p] if p in known else self._edges.first(p) for p in sorted(claims.committed)
        }

    def _is_committed(self, after: Mapping[int, int], metadata: str) -> bool:
        committed = self._offsets.committed()
        return all(committed.get(p) == Committed(at, metadata) for p, at in after.items())
