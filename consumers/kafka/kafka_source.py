"""A source that reads a Kafka topic."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from consumers.errors import EpochLostError, FencedError, KafkaUnreachableError
from consumers.kafka.assignments import Assignments
from consumers.kafka.batch_size import BatchSize
from consumers.kafka.config import max_poll_s
from consumers.kafka.consumer import Consumer
from consumers.kafka.damage import Damage
from consumers.kafka.failures import LATER, SLOW, Complaints, making_a_client
from consumers.kafka.lags import Lags
from consumers.kafka.messages import Messages
from consumers.kafka.ownership import Ownership
from consumers.kafka.positions import committed_of
from consumers.kafka.queries import MissingTopicError
from consumers.kafka.requests import TIMEOUT_S, Requests
from consumers.kafka.source import Change, Committed, only
from learners.events import Records
from metrics.events import GROUP_NOT_DESCRIBED
from metrics.facts import RollbackReason

_log = logging.getLogger("streamfit.source")
_SHORT_TIMEOUT_S = 2.0
_LOOK_TIMEOUT_S = 0.5  # nothing is read meanwhile, and a broker that is away is waited for
_HELD = (
    "Kafka is up, and does not tell the committed offsets of partitions {}: a transaction that has "
    "written them is not over. That of a killed process ends within its time-out; one that Kafka "
    "has lost is found by `kafka-transactions.sh find-hanging`, and ended by its `abort`"
)


class KafkaSource:
    """Reads one topic as a member of a consumer group.

    Parameters
    ----------
    config : mapping
        What `kafka_config.consumer_config` gave.
    topic : str
        The input topic.
    max_batch : int
        Most records that one read gives; fewer where they take long.
    topic_id : callable
        Asks for the broker's id of the topic.

    Raises
    ------
    SettingsError
        If librdkafka refuses an option.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        max_batch: int,
        topic_id: Callable[[], str | None],
    ) -> None:
        self._config = dict(config)
        self._topic = topic
        self._batch_size = BatchSize(max_batch)
        self.topic_id = topic_id
        self._complaints = Complaints(topic)
        self._damage = Damage(topic)
        self._read_s = time.monotonic()
        with making_a_client():
            self._take(self._new_client())
        self._max_poll_s = max_poll_s(self._config)

    def _new_client(self) -> Consumer:
        return Consumer(self._config, self._complaints, _log)

    def _take(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._ownership = Ownership(self._consumer, self._topic)
        self._lags = Lags(self._consumer, self._topic)
        self._requests = Requests(self._consumer, self._complaints)

    def subscribe(self, on_revoke: Callable[[frozenset[int]], None]) -> None:
        """Join the group."""
        with self._requests.translated():
            self._ownership.subscribe(on_revoke)

    def unsubscribe(self) -> None:
        """Leave the group, and stay ready to join again."""
        with self._requests.translated():
            self._consumer.unsubscribe()

    def rejoin(self) -> None:
        """Begin anew with a new client."""
        with making_a_client(LATER):  # before the old one goes, which must do until then
            consumer = self._new_client()
        ownership = self._ownership
        self._requests.leave(lambda: not ownership.owned)
        self._take(consumer)

    def read(self, timeout_s: float) -> Records | None:
        """Wait for a first record, then take what is already there."""
        self._read_s = time.monotonic()
        if self._requests.is_busy:
            self._requests.wait(timeout_s)
            return None
        # A callback that raised has dropped what was fetched: going back reads it again.
        with self._requests.translated():
            messages = self._consumer.read(self._batch_size.next(), timeout_s)
        if messages is None:
            return None
        self._batch_size.given(len(messages))
        if messages.failures:
            others = self._damage.sort_out(messages.failures, set(messages.partitions.tolist()))
            self._lags.take_note(others, self._complaints)
        return records_of(self._topic, messages) if len(messages) else None

    def changes(self) -> list[Change]:
        """Give the changes of ownership since the last call."""
        return self._ownership.take_changes()

    def owned(self) -> frozenset[int]:
        """Partitions that this member owns now."""
        return frozenset(self._ownership.owned)

    def partitions(self) -> frozenset[int]:
        """All partitions of the topic."""
        try:
            found = self._requests.ask(lambda: self._consumer.partitions(self._topic, TIMEOUT_S))
            why = "no partitions"
        except MissingTopicError as error:
            found, why = frozenset(), error.args[0].str()
        if not found:
            raise KafkaUnreachableError(
                f"input.topic = {self._topic!r}: {why}; create the topic, or name another"
            )
        return found

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed for every owned partition."""
        owned = self._ownership.owned
        try:
            found: dict[int, Committed] = self._requests.ask(
                lambda: committed_of(self._consumer, self._topic, owned)
            )
        except EpochLostError as error:
            if error.reason is not RollbackReason.KAFKA or not self._is_there():
                raise
            raise EpochLostError(RollbackReason.KAFKA, _HELD.format(sorted(owned))) from None
        return found

    def _is_there(self) -> bool:
        """Ask Kafka for something that nothing can hold back."""
        try:
            return bool(self._consumer.partitions(self._topic, _SHORT_TIMEOUT_S))
        except (KafkaException, MissingTopicError):
            return False

    def assignments(self) -> Assignments:
        """Ask which member of the group has which partitions; none where nobody tells."""
        try:
            return self._consumer.assignments(
                self._config["group.id"], self._topic, _LOOK_TIMEOUT_S
            )
        except KafkaException as error:
            told = error.args[0].str()
            _log.info("the group cannot be described: %s", told, extra=GROUP_NOT_DESCRIBED())
            return {}

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last."""
        place = TopicPartition(self._topic, partition)
        return self._requests.ask(lambda: self._consumer.get_watermark_offsets(place, TIMEOUT_S))

    def assign(self, next_offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        if self._requests.is_busy:  # then nothing is read until it is asked again
            return
        with self._requests.translated():
            self._ownership.read_from(next_offsets)
        self._lags.forget()

    def hold(self, *, on: bool) -> None:
        """Stop reading for now, or go on where it stopped."""
        with self._requests.translated():
            self._ownership.hold(on=on)

    def commit(self, places: Mapping[int, Committed]) -> None:
        """Commit next offsets with their strings."""
        offsets = _owned_places(self._topic, places, self._ownership.owned)
        if not offsets:
            raise EpochLostError(RollbackReason.LOST, "none of the partitions is owned any more")
        try:
            self._requests.commit(offsets)
        except FencedError as error:
            # A client that was not polled in time leaves the group and joins anew by itself: then
            # a static member is fenced by its own successor.
            if time.monotonic() - self._read_s < self._max_poll_s:
                raise
            raise EpochLostError(RollbackReason.LOST, SLOW) from error

    def for_transaction(self, places: Mapping[int, Committed]) -> tuple[list[Any], Any]:
        """Give next offsets, and who commits them, as a transaction takes them."""
        return _owned_places(
            self._topic, places, self._ownership.owned
        ), self._consumer.consumer_group_metadata()

    def lag(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give the records not yet read of each partition, as far as known."""
        return self._lags.of(self._ownership.reading & next_offsets.keys(), next_offsets)

    def close(self) -> None:
        """Leave the group."""
        self._requests.close()


def _owned_places(
    topic: str, places: Mapping[int, Committed], owned: Collection[int]
) -> list[TopicPartition]:
    return [
        TopicPartition(topic, partition, place.offset, place.metadata)
        for partition, place in sorted(only(places, owned).items())
        if place.offset is not None
    ]


def records_of(topic: str, messages: Messages) -> Records:
    """Give messages as records."""
    return Records(
        topic=topic,
        values=messages.values,
        keys=messages.keys,
        partitions=messages.partitions,
        offsets=messages.offsets,
        time_ms=messages.time_ms,
        headers=messages.headers,
    )
