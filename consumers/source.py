"""Where events come from: the contract between the loop and Kafka."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from learners.events import Records
from metrics.facts import RebalanceEvent


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group has committed for one partition.

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
        """Give the broker's id of the topic; None where it cannot tell."""

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed, partition by partition."""

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last."""


class Source(Positions, Protocol):
    """Reads one topic as a member of a group. Used from one thread.

    Nothing is read before `assign` has said from where, and again after every change of
    ownership. All methods raise a StreamfitError when Kafka cannot be reached or refuses.
    """

    def subscribe(self, on_revoke: Callable[[], None]) -> None:
        """Join the group.

        `on_revoke` is called, inside `read`, while the partitions to be given up are still owned;
        it must not raise.
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

    def commit(self, next_offsets: Mapping[int, int], metadata: str) -> None:
        """Commit next offsets, each with the same string, and wait until it is done.

        Partitions that are not owned are left out.
        """

    def lag(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give the records not yet read of each partition, as far as known; asks nobody."""

    def close(self) -> None:
        """Leave the group."""


def only(partitions: Mapping[int, int], owned: Collection[int]) -> dict[int, int]:
    """Keep what is owned: a member with a live generation may commit what it no longer owns."""
    return {partition: offset for partition, offset in partitions.items() if partition in owned}
