"""Holds what a run left behind against what was promised: O1 to O8.

Shares no code with the program that it checks, and imports none of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

from tests.chaos.evidence import Evidence
from tests.chaos.learning_rule import Folds, check_learning
from tests.chaos.ledger import ledger_of
from tests.chaos.output_rules import accounted, ordered, premature, repeated
from tests.chaos.stored import Stored
from tests.chaos.units import History, Unit, ancestors, seen_last, units_of
from tests.chaos.violations import Violation

__all__ = ["Folds", "Violation", "check"]

_MOST_TOLD = 20
_RECORDS = "streamfit_records_"


def check(
    evidence: Evidence,
    *,
    delivery: str,
    scope: str,
    metrics: Mapping[str, float] | None = None,
    history: History = (),
    faults: int = 0,
    complete: bool = True,
    folds: Folds | None = None,
) -> list[Violation]:
    """Tell which promises a run has broken.

    Parameters
    ----------
    evidence : Evidence
        What it left behind.
    delivery : {"at_least_once", "exactly_once"}
        What was promised of predictions.
    scope : {"global", "partition"}
        One model, or one for each partition.
    metrics : mapping of str to float, optional
        The samples of a scrape, as `name{label=value}`, for O7.
    history : sequence of mapping of int to (int, int)
        Committed offsets and epochs by partition, as seen one after the other, for O4.
    faults : int
        How often anything may have been done again.
    complete : bool
        Whether the run had the time to work off all of its input.
    folds : Folds, optional
        Of earlier checks of this run: this one then goes on from there.

    Returns
    -------
    list of Violation
        None where all holds; not more than 20 of a rule, the last of which counts the rest.
    """
    once = {"at_least_once": False, "exactly_once": True}[delivery]
    restarts = 0 if once else faults
    ledger = ledger_of(evidence)
    found: list[Violation] = []
    units = units_of(evidence, scope, torn_allowed=not (once or complete), broken=found)
    bounds = {p: offset for unit in units for p, offset in unit.bounds.items()}
    folds = Folds(evidence.model) if folds is None else folds
    for unit in units:
        check_learning(
            unit, ledger, folds, restarts, lambda text: found.append(Violation("O1", text))
        )
    found += accounted(ledger, bounds)
    found += repeated(ledger, restarts)
    found += premature(ledger, bounds) if once else ()
    found += _forward([*history, seen_last(evidence)])
    found += (each for unit in units for each in _lineage(unit, evidence))
    found += _worked_off(evidence) if complete else ()
    found += _closed(evidence)
    found += _added_up(metrics) if metrics is not None else ()
    found += ordered(ledger, restarts)
    return list(_at_most(_MOST_TOLD, found))


def _forward(history: History) -> Iterator[Violation]:
    """O4: neither offset nor epoch of a partition goes back, nor is it lost."""
    last: dict[int, tuple[int, int]] = {}
    for number, seen in enumerate(history):
        for partition, (offset, epoch) in seen.items():
            former = last.get(partition, (offset, epoch))
            went = f"partition {partition} went from offset {former[0]} (epoch {former[1]}) to "
            went += f"{offset} (epoch {epoch}), seen at {number}"
            if offset < former[0] or epoch < former[1]:
                yield Violation("O4", went)
            elif offset != former[0] and epoch == former[1]:
                yield Violation("O4", f"{went}: no new epoch")
        for partition in last.keys() - seen.keys():
            text = f"partition {partition} has lost its committed offset, seen at {number}"
            yield Violation("O4", text)
        last |= seen


def _lineage(unit: Unit, evidence: Evidence) -> Iterator[Violation]:
    """O4, as the checkpoints themselves tell it."""
    texts: list[str] = []
    for child, parent in pairwise(ancestors(unit, evidence, texts.append)):
        names = f"checkpoint {child.pointer.key} (epoch {child.epoch}) follows on "
        names += f"{parent.pointer.key} (epoch {parent.epoch})"
        if child.epoch <= parent.epoch:
            texts.append(names)
        texts += [f"{names}, with lower offsets of partition {p}" for p in _lower(child, parent)]
    yield from (Violation("O4", text) for text in texts)


def _lower(child: Stored, parent: Stored) -> list[int]:
    offsets = parent.next_offsets
    return [p for p in offsets if child.next_offsets.get(p, -1) < offsets[p]]


def _worked_off(evidence: Evidence) -> Iterator[Violation]:
    """O5: the committed offset is the end of the input; markers of transactions may follow."""
    high = {end.partition: end.high for end in evidence.ends if end.topic == evidence.where.topic}
    for partition, records in evidence.input.items():
        end = records[-1].offset + 1 if records else 0
        committed = evidence.committed.get(partition)
        offset = committed.offset if committed else 0
        if offset < end or offset > max(end, high.get(partition, end)):
            text = f"partition {partition} is committed at {offset}, its input ends at {end}"
            yield Violation("O5", text)


def _closed(evidence: Evidence) -> Iterator[Violation]:
    """O6: no transaction is open."""
    if not evidence.offsets_stable:
        yield Violation("O6", "an open transaction holds the committed offsets of the group")
    for end in evidence.ends:
        if end.topic != evidence.where.topic and end.stable != end.high:
            yield Violation(
                "O6",
                f"an open transaction holds {end.topic}/{end.partition}: it ends at {end.high}, "
                f"and can be read up to {end.stable}",
            )


def _added_up(metrics: Mapping[str, float]) -> Iterator[Violation]:
    """O7: what came in is what became of it."""
    count: Counter[str] = Counter()
    for sample, value in metrics.items():
        name = sample.partition("{")[0]
        if name.startswith(_RECORDS) and name.endswith("_total"):
            count[name.removeprefix(_RECORDS).removesuffix("_total")] += int(value)
    for whole, *parts in (
        ("consumed", "decoded", "rejected", "skipped"),
        ("decoded", "learned", "unlabelled", "poisoned"),
    ):
        told = " + ".join(f"{count[part]} {part}" for part in parts)
        if whole not in count:
            yield Violation("O7", f"no sample of {_RECORDS}{whole}_total")
        elif count[whole] != sum(count[part] for part in parts):
            yield Violation("O7", f"{count[whole]} {whole} are not {told}")


def _at_most(limit: int, found: Iterable[Violation]) -> Iterator[Violation]:
    by_rule: dict[str, list[Violation]] = {}
    for violation in dict.fromkeys(found):
        by_rule.setdefault(violation.rule, []).append(violation)
    for rule, violations in sorted(by_rule.items()):
        yield from violations[: limit - (len(violations) > limit)]
        if len(violations) > limit:
            yield Violation(rule, f"and {len(violations) - limit + 1} more")
