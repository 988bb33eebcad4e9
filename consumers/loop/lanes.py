"""Models at work on their partitions: one for all of them, or one for each.

How they come to be is in `restoring`, how their work becomes permanent in `epochs`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from consumers.checkpoints.series import Checkpoints, Lineage
from consumers.kafka.source import Committed
from consumers.loop.flow import Flow
from consumers.loop.learning import Learning
from learners.events import Records
from metrics.facts import BatchFacts


@dataclass(slots=True, eq=False)
class Lane:
    """A model at work, and how far it has come.

    Attributes
    ----------
    partition : int or None
        The one that it learns from; None if it learns from all.
    learning : Learning
        What learns.
    flow : Flow
        The way of a batch through it.
    checkpoints : Checkpoints
        Where it is kept.
    lineage : Lineage
        The checkpoint that was committed last.
    topic_id : str or None
        The broker's id of the topic when it was restored.
    next_offsets : dict of int to int
        Of each of its partitions, moved or not.
    skipped : dict of int to int
        Partition to records that retention had removed before they were read.
    is_behind : bool
        Whether what is committed is not where it goes on: records were skipped, offsets followed.
    uncheckpointed : int
        Records consumed since the last commit.
    read_ms : dict of int to int
        Partition to the timestamp of the record read last, ms since 1970 UTC.
    """

    partition: int | None
    learning: Learning
    flow: Flow
    checkpoints: Checkpoints
    lineage: Lineage
    topic_id: str | None
    next_offsets: dict[int, int]
    skipped: dict[int, int] = field(default_factory=dict)
    is_behind: bool = False
    uncheckpointed: int = 0
    read_ms: dict[int, int] = field(default_factory=dict)

    @property
    def partitions(self) -> frozenset[int]:
        """What it learns from."""
        return frozenset(self.next_offsets)

    @property
    def has_moved(self) -> bool:
        """Whether there is anything to commit."""
        return self.is_behind or self.uncheckpointed > 0

    def advance(self, records: Records, facts: BatchFacts) -> None:
        """Take note of a batch that is worked off."""
        self.next_offsets.update(facts.next_offsets)
        self.uncheckpointed += facts.consumed
        for partition, row in records.last_rows().items():
            self.read_ms[partition] = int(records.time_ms[row])

    def places(self) -> dict[int, Committed]:
        """Give the offsets as committed last, each with the pointer; empty before the first."""
        if self.lineage.parent is None:
            return {}
        metadata = self.lineage.parent.to_metadata()
        return {p: Committed(offset, metadata) for p, offset in self.next_offsets.items()}


class Lanes:
    """All models of this process."""

    def __init__(self) -> None:
        self._lanes: list[Lane] = []

    def __iter__(self) -> Iterator[Lane]:
        return iter(self._lanes)

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def uncheckpointed(self) -> int:
        """Records consumed since the last commit, of all models."""
        return sum(lane.uncheckpointed for lane in self._lanes)

    def next_offsets(self) -> dict[int, int]:
        """Give the next offset of every partition."""
        return {p: offset for lane in self._lanes for p, offset in lane.next_offsets.items()}

    def add(self, lanes: Iterable[Lane]) -> None:
        """Put models to work."""
        self._lanes += lanes

    def keep(self, groups: Iterable[frozenset[int]]) -> None:
        """Drop the models of all other groups of partitions."""
        wanted = set(groups)
        self._lanes = [lane for lane in self._lanes if lane.partitions in wanted]

    def drop(self, partitions: frozenset[int]) -> None:
        """Drop the models that learn from any of these partitions."""
        self._lanes = [lane for lane in self._lanes if not lane.partitions & partitions]

    def clear(self) -> None:
        """Drop them all."""
        self._lanes = []

    def split(self, records: Records) -> Iterator[tuple[Lane, Records]]:
        """Give each model its records; those that no model here learns from are left out."""
        if len(self._lanes) == 1 and self._lanes[0].partition is None:
            yield self._lanes[0], records
            return
        for lane in self._lanes:
            rows = np.flatnonzero(np.isin(records.partitions, list(lane.next_offsets)))
            if rows.size:
                yield lane, records.take(rows)
