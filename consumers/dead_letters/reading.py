"""Reads the dead letter topic, backwards or forwards, as no member of any group."""

import heapq
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from consumers.dead_letters.letters import Letter, Position, Stored
from consumers.errors import KafkaUnreachableError
from consumers.kafka.config import consumer_config
from consumers.kafka.failures import Complaints
from consumers.kafka.headers import headers_of
from metrics.events import OFFSETS_OF_TIME_UNKNOWN

_log = logging.getLogger("streamfit.dead_letters")
TIMEOUT_S = 10.0
FEWEST, MOST = 20, 2000  # records of one step back
Bounds = Mapping[int, tuple[int, int]]
Read = Callable[[int, int, int], Iterator[Stored]]
_T = TypeVar("_T")
# What no waiting mends; anything else the client tries again by itself.
_DEFINITE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 public: librdkafka's own codes begin so
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
}
_READING: dict[str, str | int | float | bool] = {
    # What retention has removed meanwhile is gone: go on with what is there.
    "auto.offset.reset": "earliest",
    # Each step back throws away what was fetched past its end.
    "queued.min.messages": 2000,
    "queued.max.messages.kbytes": 16_384,
}


class DeadLetterTopic:
    """The dead letter topic, to be read by partition; commits nothing, joins nothing.

    Only what is committed is seen. `close` it.

    Parameters
    ----------
    options : mapping
        Client options of the cluster.
    topic : str
        Its name.
    group : str
        The client must name one; nothing of it is read or changed.
    """

    def __init__(self, options: Mapping[str, Any], topic: str, group: str) -> None:
        self._topic = topic
        self._complaints = Complaints(topic)
        config = {**consumer_config(options, group, None), **_READING}
        self._consumer = Consumer({**config, "error_cb": self._complaints}, logger=_log)

    def bounds(self, partitions: int, since_ms: int | None = None) -> dict[int, tuple[int, int]]:
        """Give the offsets of each partition: the first, and the one after the last.

        Parameters
        ----------
        partitions : int
            How many there are.
        since_ms : int or None
            Leave out what stands before the first record of that time or later.

        Raises
        ------
        KafkaUnreachableError
            If Kafka does not answer.
        """
        places = [TopicPartition(self._topic, p) for p in range(partitions)]
        try:
            ends = [self._consumer.get_watermark_offsets(p, timeout=TIMEOUT_S) for p in places]
        except KafkaException as error:
            raise self._unreachable(error.args[0]) from None
        begins = self._first_since(partitions, since_ms)
        return {
            p: (min(max(low, begins.get(p, low)), high), high) for p, (low, high) in enumerate(ends)
        }

    def read(self, partition: int, begin: int, end: int) -> Iterator[Stored]:
        """Read from one offset up to another, which is not read.

        Raises
        ------
        KafkaUnreachableError
            If nothing comes for 10 s, or the topic is gone or may not be read.
        """
        if begin >= end:
            return
        self._consumer.assign([TopicPartition(self._topic, partition, begin)])
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            messages = self._consumer.consume(500, 0.5)
            for message in messages:
                at = self._at(message)
                if at is None or at.partition != partition or at.offset < begin:
                    continue
                if at.offset < end and message.error() is None:
                    yield _stored(at, message)
                if at.offset >= end - 1 or message.error() is not None:
                    return
            # Not before what was read is dealt with: that may have taken its time.
            deadline = time.monotonic() + TIMEOUT_S if messages else deadline
            if time.monotonic() > deadline:
                raise self._unreachable(None)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _at(self, message: Message) -> Position | None:
        """Give where a record, or the end, is; None for what is neither."""
        error, partition, offset = message.error(), message.partition(), message.offset()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 public
            if error.code() in _DEFINITE:
                raise self._unreachable(error)
            self._complaints(error)
            return None
        if partition is None or offset is None:
            return None
        return Position(partition, offset)

    def _first_since(self, partitions: int, since_ms: int | None) -> dict[int, int]:
        """Ask where a time begins; left out where the broker cannot tell, which costs only time."""
        if since_ms is None:
            return {}
        asked = [TopicPartition(self._topic, p, since_ms) for p in range(partitions)]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=TIMEOUT_S)
        except KafkaException as error:
            _log.info(
                "offsets of a time are not told: %s",
                error,
                extra=OFFSETS_OF_TIME_UNKNOWN(topic=self._topic),
            )
            return {}
        # Nothing that late: the end, which the bounds cut it to.
        return {
            place.partition: place.offset if place.offset >= 0 else 2**62
            for place in found
            if place.error is None
        }

    def _unreachable(self, error: KafkaError | None) -> KafkaUnreachableError:
        why = self._complaints.last or ("no answer" if error is None else error.str())
        return KafkaUnreachableError(
            f"output.dead_letter_topic = {self._topic!r}: cannot be read ({why}); is Kafka up, "
            "may this login read the topic?"
        )


def newest_first(
    read: Read, bounds: Bounds, pick: Callable[[Stored], Letter | None], first: int = FEWEST
) -> Iterator[Letter]:
    """Read backwards, by steps that grow, and only as far as letters are taken.

    Partitions are merged by time; within one the order is that of the offsets.

    Parameters
    ----------
    read : callable
        Gives the records of a partition from an offset up to another.
    bounds : mapping of int to (int, int)
        Partition to its first offset, and the one after its last.
    pick : callable
        Makes a letter, which is all that is held on to, or None to pass over.
    first : int
        Records of the first step back.
    """
    size = min(max(first, FEWEST), MOST)
    steps = [_backwards(read, p, place, pick, size) for p, place in sorted(bounds.items())]
    return heapq.merge(*steps, key=lambda letter: -letter.time_ms)


def oldest_first(read: Read, bounds: Bounds) -> Iterator[Stored]:
    """Read forwards, one partition after the other."""
    for partition, (begin, end) in sorted(bounds.items()):
        yield from read(partition, begin, end)


def _backwards(
    read: Read,
    partition: int,
    place: tuple[int, int],
    pick: Callable[[Stored], _T | None],
    size: int,
) -> Iterator[_T]:
    low, end = place
    while end > low:
        begin = max(low, end - size)
        picked = [found for each in read(partition, begin, end) if (found := pick(each))]
        yield from reversed(picked)
        end, size = begin, min(2 * size, MOST)


def _stored(at: Position, message: Message) -> Stored:
    return Stored(
        at=at,
        time_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        headers=headers_of(message) or [],
    )
