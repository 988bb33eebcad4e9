"""What was done in a round and what came of it: the figures of the table at the end."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.violations import Violation


@dataclass
class Tally:
    """Figures of one round.

    Attributes
    ----------
    delivery, scope : str
        The combination.
    static : bool
        Whether replicas had names in the group.
    kills, early_kills : Counter
        kill -9 by failpoint (`random`: at any moment), after progress since the one before, and
        before any.
    missed : Counter
        Failpoints that a replica did not reach in time.
    others : Counter
        All other faults, by kind.
    restarts : Counter
        Exit codes after which a replica was started again.
    clean_takeovers_s, takeovers_s : list of float
        Seconds from SIGTERM, and from kill -9 or SIGSTOP, to the next commit of the replica's
        partitions by another.
    events, repeats : int
        Records of the input; predictions beyond one for each event.
    seconds : float
        From the start to the end of the last replica.
    violations : list of Violation
        Broken promises.
    """

    delivery: str
    scope: str
    static: bool = True
    kills: Counter[str] = field(default_factory=Counter)
    early_kills: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    restarts: Counter[int] = field(default_factory=Counter)
    clean_takeovers_s: list[float] = field(default_factory=list)
    takeovers_s: list[float] = field(default_factory=list)
    events: int = 0
    repeats: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """All faults: after each of them predictions may repeat under `at_least_once`."""
        counts = (self.kills, self.early_kills, self.others)
        return sum(count.total() for count in counts) + self.restarts.total()

    def as_json(self) -> str:
        """Give everything as one line of JSON."""
        return json.dumps(vars(self), default=str)


def line(number: int, tally: Tally) -> str:
    """Tell of one round in one line."""
    takeovers = ", ".join(f"{each:.1f}" for each in tally.takeovers_s + tally.clean_takeovers_s)
    words = [
        f"round {number}: {tally.delivery} {tally.scope}{'' if tally.static else ' dynamic'}:",
        f"{tally.kills.total()} kills (+{tally.early_kills.total()} before progress),",
        *(f"{count} x {kind}," for kind, count in sorted(tally.others.items())),
        f"{tally.events} events in {tally.seconds:.0f} s, {tally.repeats} repeats,",
        *([f"taken over after {takeovers} s,"] if takeovers else []),
        *([f"not reached: {dict(tally.missed)},"] if tally.missed else []),
        f"{len(tally.violations)} violations",
    ]
    return " ".join(words)


def table(tallies: Sequence[Tally]) -> str:
    """Give one line for each combination, all rounds together."""
    head = ("combination", "rounds", "kills", "early", "freezes", "others", "restarts", "events")
    rows: list[tuple[Any, ...]] = [(*head, "repeats", "violations")]
    for pair in sorted({(each.delivery, each.scope) for each in tallies}):
        mine = [each for each in tallies if (each.delivery, each.scope) == pair]
        others = _sum(each.others for each in mine)
        freezes = sum(count for kind, count in others.items() if kind.startswith("freeze"))
        rows.append(
            (
                " + ".join(pair),
                len(mine),
                sum(each.kills.total() for each in mine),
                sum(each.early_kills.total() for each in mine),
                freezes,
                others.total() - freezes,
                sum(each.restarts.total() for each in mine),
                sum(each.events for each in mine),
                sum(each.repeats for each in mine),
                sum(len(each.violations) for each in mine),
            )
        )
    by_point = _sum(each.kills for each in tallies)
    return "\n".join([*_aligned(rows), "", f"kills by point: {dict(sorted(by_point.items()))}"])


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _aligned(rows: Sequence[Sequence[Any]]) -> list[str]:
    widths = [max(len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
