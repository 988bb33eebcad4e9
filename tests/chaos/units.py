"""What counts as done: for each model its partitions, its checkpoint, and how far that goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.chaos.evidence import Committed, Evidence
from tests.chaos.stored import Complain, Pointer, Stored, opened, pointer_of
from tests.chaos.violations import Violation


@dataclass(frozen=True, slots=True)
class Unit:
    """A model and the partitions that it learns.

    Attributes
    ----------
    name : str
        `"global"`, or the partition.
    partitions : tuple of int
        Of the input.
    stored : Stored or None
        The checkpoint that the committed offsets point to.
    bounds : mapping of int to int
        Partition to the next offset that is not learned yet.
    """

    name: str
    partitions: tuple[int, ...]
    stored: Stored | None
    bounds: Mapping[int, int]


def units_of(
    evidence: Evidence, scope: str, *, torn_allowed: bool, broken: list[Violation]
) -> list[Unit]:
    """Find each model and its checkpoint; what does not fit together becomes a violation of O1.

    Parameters
    ----------
    evidence : Evidence
        All of it.
    scope : {"global", "partition"}
        One model, or one for each partition.
    torn_allowed : bool
        Whether some partitions may still point to the predecessor of the newest checkpoint.
    broken : list of Violation
        Gets what is found.
    """

    def complain(text: str) -> None:
        broken.append(Violation("O1", text))

    partitions = tuple(sorted(evidence.input))
    if scope == "global":
        return [_unit(evidence, "global", partitions, complain, torn_allowed=torn_allowed)]
    return [_unit(evidence, str(p), (p,), complain, torn_allowed=False) for p in partitions]


def _unit(
    evidence: Evidence,
    name: str,
    partitions: tuple[int, ...],
    complain: Complain,
    *,
    torn_allowed: bool,
) -> Unit:
    committed = {p: evidence.committed[p] for p in partitions if p in evidence.committed}
    bounds = {p: committed[p].offset if p in committed else 0 for p in partitions}
    pointers = _pointers(committed, complain)
    if not pointers:
        return Unit(name, partitions, None, bounds)
    newest = max(pointers.values(), key=lambda pointer: pointer.epoch)
    where = evidence.where
    if not newest.key.startswith(f"{where.group}/{where.topic}/{name}/"):
        complain(f"checkpoint {newest.key}: not where those of model {name} are kept")
    stored = opened(newest, evidence.checkpoints, complain)
    if stored is None:
        return Unit(name, partitions, None, bounds)
    behind = [p for p in partitions if pointers.get(p) != newest]
    for p in behind:
        former = pointers.get(p)
        if not torn_allowed or former != stored.parent:
            complain(
                f"partition {p} points to {former and former.key}, the newest of model {name} is "
                f"{newest.key}"
            )
    for p in set(partitions) - set(behind):
        if bounds[p] != stored.next_offsets.get(p):
            complain(
                f"partition {p} is committed at {bounds[p]}, its checkpoint {newest.key} holds "
                f"next offset {stored.next_offsets.get(p)}"
            )
    return Unit(name, partitions, stored, {p: stored.next_offsets.get(p, 0) for p in partitions})


def _pointers(committed: Mapping[int, Committed], complain: Complain) -> dict[int, Pointer]:
    found: dict[int, Pointer] = {}
    for partition, place in committed.items():
        pointer = pointer_of(place.metadata)
        if pointer is None:
            complain(
                f"partition {partition} is committed at {place.offset} without a pointer: "
                f"{place.metadata!r}"
            )
        else:
            found[partition] = pointer
    return found


def ancestors(unit: Unit, evidence: Evidence, complain: Complain) -> list[Stored]:
    """Give a unit's checkpoint and those before it, as far as the store still has them."""
    line: list[Stored] = []
    stored = unit.stored
    while stored is not None:
        line.append(stored)
        parent = stored.parent
        if parent is None or parent.key not in evidence.checkpoints:
            break
        stored = opened(parent, evidence.checkpoints, complain)
    return line


History = Sequence[Mapping[int, tuple[int, int]]]


def seen_last(evidence: Evidence) -> dict[int, tuple[int, int]]:
    """Give the committed offsets as a history has them: partition to offset and epoch."""
    pointers = {p: (c.offset, pointer_of(c.metadata)) for p, c in evidence.committed.items()}
    return {p: (offset, at.epoch) for p, (offset, at) in pointers.items() if at is not None}
