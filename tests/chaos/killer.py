"""The plans: which fault comes when. Everything that chance decides is decided here, by a seed."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")

# Reached with every batch, with every epoch, and once after a start.
BATCH_POINTS = ("consumed", "decoded", "learned", "predicted")
EPOCH_POINTS = ("flushed", "saving", "saved", "offsets_sent", "committed", "gc")
START_POINT = "assigned"
POINTS = (*BATCH_POINTS, *EPOCH_POINTS, START_POINT)
DELIVERIES = ("at_least_once", "exactly_once")
SCOPES = ("global", "partition")
COMBINATIONS = tuple((delivery, scope) for delivery in DELIVERIES for scope in SCOPES)
PARTITIONS = 4
MOST_REPLICAS = 4


class Kind(StrEnum):
    """What is done."""

    POINT = "kill at a failpoint"
    KILL = "kill"
    FREEZE = "freeze"
    FREEZE_POINT = "freeze at a failpoint"
    ABANDON = "kill, and leave it down until another has taken over"
    LEAVE = "a replica leaves"
    JOIN = "a replica joins"
    ALL = "all restart together"
    BROKER = "broker restart"
    STORM = "30 kills without a pause"


RARE = (
    *(Kind.FREEZE, Kind.FREEZE_POINT, Kind.ABANDON, Kind.LEAVE),
    *(Kind.JOIN, Kind.ALL, Kind.STORM),
)
DYNAMIC = (Kind.LEAVE, Kind.JOIN, Kind.LEAVE, Kind.KILL, Kind.FREEZE, Kind.ABANDON)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes
    ----------
    kind : Kind
        What.
    point : str
        Name of the failpoint, if there is one.
    nth : int
        At which time that the process reaches it.
    delay_s : float
        After the progress that is waited for; of a broker: how long it is away.
    victim : int
        Which of the replicas that work, modulo their number.
    pauses_s : tuple of float
        Between the kills of a storm.
    """

    kind: Kind
    point: str = ""
    nth: int = 1
    delay_s: float = 0.0
    victim: int = 0
    pauses_s: tuple[float, ...] = ()

    @property
    def failpoint(self) -> str:
        """What the environment of the process says."""
        action = "stop" if self.kind is Kind.FREEZE_POINT else "kill"
        return f"{self.point}:{self.nth}={action}" if self.point else ""

    def __str__(self) -> str:
        return f"{self.kind} {self.failpoint}".strip()


@dataclass(frozen=True)
class Plan:
    """One round.

    Attributes
    ----------
    seed : int
        Decides the input.
    delivery, scope : str
        Of the model.
    replicas : int
        At the start.
    faults : tuple of Fault
        One after the other.
    rate : float
        Records a second.
    static : bool
        Whether replicas have names in the group, and so come back to their places at once.
    """

    seed: int
    delivery: str
    scope: str
    replicas: int
    faults: tuple[Fault, ...]
    rate: float = 300.0
    static: bool = True


def points(delivery: str) -> tuple[str, ...]:
    """Give the failpoints that a delivery passes."""
    transactions = delivery == "exactly_once"
    return tuple(point for point in POINTS if transactions or point != "offsets_sent")


def kill_at(point: str, chance: random.Random) -> Fault:
    """Make a kill at a failpoint, late enough in most lives that an epoch has ended before it."""
    if point == START_POINT:
        nth = 1
    elif point in EPOCH_POINTS:
        nth = chance.randint(2, 6)
    else:
        nth = chance.randint(15, 45)
    return Fault(Kind.POINT, point, nth, victim=chance.randrange(MOST_REPLICAS))


def kill(chance: random.Random) -> Fault:
    """Make a kill at any moment."""
    return Fault(
        Kind.KILL, delay_s=chance.uniform(0.0, 0.3), victim=chance.randrange(MOST_REPLICAS)
    )


