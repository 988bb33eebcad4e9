"""When to join the group, and when to leave it to others: one works, the rest stand by.

Two that join an empty group together split its partitions, and a global model needs all of them:
then the owner of the lowest one stays, and the others wait again.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from consumers.kafka.assignments import Assignments
from consumers.kafka.coordinator import Ask, Inquiry, Member
from metrics.events import STANDING_BY, UNASSIGNED

_log = logging.getLogger("streamfit.membership")
ASK_EVERY_S = 0.5
# Of those that gave way at the same time, one should ask first.
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.2, 1.0
# A rebalance in which partitions move has two rounds, and between them nobody has those.
LOOK_SOON_S, LOOK_EVERY_S = 3.0, 30.0


Tell = Callable[[Sequence[str]], None]


def nobody(names: Sequence[str]) -> None:
    """Tell nobody who holds the group."""


class Membership(Protocol):
    """Decides on joining and leaving."""

    def may_join(self, now: float) -> bool:
        """Tell whether to join now; asked in every turn of the loop while outside the group."""

    def must_leave(self, owned: frozenset[int], everything: frozenset[int], now: float) -> bool:
        """Tell whether to leave again; asked whenever the partitions that are owned change."""

    def must_join_anew(self, now: float) -> bool:
        """Tell whether to leave and come back; asked in every turn of the loop in the group."""

    def wait(self, now: float, seconds: float) -> None:
        """Stay outside for some seconds."""


class JoinsAtOnce:
    """Joins as soon as it may, and never gives way: the group spreads the partitions."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def may_join(self, now: float) -> bool:
        """Join, unless told to wait."""
        return now >= self._not_before

    def must_leave(
        self,
        owned: frozenset[int],  # noqa: ARG002 of the contract
        everything: frozenset[int],  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> bool:
        """Stay."""
        return False

    def must_join_anew(self, now: float) -> bool:  # noqa: ARG002 of the contract
        """Stay."""
        return False

    def wait(self, now: float, seconds: float) -> None:
        """Stay outside for some seconds."""
        self._not_before = now + seconds


class LooksAround(JoinsAtOnce):
    """Joins at once, and sees to it that every partition is given to somebody.

    A static member that is killed between giving a partition up and joining again comes back to its
    place without a rebalance, and the partition stays with nobody (Kafka 4.3, `cooperative-sticky`;
    the next rebalance would mend it, and nothing else). So all look around, and the one that has
    the least to lose leaves and comes back, which is a rebalance.

    Parameters
    ----------
    ask : callable
        Asks which member of the group has which partitions; nothing where nobody tells.
    instance : str
        Our own `group.instance.id`, which member ids begin with. A group whose members have none
        needs nobody to look: there whoever is killed is missed.
    """

    def __init__(self, ask: Callable[[], Assignments], instance: str) -> None:
        super().__init__()
        self._ask = ask
        self._instance = instance
        self._everything: frozenset[int] = frozenset()
        self._look_s = 0.0
        self._missing: frozenset[int] = frozenset()
        self._looks = 0

    def must_leave(
        self,
        owned: frozenset[int],  # noqa: ARG002 of the contract
        everything: frozenset[int],
        now: float,
    ) -> bool:
        """Stay, and look around soon."""
        self._everything = everything
        self._begin_anew(now)
        return False

    def must_join_anew(self, now: float) -> bool:
        """Tell whether partitions are with nobody, look after look, and we are to mend it."""
        if now < self._look_s:
            return False
        given = self._ask()
        missing = self._everything.difference(*given.values()) if given else frozenset()
        self._looks = self._looks + 1 if missing and missing == self._missing else 1
        self._missing = missing
        self._look_s = now + (LOOK_SOON_S if missing else LOOK_EVERY_S)
        if not missing or self._looks < 2:
            return False
        # One after the other, should those before not do it.
        if _rank(given, self._instance) > self._looks - 2:
            return False
        _log.warning(
            "nobody in the group has partitions %s: joining anew, so that they are given away",
            sorted(missing),
            extra=UNASSIGNED(partitions=sorted(missing)),
        )
        self._begin_anew(now)
        self.wait(now, LONGEST_WAIT_S)
        return True

    def _begin_anew(self, now: float) -> None:
        self._look_s, self._missing, self._looks = now + LOOK_SOON_S, frozenset(), 0


def _rank(given: Assignments, instance: str) -> int:
    """Give the number of members that have less to lose: fewer partitions, or a name before."""
    busy = sorted((len(partitions), member) for member, partitions in given.items())
    mine = [rank for rank, (_, member) in enumerate(busy) if member.startswith(f"{instance}-")]
    return min(mine, default=len(busy))


class StandsBy:
    """Joins when nobody else is there, and gives way to the owner of the lowest partition.

    Parameters
    ----------
    ask : callable
        Asks the coordinator for the group's members; the loop goes on until the answer is there.
    instance : str or None
        Our own `group.instance.id`: what died under it is no other.
    random : callable
        A number from 0 to 1.
    tell : callable
        Takes the names of those who hold the group, whenever they change.
    """

    def __init__(
        self,
        ask: Ask,
        instance: str | None,
        random: Callable[[], float],
        tell: Tell = nobody,
    ) -> None:
        self._inquiry = Inquiry(ask)
        self._tell = tell
        self._instance = instance
        self._random = random
        self._not_before = 0.0
        self._told: list[Member] = []

    def may_join(self, now: float) -> bool:
        """Ask now and then who is there; raises `KafkaUnreachableError` if that is forbidden."""
        if now < self._not_before or not self._inquiry.done(now):
            return False
        self._not_before = now + ASK_EVERY_S
        members = self._inquiry.take()
        return members is not None and self._is_free(members)

    def must_leave(self, owned: frozenset[int], everything: frozenset[int], now: float) -> bool:
        """Leave if somebody else owns the lowest partition."""
        if owned == everything or min(everything) in owned:
            return False
        self.wait(now, SHORTEST_WAIT_S + self._random() * (LONGEST_WAIT_S - SHORTEST_WAIT_S))
        return True

    def must_join_anew(self, now: float) -> bool:  # noqa: ARG002 of the contract
        """Stay: while somebody else stands by, the partitions are all with one member."""
        return False

    def wait(self, now: float, seconds: float) -> None:
        """Stay outside for some seconds."""
        self._not_before = now + seconds
        self._inquiry.drop()

    def _is_free(self, members: list[Member]) -> bool:
        others = [m for m in members if m.instance is None or m.instance != self._instance]
        if others and others != self._told:
            names = [m.name for m in others]
            _log.info(
                "standing by: the group is held by %s",
                ", ".join(names),
                extra=STANDING_BY(members=names),
            )
        if others != self._told:
            self._tell(tuple(member.name for member in others))
        self._told = others
        return not others
