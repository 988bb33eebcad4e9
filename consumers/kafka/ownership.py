"""Which partitions are owned, which are read: what the group's callbacks tell and what is done."""

import logging
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException, TopicPartition

from consumers.kafka.consumer import Consumer
from consumers.kafka.queries import Place
from consumers.kafka.source import Change
from metrics.events import ASSIGN_REFUSED, UNASSIGN_REFUSED
from metrics.facts import RebalanceEvent

_log = logging.getLogger("streamfit.ownership")


class Ownership:
    """Follows the group's assignment of one topic, and reads only what it is told to read.

    The callbacks run inside a read. One that raised would drop records already fetched while the
    position has moved: they set flags, and catch everything else.

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
        self._on_revoke: Callable[[frozenset[int]], None] = lambda _: None
        self._held = False

    def subscribe(self, on_revoke: Callable[[frozenset[int]], None]) -> None:
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
        self._held = False  # an assignment forgets the pause

    def hold(self, *, on: bool) -> None:
        """Stop reading for now, or go on."""
        if on == self._held:
            return
        places = [TopicPartition(self._topic, partition) for partition in self.reading]
        (self._consumer.pause if on else self._consumer.resume)(places)
        self._held = on

    def _assigned(self, consumer: Consumer, places: list[Place]) -> None:
        # An empty list: accept ownership, but read nothing before the model is restored.
        # Without this call the client would start reading on its own.
        try:
            consumer.incremental_assign([])
        except KafkaException as error:  # the group has taken them back already
            _log.warning(
                "assign: %s", error.args[0].str(), extra=ASSIGN_REFUSED(code=error.args[0].name())
            )
        partitions = tuple(sorted(place.partition for place in places))
        self.owned.update(partitions)
        # A cooperative rebalance that changes nothing comes as an empty list; for a member that
        # owns nothing it says that others own everything.
        if partitions or not self.owned:
            self._changes.append(Change(RebalanceEvent.ASSIGNED, partitions))

    def _revoked(self, _: Consumer, places: list[Place]) -> None:
        self._on_revoke(frozenset(place.partition for place in places))
        self._give_up(RebalanceEvent.REVOKED, places)

    def _lost(self, _: Consumer, places: list[Place]) -> None:
        self._give_up(RebalanceEvent.LOST, places)

    def _give_up(self, event: RebalanceEvent, places: list[Place]) -> None:
        partitions = tuple(sorted(place.partition for place in places))
        self._stop_reading(self.reading & set(partitions), told=True)
        self.owned.difference_update(partitions)
        self._changes.append(Change(event, partitions))

    def _stop_reading(self, partitions: set[int], *, told: bool = False) -> None:
        places = [TopicPartition(self._topic, partition) for partition in partitions]
        # An answer to the group is due even if nothing is read.
        if not places and not told:
            return
        try:
            self._consumer.incremental_unassign(places)
        except KafkaException as error:  # the group took them already
            _log.warning(
                "unassign: %s",
                error.args[0].str(),
                extra=UNASSIGN_REFUSED(code=error.args[0].name()),
            )
        self.reading = self.reading - partitions
