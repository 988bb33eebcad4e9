"""What `learning.on_reset` makes of offsets and checkpoints that do not belong together.

That they do not was found in `consumers.checkpoints.agreement`.
"""

import logging

from consumers.checkpoints.agreement import Claims, Disagreement
from consumers.checkpoints.lineage import Ancestry
from consumers.checkpoints.retrieval import Retrieval, Whole
from consumers.checkpoints.series import Checkpoints
from consumers.errors import OffsetsLostError
from consumers.kafka.edges import Edges
from metrics.events import OFFSETS_RESET

_log = logging.getLogger("streamfit.recovery")
ANEW = "choose another input.group to begin anew"


class Following:
    """Goes on all the same, where the settings say so.

    Parameters
    ----------
    checkpoints : Checkpoints
        Those of the model.
    retrieval : Retrieval
        Reads them.
    edges : Edges
        Where the partitions begin and end.
    on_reset : {"fail", "follow_kafka", "follow_checkpoint"}
        Which of the two to believe.
    """

    def __init__(
        self, checkpoints: Checkpoints, retrieval: Retrieval, edges: Edges, on_reset: str
    ) -> None:
        self._checkpoints = checkpoints
        self._retrieval = retrieval
        self._edges = edges
        self._on_reset = on_reset

    def decide(self, reason: Disagreement, claims: Claims) -> tuple[Whole | None, dict[int, int]]:
        """Give the checkpoint to go on from, None if there is none, and the next offsets.

        The checkpoint is that of the newest pointer committed, otherwise the newest in the store.

        Raises
        ------
        OffsetsLostError
            If the policy is to stop, or there is nothing to follow.
        CheckpointError
            If the checkpoint cannot be used.
        OSError
            If the store does not answer.
        """
        if self._on_reset == "fail":
            raise stopped(str(reason))
        _log.warning(
            "%s; going on, as learning.on_reset = %r says",
            reason,
            self._on_reset,
            extra=OFFSETS_RESET(on_reset=self._on_reset),
        )
        newest = claims.newest
        whole = self._retrieval.committed(newest) if newest else self._retrieval.newest()
        if self._on_reset == "follow_checkpoint":
            return whole, self._of_checkpoint(reason, claims, whole)
        return whole, self._of_kafka(claims, whole)

    def _of_checkpoint(
        self, reason: Disagreement, claims: Claims, whole: Whole | None
    ) -> dict[int, int]:
        if whole is None:
            raise OffsetsLostError(
                f"{reason}; learning.on_reset = 'follow_checkpoint', but checkpoint.store holds "
                f"none; set it to 'follow_kafka', or {ANEW}"
            )
        if claims.made_anew(whole.manifest):
            raise OffsetsLostError(
                f"input.topic = {whole.manifest.topic!r}: it was deleted and made anew, so the "
                f"offsets of checkpoint {whole.pointer.key} are of records that are gone; set "
                f"learning.on_reset to 'follow_kafka' instead of 'follow_checkpoint', or {ANEW}"
            )
        return own_offsets(claims, whole, self._edges)

    def _of_kafka(self, claims: Claims, whole: Whole | None) -> dict[int, int]:
        if not claims.offsets:
            return {partition: self._edges.begin(partition) for partition in claims.committed}
        if whole is None:
            return {
                partition: self._edges.first(partition) if place.offset is None else place.offset
                for partition, place in claims.committed.items()
            }
        own = own_offsets(claims, whole, self._edges)
        ancestry = Ancestry(self._checkpoints, whole.line, {whole.pointer: whole.manifest})
        result = {}
        for partition in claims.committed:
            pointer = claims.pointers.get(partition)
            manifest = (ancestry.manifest(pointer) if pointer else None) or whole.manifest
            if claims.made_anew(manifest):  # offsets of a topic that is gone mean nothing in this
                result[partition] = self._edges.begin(partition)
            else:
                result[partition] = claims.offsets.get(partition, own[partition])
        return result


def own_offsets(claims: Claims, whole: Whole, edges: Edges) -> dict[int, int]:
    """Give a checkpoint's own next offsets; the first one of a partition that it does not know."""
    known = whole.manifest.offsets()
    return {p: known[p] if p in known else edges.first(p) for p in claims.committed}


def stopped(reason: str) -> OffsetsLostError:
    """Give the error to end with where `learning.on_reset` is to stop."""
    return OffsetsLostError(
        f"{reason}, and learning.on_reset = 'fail'; set it to 'follow_kafka' or "
        f"'follow_checkpoint', put offsets and checkpoints back together, or {ANEW}"
    )
