"""A source that reads a Kafka topic by confluent-kafka."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumers.errors import KafkaUnreachableError
from consumers.kafka_errors import Complaints, passes
from consumers.ownership import Ownership
from consumers.positions import committed_of
from consumers.source import Change, Committed, only
from learners.events import Headers, Records

_log = logging.getLogger("streamfit.source")
TIMEOUT_S = 10.0
_RETRY_S = 0.1


class KafkaSource:
    """Reads one topic as a member of a consumer group.

    Parameters
    ----------
    config : mapping
        What `kafka_config.consumer_config` gave.
    topic : str
        The input topic.
    max_batch : int
        Most records that one read gives.
    topic_id : str or None
        The broker's id of the topic.
    """

    def __init__(
        self, config: Mapping[str, Any], topic: str, max_batch: int, topic_id: str | None
    ) -> None:
        self._topic = topic
        self._max_batch = max_batch
        self._topic_id = topic_id
        self._ends: dict[int, int] = {}
        self._complaints = Complaints(topic)
        self._consumer = Consumer({**config, "error_cb": self._complaints}, logger=_log)
        self._ownership = Ownership(self._consumer, topic)

    def subscribe(self, on_revoke: Callable[[], None]) -> None:
        """Join the group."""
        self._ownership.subscribe(on_revoke)

    def read(self, timeout_s: float) -> Records | None:
        """Wait for a first record, then take what is already there."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return None
        messages = [first]
        if self._max_batch > 1:
            messages += self._consumer.consume(self._max_batch - 1, 0)
        others = [message for message in messages if message.error() is not None]
        if others:
            messages = [message for message in messages if message.error() is None]
        for message in others:
            self._take_note(message)
        return records_of(self._topic, messages) if messages else None

    def changes(self) -> list[Change]:
        """Give the changes of ownership since the last call."""
        return self._ownership.take_changes()

    def owned(self) -> frozenset[int]:
        """Partitions that this member owns now."""
        return frozenset(self._ownership.owned)

    def partitions(self) -> frozenset[int]:
        """All partitions of the topic."""
        metadata = self._call(lambda: self._consumer.list_topics(self._topic, timeout=TIMEOUT_S))
        topic = metadata.topics[self._topic]
        if topic.error is not None or not topic.partitions:
            why = topic.error.str() if topic.error else "no partitions"
            raise KafkaUnreachableError(
                f"input.topic = {self._topic!r}: {why}; create the topic, or name another"
            )
        return frozenset(topic.partitions)

    def topic_id(self) -> str | None:
        """Give the broker's id of the topic."""
        return self._topic_id

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed for every owned partition."""
        owned = self._ownership.owned
        found: dict[int, Committed] = self._call(
            lambda: committed_of(self._consumer, self._topic, owned)
        )
        return found

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last."""
        place = TopicPartition(self._topic, partition)
        low, high = self._call(
            lambda: self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
        )
        return int(low), int(high)

    def assign(self, next_offsets: Mapping[int, int]) -> None:
        """Read these partitions from these offsets, and no others."""
        self._ownership.read_from(next_offsets)
        self._ends.clear()

    def commit(self, next_offsets: Mapping[int, int], metadata: str) -> None:
        """Commit next offsets, each with the same string."""
        places = [
            TopicPartition(self._topic, partition, offset, metadata)
            for partition, offset in sorted(only(next_offsets, self._ownership.owned).items())
        ]
        if not places:
            return
        done = self._call(lambda: self._consumer.commit(offsets=places, asynchronous=False))
        for place in done or []:
            self._complaints.check(place.error)
            if place.error is not None:
                raise KafkaUnreachableError(f"commit refused: {place.error.str()}; try again")

    def lag(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give the records not yet read of each partition, as far as known."""
        lags = {}
        for partition in self._ownership.reading & next_offsets.keys():
            place = TopicPartition(self._topic, partition)
            known = self._consumer.get_watermark_offsets(place, cached=True)
            if known[1] >= 0:
                # The last offsets may be markers of transactions, which no record comes for.
                reached = max(next_offsets[partition], self._ends.get(partition, 0))
                lags[partition] = max(0, known[1] - reached)
        return lags

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _take_note(self, message: Message) -> None:
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is None or error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 public
            self._complaints.check(error)
        elif partition is not None and offset is not None:
            self._ends[partition] = offset

    def _call(self, request: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return request()
            except KafkaException as error:
                if not passes(error) or time.monotonic() > deadline:
                    raise self._complaints.unreachable(error) from None
                time.sleep(_RETRY_S)


def records_of(topic: str, messages: list[Message]) -> Records:
    """Put polled messages into columns; none of them may be an error."""
    count = len(messages)

    def headers(row: int) -> Headers:
        found = messages[row].headers() or []
        return list(found.items()) if isinstance(found, dict) else list(found)

    return Records(
        topic=topic,
        values=[message.value() for message in messages],
        keys=[message.key() for message in messages],
        partitions=np.fromiter((m.partition() for m in messages), np.int64, count),
        offsets=np.fromiter((m.offset() for m in messages), np.int64, count),
        time_ms=np.fromiter((m.timestamp()[1] for m in messages), np.int64, count),
        headers=headers,
    )
