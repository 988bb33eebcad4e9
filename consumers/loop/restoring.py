"""Puts models to work: finds where each goes on, and restores it from its checkpoint."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from consumers.checkpoints.pointer import from_metadata
from consumers.checkpoints.recovery import Policies, Recovery, Restart
from consumers.checkpoints.series import GLOBAL, Checkpoints
from consumers.errors import CheckpointError, EpochLostError
from consumers.kafka.source import Committed, Source
from consumers.loop.failpoints import Reach
from consumers.loop.flow import Flow
from consumers.loop.lanes import Lane
from consumers.loop.learning import Learning
from metrics.facts import RollbackReason


@dataclass(frozen=True, slots=True)
class Makers:
    """What models are made of.

    Attributes
    ----------
    learning : callable
        Makes a model that has learned nothing, with its scores and limits.
    flow : callable
        Makes the way of a batch through such a model.
    checkpoints : callable
        Opens the checkpoints of a scope: `global`, or the number of a partition.
    """

    learning: Callable[[], Learning]
    flow: Callable[[Learning], Flow]
    checkpoints: Callable[[str], Checkpoints]


class Restorer:
    """Makes lanes out of committed offsets and checkpoints.

    Parameters
    ----------
    source : Source
        Tells where the group stands.
    makers : Makers
        What models are made of.
    policies : Policies
        What to do where offsets and checkpoints do not fit.
    partitioned : bool
        Whether each partition has a model of its own.
    reach : callable
        Is told before a model is put to work.
    """

    def __init__(
        self,
        source: Source,
        makers: Makers,
        policies: Policies,
        *,
        partitioned: bool,
        reach: Reach,
    ) -> None:
        self._source = source
        self._make = makers
        self._policies = policies
        self._partitioned = partitioned
        self._reach = reach
        self._worked = False

    def groups(self, owned: frozenset[int], everything: frozenset[int]) -> set[frozenset[int]]:
        """Tell which partitions make up a model each, of those that may be learned from now.

        Nobody learns a global model before owning all partitions.
        """
        if self._partitioned:
            return {frozenset({partition}) for partition in owned}
        return {everything} if owned == everything else set()

    def restore(self, groups: Iterable[frozenset[int]], beat: Callable[[], None]) -> list[Lane]:
        """Restore the model of each group of partitions.

        Raises
        ------
        DataPolicyError
            If a policy says to stop, or the store cannot be read the first time.
        EpochLostError
            If Kafka does not answer, or a store that could be read no longer can.
        """
        try:
            lanes = self._restore_all(groups, beat)
        except OSError as error:
            text = f"checkpoint.store: cannot be read ({error}); mount it, or grant the right"
            if self._worked:
                raise EpochLostError(RollbackReason.STORE, text) from error
            raise CheckpointError(text) from error
        self._worked = True
        return lanes

    def _restore_all(
        self, groups: Iterable[frozenset[int]], beat: Callable[[], None]
    ) -> list[Lane]:
        standing = _Standing(self._source, self._source.topic_id(), self._source.committed())
        policies = self._policies
        if any(place.offset is not None for place in standing.committed().values()):
            # The group is not new, so neither are events in a partition that was added.
            policies = replace(policies, start="earliest")
        lanes = []
        for group in sorted(groups, key=min):
            beat()
            lanes.append(self._restore(group, standing, policies))
        self._reach("assigned")
        return lanes

    def _restore(self, group: frozenset[int], standing: "_Standing", policies: Policies) -> Lane:
        partition = min(group) if self._partitioned else None
        checkpoints = self._make.checkpoints(GLOBAL if partition is None else str(partition))
        committed = {p: standing.committed()[p] for p in sorted(group)}
        restart = Recovery(standing, checkpoints, policies).find(committed)
        learning = self._make.learning()
        if restart.content is not None:
            learning.restore(restart.content)
        return Lane(
            partition=partition,
            learning=learning,
            flow=self._make.flow(learning),
            checkpoints=checkpoints,
            lineage=restart.lineage,
            topic_id=standing.topic_id(),
            next_offsets=dict(restart.next_offsets),
            skipped=dict(restart.skipped),
            is_behind=_is_behind(committed, restart),
        )


def _is_behind(committed: Mapping[int, Committed], restart: Restart) -> bool:
    """Tell whether the group should be told where it goes on, even if nothing is read."""
    parent = restart.lineage.parent
    if parent is None:
        return bool(restart.skipped)
    return any(
        place.offset != restart.next_offsets[p] or from_metadata(place.metadata) != parent
        for p, place in committed.items()
    )


class _Standing:
    """Where the group stands, asked once for all models of a restore."""

    def __init__(
        self, source: Source, topic_id: str | None, committed: Mapping[int, Committed]
    ) -> None:
        self._topic_id = topic_id
        self._committed = dict(committed)
        self.bounds = source.bounds

    def topic_id(self) -> str | None:
        return self._topic_id

    def committed(self) -> dict[int, Committed]:
        return self._committed
