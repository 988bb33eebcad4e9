"""What the doctor asks Kafka for, as plain values. `asking` asks; others judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from consumers.kafka.source import Committed

Configs = Mapping[str, str | None]  # as a broker tells them: all values are text


def number(configs: Configs | None, key: str) -> int | None:
    """Read a whole number among the configs; None where it is not told."""
    value = None if configs is None else configs.get(key)
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """The cluster.

    Attributes
    ----------
    address : str
        Where it was asked.
    embedded : bool
        Whether it is librdkafka's mock cluster, which tells nothing more.
    brokers : int
        How many there are; 0 where it is not told.
    controller : int or None
        Its number.
    configs : mapping or None
        Those of one broker; None where this login may not see them.
    internal_topics : frozenset of str
        Which of Kafka's own topics are there.
    """

    address: str
    embedded: bool = False
    brokers: int = 1
    controller: int | None = 1
    configs: Configs | None = None
    internal_topics: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """A partition: numbers of its replicas, those in sync, and its leader (None: there is none)."""

    id: int
    leader: int | None
    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic.

    Attributes
    ----------
    key, name : str
        The settings key, and the topic that it names.
    partitions : tuple of PartitionFacts
    configs : mapping or None
        None where this login may not see them.
    operations : frozenset of str or None
        What this login may do, `READ`, `WRITE`, ...; None where the broker does not tell.
    """

    key: str
    name: str
    partitions: tuple[PartitionFacts, ...]
    configs: Configs | None = None
    operations: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member of the group, with the partitions of the input topic that it owns."""

    id: str
    instance: str | None
    client: str
    host: str
    partitions: tuple[int, ...] = ()

    def __str__(self) -> str:
        name = self.instance or self.id
        owns = ", ".join(map(str, self.partitions)) or "none"
        return f"{name} on {self.host.lstrip('/')} (partitions: {owns})"


HIDDEN = "hidden"  # the state of a group that this login may not describe


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """The group.

    Attributes
    ----------
    state : str
        As the coordinator tells it, or `HIDDEN`.
    members : tuple of MemberFacts
    operations : frozenset of str or None
        What this login may do with it; None where the broker does not tell.
    similar : tuple of str
        Groups whose transactional ids could be those of this one.
    """

    state: str
    members: tuple[MemberFacts, ...] = ()
    operations: frozenset[str] | None = None
    similar: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """Where a group stands in the input topic.

    Attributes
    ----------
    committed : mapping of int to Committed
        Every partition.
    bounds : mapping of int to (int, int)
        First offset that is still there, and the one after the last.
    oldest_ms : mapping of int to int
        Time of the first record that is not read, in ms since 1970, where there is one.
    """

    committed: Mapping[int, Committed]
    bounds: Mapping[int, tuple[int, int]]
    oldest_ms: Mapping[int, int] = field(default_factory=dict)

    def lag(self, partition: int) -> int:
        """Give the records of a partition that are still there and not read."""
        offset, (low, high) = self.committed[partition].offset, self.bounds[partition]
        return 0 if offset is None else max(0, high - max(low, offset))
