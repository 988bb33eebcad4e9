"""O2, O3 and O8: what became of each event, how often it was told, and in which order."""

from collections.abc import Iterator, Mapping, Sequence

from tests.chaos.evidence import Record
from tests.chaos.inputs import Event
from tests.chaos.ledger import Ledger
from tests.chaos.outputs import Letter, Place, Prediction, holds
from tests.chaos.violations import Violation

Bounds = Mapping[int, int]


def accounted(ledger: Ledger, bounds: Bounds) -> Iterator[Violation]:
    """O2: each record below the committed offset has become one thing, and the right one."""
    yield from ledger.unreadable
    for (partition, offset), record in ledger.records.items():
        wrong = list(_wrong_fates(ledger, record))
        if offset < bounds.get(partition, 0) and _is_lost(ledger, record):
            wrong.append(
                "is below the committed offset, and neither in the predictions nor in the dead "
                "letters"
            )
        yield from (Violation("O2", f"record {partition}/{offset} {text}") for text in wrong)
    for kind, found in (("prediction", ledger.said), ("dead letter", ledger.refused)):
        for place in sorted(found.keys() - ledger.records.keys()):
            yield Violation("O2", f"{kind} of record {place[0]}/{place[1]}, which is not there")


def _wrong_fates(ledger: Ledger, record: Record) -> Iterator[str]:
    place = record.partition, record.offset
    said, letters = ledger.said.get(place, []), ledger.refused.get(place, [])
    event = ledger.events.get(place)
    if record.value is None and (said or letters):
        yield "is a tombstone, and has a prediction or dead letter"
    elif said and letters:
        yield "has both a prediction and a dead letter"
    elif said and event is None:
        yield "is no valid event, and has a prediction"
    elif event is not None:
        yield from _not_of(event, said)
        if event.plain:
            stages = {letter.stage for letter in letters} - (set() if event.tame else {"learn"})
            yield from (f"is a valid event, and a dead letter of stage {s}" for s in stages)
    right = {"key": record.key, "value": record.value}
    if not all(holds(each.record, what, right[what]) for each in letters for what in right):
        yield "has a dead letter with another key or value"


def _is_lost(ledger: Ledger, record: Record) -> bool:
    place = record.partition, record.offset
    known = place in ledger.said or place in ledger.refused
    return record.value is not None and not known


def _not_of(event: Event, said: Sequence[Prediction]) -> Iterator[str]:
    for each in said:
        if each.id != event.id or type(each.id) is not type(event.id):
            yield f"has id {event.id!r}, its prediction {each.id!r}"
        if not holds(each.record, "key", event.key):
            yield f"has key {event.key!r}, its prediction {each.record.key!r}"


def repeated(ledger: Ledger, restarts: int) -> Iterator[Violation]:
    """O3: nothing is told more often than `restarts` explain, and then with the same id."""
    found: dict[str, Mapping[Place, Sequence[Prediction | Letter]]] = {
        "prediction": ledger.said,
        "dead letter": ledger.refused,
    }
    for kind, copies_of in found.items():
        for (partition, offset), copies in copies_of.items():
            where = f"{kind} of record {partition}/{offset}"
            if len(copies) > 1 + restarts:
                at = ", ".join(f"{c.record.partition}/{c.record.offset}" for c in copies[:5])
                yield Violation("O3", f"{where} stands {len(copies)} times, at {at}")
            ids = {each.id for each in copies if isinstance(each, Prediction)}
            if len(ids) > 1:
                yield Violation("O3", f"{where}: repeats have ids {sorted(map(str, ids))}")


def premature(ledger: Ledger, bounds: Bounds) -> Iterator[Violation]:
    """O3 under `exactly_once`: what can be read was committed with it, or it would be repeated."""
    for kind, places in (("prediction", ledger.said), ("dead letter", ledger.refused)):
        for partition, offset in places:
            bound = bounds.get(partition, 0)
            if offset >= bound:
                where = f"{kind} of record {partition}/{offset}"
                yield Violation("O3", f"{where} can be read, but only {bound} is committed")


def ordered(ledger: Ledger, restarts: int) -> Iterator[Violation]:
    """O8: in each output partition, the events of each source partition stand in order."""
    for kind, logs in (("predictions", ledger.predictions), ("dead letters", ledger.letters)):
        homes: dict[Place, int] = {}
        for output, log in logs.items():
            sources: dict[int, list[int]] = {}
            for each in log:
                sources.setdefault(each.place[0], []).append(each.place[1])
                if (home := homes.setdefault(each.place, output)) != output:
                    where = f"record {each.place[0]}/{each.place[1]}"
                    both = f"{where} is in partitions {home} and {output} of the {kind}"
                    yield Violation("O8", both)
            for source, offsets in sources.items():
                text = disorder(offsets, restarts)
                if text is not None:
                    where = f"{kind} of partition {source} in output partition {output}"
                    yield Violation("O8", f"{where}: {text}")


def disorder(offsets: Sequence[int], restarts: int) -> str | None:
    """Tell where a sequence is more than gap-free runs, each begun after a restart.

    A run begins at or below what follows the end of the one before. One that was given up may be
    gone on with: a process that was stopped still sends what it had said.

    Parameters
    ----------
    offsets : sequence of int
        Of one source partition, as they stand in one output partition.
    restarts : int
        How many runs may begin anew.

    Examples
    --------
    >>> disorder([0, 2, 5, 2, 5, 7], restarts=1) is None
    True
    >>> disorder([0, 2, 5, 2, 5, 7], restarts=0)
    'offset 2 after 5, and no fault to explain it'
    >>> disorder([0, 5, 2, 5], restarts=1)
    'offset 5 after 0, and 2 comes between them'
    """
    in_order = sorted(set(offsets))
    rank = {offset: position for position, offset in enumerate(in_order)}
    ends = [-1]
    for offset in offsets:
        at = rank[offset]
        if at - 1 in ends:
            ends.remove(at - 1)
        elif at > ends[-1] + 1:
            former = in_order[ends[-1]] if ends[-1] >= 0 else "nothing"
            return (
                f"offset {offset} after {former}, and {in_order[ends[-1] + 1]} comes between them"
            )
        elif len(ends) > restarts:
            return f"offset {offset} after {in_order[ends[-1]]}, and no fault to explain it"
        ends.append(at)
    return None
