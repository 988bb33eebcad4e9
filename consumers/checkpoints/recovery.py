"""Where to go on after a start: what the group has committed, held against its checkpoint.

Decides, and changes nothing. Never a silent fresh start. The parts of the decision: which
checkpoint is whole (`retrieval`), what came before it (`lineage`), whether Kafka says the same
(`agreement`), what if not (`following`), what the topic still has (`edges`).
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from consumers.checkpoints.agreement import Claims, Disagreement, check
from consumers.checkpoints.checkpoint import Content
from consumers.checkpoints.following import Following, own_offsets, stopped
from consumers.checkpoints.lineage import Ancestry
from consumers.checkpoints.retrieval import Retrieval, Whole
from consumers.checkpoints.series import Checkpoints, Lineage
from consumers.kafka.edges import Edges, without_gaps
from consumers.kafka.source import Committed, Positions
from metrics.events import OFFSETS_RESET, RECORDS_REDONE, TOPIC_ID_UNKNOWN

_log = logging.getLogger("streamfit.recovery")


@dataclass(frozen=True, slots=True)
class Policies:
    """What the settings say of a start.

    Attributes
    ----------
    start : {"earliest", "latest"}
        Where to begin when group and store are both new.
    on_reset : {"fail", "follow_kafka", "follow_checkpoint"}
        What to do where offsets and checkpoints do not belong together.
    on_gap : {"fail", "skip"}
        What to do where retention removed records before they were read.
    on_damaged : {"fail", "previous"}
        What to do where a checkpoint is missing or damaged.
    """

    start: str = "earliest"
    on_reset: str = "fail"
    on_gap: str = "fail"
    on_damaged: str = "fail"


@dataclass(frozen=True, slots=True)
class Restart:
    """From where to go on.

    Attributes
    ----------
    content : Content or None
        What to restore; None to begin anew.
    lineage : Lineage
        Where the next checkpoint belongs: behind the one gone on from, with an epoch above any
        that was committed or, where offsets were lost, is in the store.
    next_offsets : dict of int to int
        Partition to the next offset to read.
    skipped : dict of int to int
        Partition to the records that retention removed before they were read.
    """

    content: Content | None
    lineage: Lineage
    next_offsets: dict[int, int]
    skipped: dict[int, int]


class Recovery:
    """Finds the point to go on from, for one model.

    Parameters
    ----------
    positions : Positions
        Tells the topic's id and the bounds of its partitions.
    checkpoints : Checkpoints
        Those of the model.
    policies : Policies
        What to do where something does not fit.
    """

    def __init__(self, positions: Positions, checkpoints: Checkpoints, policies: Policies) -> None:
        self._positions = positions
        self._checkpoints = checkpoints
        self._policies = policies

    def find(self, committed: Mapping[int, Committed], *, sweep: bool = True) -> Restart:
        """Hold committed offsets against checkpoints.

        Parameters
        ----------
        committed : mapping of int to Committed
            What the group has committed for every partition of this model.
        sweep : bool
            Remove what a dead writer left unfinished; only for who owns the model.

        Raises
        ------
        OffsetsLostError
            If they do not belong together, or records are gone, and the policy is to stop.
        DamagedCheckpointError
            If the checkpoint is missing or damaged, and the policy is to stop or there is no
            whole one before it.
        CheckpointError
            If the checkpoint is of another model, another place or a newer version.
        OSError
            If the store does not answer.
        """
        names = self._checkpoints.open(sweep=sweep)
        retrieval = Retrieval(self._checkpoints, names, self._policies.on_damaged)
        edges = Edges(self._positions, self._policies.start)
        claims = Claims.of(committed, self._positions.topic_id())
        highest = claims.newest.epoch if claims.newest else 0
        try:
            whole, wanted = self._agreed(claims, retrieval, edges)
        except Disagreement as reason:
            following = Following(self._checkpoints, retrieval, edges, self._policies.on_reset)
            whole, wanted = following.decide(reason, claims)
            highest = max(highest, retrieval.newest_epoch)
        wanted = self._within_the_end(edges, wanted)
        next_offsets, skipped = without_gaps(edges, wanted, self._policies.on_gap)
        if whole is None:
            return Restart(None, Lineage(None, highest), next_offsets, skipped)
        _tell_what_is_redone(claims, whole, next_offsets)
        return Restart(whole.content, Lineage(whole.pointer, highest), next_offsets, skipped)

    def _agreed(
        self, claims: Claims, retrieval: Retrieval, edges: Edges
    ) -> tuple[Whole | None, dict[int, int]]:
        claims.check_pointers()
        if claims.newest is None:
            # A checkpoint of the first epoch may be an orphan: saved, and never committed.
            if retrieval.newest_epoch > 1:
                raise Disagreement(
                    f"the group has no committed offsets, but the store holds checkpoints of "
                    f"{self._checkpoints.place}: offsets expired, or the group was deleted"
                )
            return None, {partition: edges.begin(partition) for partition in claims.committed}
        whole = retrieval.committed(claims.newest)
        if claims.topic_id is None:
            _log.info(
                "the broker does not tell the topic's id: one made anew may go unnoticed",
                extra=TOPIC_ID_UNKNOWN(),
            )
        manifests = {whole.pointer: whole.manifest}
        check(claims, whole, Ancestry(self._checkpoints, whole.line, manifests))
        return whole, own_offsets(claims, whole, edges)

    def _within_the_end(self, edges: Edges, wanted: Mapping[int, int]) -> dict[int, int]:
        """Go on at the end where a partition ends before the next offset.

        What stands there was learned, and whatever comes next takes its offsets once more: from
        the end on nothing is learned twice, and nothing that is still to come is left out.
        """
        beyond = edges.beyond(wanted)
        if not beyond:
            return dict(wanted)
        told = "; ".join(
            f"partition {partition}: the next offset {offset} is beyond its end, "
            f"{edges.bounds(partition)[1]}"
            for partition, offset in sorted(beyond.items())
        )
        told = f"{told}: the topic was truncated or made anew"
        if self._policies.on_reset == "fail":
            raise stopped(told)
        _log.warning(
            "%s; going on at the end (learning.on_reset)",
            told,
            extra=OFFSETS_RESET(on_reset=self._policies.on_reset, partitions=sorted(beyond)),
        )
        return {p: min(offset, edges.bounds(p)[1]) for p, offset in wanted.items()}


def _tell_what_is_redone(claims: Claims, whole: Whole, next_offsets: Mapping[int, int]) -> None:
    if not whole.passed_over:
        return
    redone = sum(max(0, offset - next_offsets[p]) for p, offset in claims.offsets.items())
    _log.warning(
        "checkpoint %s is missing or damaged: going back to %s, %d records are done again and "
        "their predictions written again (learning.on_damaged = 'previous')",
        whole.line[0].key,
        whole.pointer.key,
        redone,
        extra=RECORDS_REDONE(
            records=redone, epoch=whole.pointer.epoch, checkpoint=whole.pointer.key
        ),
    )