def battery(seed: int, delivery: str, scope: str, kills: int) -> Plan:
    """Plan nothing but kill -9: at every failpoint in turn, and a quarter of them at any moment."""
    chance = random.Random(f"{seed}/{delivery}/{scope}")  # noqa: S311 a plan, not a secret
    deck = _decks(points(delivery), chance)
    faults = tuple(
        kill(chance) if number % 4 == 3 else kill_at(next(deck), chance) for number in range(kills)
    )
    return Plan(chance.getrandbits(32), delivery, scope, 2, faults)


def dealt(delivery: str, scope: str) -> tuple[str, ...]:
    """Give the failpoints of a short run: the two scopes share those of a delivery."""
    return tuple(points(delivery))[scope == "partition" :: 2]


def fixed(seed: int, delivery: str, scope: str) -> Plan:
    """Plan the short run: a kill at each of its failpoints, one at any moment, in random order."""
    chance = random.Random(f"{seed}/{delivery}/{scope}")  # noqa: S311 a plan, not a secret
    faults = [kill_at(point, chance) for point in dealt(delivery, scope)]
    faults += [kill(chance)]
    chance.shuffle(faults)
    return Plan(chance.getrandbits(32), delivery, scope, 2, tuple(faults), rate=150.0)


def mixtures(seed: int, *, broker_is_mortal: bool) -> Iterator[Plan]:
    """Plan rounds without end: the combinations in turn, and every kind of fault in each.

    Parameters
    ----------
    seed : int
        Decides everything.
    broker_is_mortal : bool
        Whether the broker may be killed.
    """
    chance = random.Random(seed)  # noqa: S311 a plan, not a secret
    rare = [*RARE, Kind.BROKER] if broker_is_mortal else RARE
    hands = {pair: _Hand(pair[0], rare, chance) for pair in COMBINATIONS}
    for number in itertools.count(1):
        # A member without a name that was killed is missed only when its session ends.
        static = number % 3 != 0
        for pair in chance.sample(COMBINATIONS, len(COMBINATIONS)):
            faults = hands[pair].static() if static else hands[pair].dynamic()
            replicas = chance.randint(2, MOST_REPLICAS - 1)
            yield Plan(chance.getrandbits(32), *pair, replicas, faults, static=static)


class _Hand:
    """Deals the faults of one combination: each kind in turn, in random order."""

    def __init__(self, delivery: str, rare: Sequence[Kind], chance: random.Random) -> None:
        self._delivery, self._chance = delivery, chance
        self._points = _decks(points(delivery), chance)
        self._rare = _decks(rare, chance)
        self._dynamic = _decks(DYNAMIC, chance)

    def static(self) -> tuple[Fault, ...]:
        """Deal 12 faults, every third of which is no single kill -9."""
        return tuple(self._any(number) for number in range(12))

    def dynamic(self) -> tuple[Fault, ...]:
        """Deal 6 faults that need no name."""
        return tuple(_rare(next(self._dynamic), self._delivery, self._chance) for _ in DYNAMIC)

    def _any(self, number: int) -> Fault:
        if number % 3 == 2:
            return _rare(next(self._rare), self._delivery, self._chance)
        if self._chance.random() < 0.3:
            return kill(self._chance)
        return kill_at(next(self._points), self._chance)


def _rare(kind: Kind, delivery: str, chance: random.Random) -> Fault:
    fault = Fault(kind, delay_s=chance.uniform(0.0, 1.0), victim=chance.randrange(MOST_REPLICAS))
    if kind is Kind.FREEZE_POINT:
        at = kill_at(chance.choice(points(delivery)), chance)
        return replace(fault, point=at.point, nth=at.nth)
    if kind is Kind.STORM:
        return replace(fault, pauses_s=tuple(chance.uniform(0.1, 1.0) for _ in range(30)))
    return replace(fault, delay_s=3 * fault.delay_s) if kind is Kind.BROKER else fault


def _decks(cards: Sequence[T], chance: random.Random) -> Iterator[T]:
    """Deal all the cards in random order, then all again."""
    while True:
        yield from chance.sample(cards, len(cards))
