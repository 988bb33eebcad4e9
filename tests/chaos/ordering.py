"""The order of learning, as `model_version` tells it.

Over the labelled events the versions run 0 to n - 1, each once; unlabelled events of a version
stand before the labelled one.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chaos.inputs import Event
from tests.chaos.oracle import Fold
from tests.chaos.outputs import Place, Prediction
from tests.chaos.stored import Complain


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """An event, all that was said of it, and which of that counts: the last, if not known better.

    Attributes
    ----------
    event : Event
        What was read.
    copies : tuple of Prediction
        In the order of the output.
    counts : Prediction
        One of them.
    """

    event: Event
    copies: tuple[Prediction, ...]
    counts: Prediction

    @property
    def version(self) -> int:
        """Labelled events learned before it."""
        return self.counts.version

    @property
    def labelled(self) -> bool:
        """Whether it is learned."""
        return self.event.label is not None

    @property
    def place(self) -> Place:
        """Partition and offset of the event."""
        return self.event.partition, self.event.offset

    @property
    def name(self) -> str:
        """Partition and offset, for a complaint."""
        return f"{self.event.partition}/{self.event.offset}"


@dataclass(slots=True, eq=False)
class Turn:
    """The events of one version: those without a label, then at most one with a label."""

    unlabelled: list[Told] = field(default_factory=list)
    labelled: Told | None = None

    def events(self) -> list[Told]:
        """All of them."""
        return [*self.unlabelled, *([self.labelled] if self.labelled else [])]

    def places(self) -> list[Place]:
        """Partition and offset of each, sorted."""
        return sorted(told.place for told in self.events())


def turns_of(told: Mapping[int, Sequence[Told]], complain: Complain) -> list[Turn] | None:
    """Put the events of a model into turns; None, with reasons, if the versions do not add up.

    Parameters
    ----------
    told : mapping of int to sequence of Told
        Of each source partition, by offset.
    complain : callable
        Takes what is wrong.
    """
    every = [each for partition in told for each in told[partition]]
    n_learned = sum(each.labelled for each in every)
    turns = [Turn() for _ in range(n_learned + 1)]
    before = _complaints(told)
    for each in every:
        if each.version > n_learned or (each.version == n_learned and each.labelled):
            before.append(
                f"event {each.name} has model version {each.version}, but only {n_learned} events "
                "have a label"
            )
        elif not each.labelled:
            turns[each.version].unlabelled.append(each)
        elif (other := turns[each.version].labelled) is not None:
            before.append(f"events {other.name} and {each.name} both have version {each.version}")
        else:
            turns[each.version].labelled = each
    gaps = [version for version, turn in enumerate(turns[:-1]) if turn.labelled is None]
    if gaps:
        before.append(
            f"{len(gaps)} of {n_learned} model versions have no labelled event, first {gaps[0]}"
        )
    for text in before:
        complain(text)
    return None if before else turns


def _complaints(told: Mapping[int, Sequence[Told]]) -> list[str]:
    return [
        f"event {later.name} has model version {later.version}, less than follows from version "
        f"{former.version} of event {former.name}, which stands before it"
        for partition in told
        for former, later in pairwise(told[partition])
        if later.version < former.version + former.labelled
    ]


def other_choices(told: Mapping[int, Sequence[Told]]) -> Iterator[dict[int, list[Told]]]:
    """Choose other copies than the last ones, where those do not give an order.

    A process that was stopped and had lost its partitions may still send what it said before,
    after its successor has said something else of the same events. What it says is no order to
    the end, but what the successor said is: found from the end, version by version. Where both
    came to the same events, either may have been first; the fold tells which is right.
    """
    if all(copy.version == each.version for p in told for each in told[p] for copy in each.copies):
        return
    for late in (True, False):
        chosen = _from_the_end(told, late=late)
        if chosen is not None:
            yield chosen


def _from_the_end(
    told: Mapping[int, Sequence[Told]], *, late: bool
) -> dict[int, list[Told]] | None:
    tails = {partition: list(events) for partition, events in told.items()}
    chosen: dict[int, list[Told]] = {partition: [] for partition in told}
    version = sum(each.labelled for events in told.values() for each in events)
    while True:
        for partition, queue in tails.items():
            while queue and not queue[-1].labelled and version in _versions(queue[-1]):
                chosen[partition].append(_with(queue.pop(), version))
        if not any(tails.values()):
            return {partition: events[::-1] for partition, events in chosen.items()}
        version -= 1
        ready = [
            p for p, q in tails.items() if q and q[-1].labelled and version in _versions(q[-1])
        ]
        if not ready:
            return None
        last = [p for p in ready if (tails[p][-1].version == version) is late]
        partition = (last or ready)[0]
        chosen[partition].append(_with(tails[partition].pop(), version))


def _versions(told: Told) -> set[int]:
    return {copy.version for copy in told.copies}


def _with(told: Told, version: int) -> Told:
    copies = [copy for copy in told.copies if copy.version == version]
    return Told(told.event, told.copies, copies[-1])


def fold_turn(fold: Fold, turn: Turn) -> None:
    """Let a fold learn the events of a turn.

    The order of unlabelled events from several partitions is not told; it shows in what was said
    of them.
    """
    queues: dict[int, deque[Told]] = {}
    for told in sorted(turn.unlabelled, key=lambda told: told.event.offset):
        queues.setdefault(told.event.partition, deque()).append(told)
    while queues:
        partition = _next(fold, {p: queue[0] for p, queue in queues.items()})
        fold.advance(queues[partition].popleft().event)
        queues = {p: queue for p, queue in queues.items() if queue}
    if turn.labelled is not None:
        fold.advance(turn.labelled.event)


def _next(fold: Fold, heads: Mapping[int, Told]) -> int:
    def sent(partition: int) -> tuple[int, int, int]:
        record = heads[partition].counts.record
        return record.time_ms, record.partition, record.offset

    ordered = sorted(heads, key=sent)
    if len(ordered) == 1:
        return ordered[0]
    for partition in ordered:
        counts = heads[partition].counts
        if fold.glance(heads[partition].event).agrees(counts.value, counts.probability):
            return partition
    return ordered[0]
