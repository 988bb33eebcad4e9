"""Where events come from: the contract between the loop and Kafka."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from learners.events import Records
from metrics.facts import RebalanceEvent

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has committed for one partition, or is about to.

    Attributes
    ----------
    offset : int or None
        Next offset; None where nothing is committed.
    metadata : str
        The string stored with it.
    """

    offset: int | None
    metadata: str


@dataclass(frozen=True, slots=True)
class Change:
    """Partitions that came or went."""

    event: RebalanceEvent
    partitions: tuple[int, ...]


class Positions(Protocol):
    """Tells where a group stands in a topic, and where the topic begins and ends."""

    def topic_id(self) -> str | None:
        """Ask for the broker's id of the topic; None where it cannot tell."""

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed, partition by partition."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last."""


class Source(Positions, Protocol):
    """Reads one topic as a member of a group. Used from one thread.

    Nothing is read before `assign` has said from where, and again after every change of
    ownership. All methods may raise an `EpochLostError` where waiting and going back to the last
    commit may help, and another StreamfitError where they cannot.
    """

    def subscribe(self, on_revoke: Callable[[frozenset[int]], None]) -> None:
        """Join the group.

        `on_revoke` is called, inside `read`, with the partitions to be given up while they are
        still owned; it must not raise.
        """

    def unsubscribe(self) -> None:
        """Leave the group, and stay ready to join again."""

    def rejoin(self) -> None:
        """Begin anew as a member the broker has never seen; needs a new `subscribe`.

        Raises
        ------
        EpochLostError
            If there can be no new client now; then all is as it was.
        """

    def read(self, timeout_s: float) -> Records | None:
        """Wait for a first record, then take what is already there.

        Returns
        -------
        Records or None
            None if nothing came within the time-out, or ownership changed.
        """

    def changes(self) -> list[Change]:
        """Give the changes of ownership since the last call, in order."""

    def owned(self) -> frozenset[int]:
        """Partitions that this member owns now."""

    def partitions(self) -> frozenset[int]:
        """All partitions of the topic."""

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed for every owned partition."""

    def assign(self, next_offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets, and no others."""

    def hold(self, *, on: bool) -> None:
        """Stop reading for now, or go on where it stopped; membership and callbacks go on."""

    def commit(self, places: Mapping[int, Committed]) -> None:
        """Commit next offsets with their strings, and wait until it is done.

        Partitions that are not owned are left out.
        """

    def for_transaction(self, places: Mapping[int, Committed]) -> tuple[list[Any], Any]:
        """Give next offsets, and who commits them, as a transaction takes them.

        Partitions that are not owned are left out.
        """

    def lag(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give the records not yet read of each partition, as far as known; asks nobody."""

    def close(self) -> None:
        """Leave the group."""


def only(partitions: Mapping[int, _T], owned: Collection[int]) -> dict[int, _T]:
    """Keep what is owned: a member with a live generation may commit what it no longer owns."""
    return {partition: value for partition, value in partitions.items() if partition in owned}
