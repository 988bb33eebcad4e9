"""Which partitions are owned, which are read: what the group's callbacks tell and what is done."""

import logging
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumers.source import Change
from metrics.facts import RebalanceEvent

_log = logging.getLogger("streamfit.ownership")


class Ownership:
    """Follows the group's assignment of one topic, and reads only what it is told to read.

    The callbacks run inside poll and consume. One that raised would destroy records already
    fetched while the position has moved: they set flags, and catch everything else.

    Parameters
    ----------
    consumer : Consumer
        The member of the group.
    topic : str
        The input topic.

    Attributes
    ----------
    owned, reading : set of int
        Partitions that are owned, and those of them that are read.
    """

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self.owned: set[int] = set()
        self.reading: set[int] = set()
        self._consumer = consumer
        self._topic = topic
        self._changes: list[Change] = []
        self._on_revoke: Callable[[], None] = lambda: None

    def subscribe(self, on_revoke: Callable[[], None]) -> None:
        """Join the group; `on_revoke` must not raise."""
        self._on_revoke = on_revoke
        self._consumer.subscribe(
            [self._topic],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._lost,
        )

    def take_changes(self) -> list[Change]:
        """Give the changes since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def read_from(self, next_offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        self._stop_reading(self.reading)
        self._consumer.incremental_assign(
            [TopicPartition(self._topic, p, offset) for p, offset in next_offsets.items()]
        )
        self.reading = set(next_offsets)

    def _assigned(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        # An empty list: accept ownership, but read nothing before the model is restored.
        # Without this call the client would start reading on its own.
        consumer.incremental_assign([])
        partitions = tuple(sorted(place.partition for place in places))
        self.owned.update(partitions)
        if partitions:  # a cooperative rebalance that changes nothing comes as an empty list
            self._changes.append(Change(RebalanceEvent.ASSIGNED, partitions))

    def _revoked(self, _: Consumer, places: list[TopicPartition]) -> None:
        self._on_revoke()
        self._give_up(RebalanceEvent.REVOKED, places)

    def _lost(self, _: Consumer, places: list[TopicPartition]) -> None:
        self._give_up(RebalanceEvent.LOST, places)

    def _give_up(self, event: RebalanceEvent, places: list[TopicPartition]) -> None:
        partitions = tuple(sorted(place.partition for place in places))
        self._stop_reading(self.reading & set(partitions))
        self.owned.difference_update(partitions)
        self._changes.append(Change(event, partitions))

    def _stop_reading(self, partitions: set[int]) -> None:
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        if not places:
            return
        try:
            self._consumer.incremental_unassign(places)
        except KafkaException as error:  # the group took them already
            _log.warning("unassign: %s", error.args[0].str())
        self.reading = self.reading - partitions
