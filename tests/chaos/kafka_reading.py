"""Topics and committed offsets as Kafka tells them: the reading alone, nothing of what it means."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

COMMITTED, ALL = "read_committed", "read_uncommitted"
ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record of any topic, undecoded; `headers` hold the last value of each name."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes | None]
    time_ms: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed offset with its metadata string."""

    offset: int
    metadata: str


@dataclass(frozen=True, slots=True)
class End:
    """Where a partition ends for a `read_committed` reader, and where for all others."""

    topic: str
    partition: int
    stable: int
    high: int


Log = Mapping[int, Sequence[Record]]


@contextmanager
def consumer_of(bootstrap: str, group: str, isolation: str) -> Iterator[Consumer]:
    """Give a consumer that can ask for the offsets of a group, without joining it."""
    config: dict[str, str | int | float | bool] = {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": isolation,
        "fetch.wait.max.ms": 10,
        "check.crcs": True,
    }
    consumer = Consumer(config)
    try:
        yield consumer
    finally:
        consumer.close()


def partitions_of(reader: Consumer, topic: str) -> list[int]:
    """Give the partitions of a topic."""
    found = reader.list_topics(topic, timeout=ANSWER_S).topics[topic]
    return sorted(found.partitions)


def settled_ends(
    reader: Consumer, bystander: Consumer, topics: Sequence[str], pending_s: float
) -> list[End]:
    """Tell the ends, once no transaction is open, or one has been for `pending_s` seconds."""
    # A commit is acknowledged before the coordinator has marked it in every partition.
    settled_s = time.monotonic() + pending_s
    while True:
        ends = [end for topic in topics for end in _ends(reader, bystander, topic)]
        if all(end.stable == end.high for end in ends) or time.monotonic() > settled_s:
            return ends
        time.sleep(0.05)


def _ends(reader: Consumer, bystander: Consumer, topic: str) -> Iterator[End]:
    for partition in partitions_of(reader, topic):
        place = TopicPartition(topic, partition)
        _, stable = reader.get_watermark_offsets(place, timeout=ANSWER_S)
        _, high = bystander.get_watermark_offsets(place, timeout=ANSWER_S)
        yield End(topic, partition, stable, high)


def read(
    reader: Consumer, topic: str, ends: Sequence[End], deadline: float
) -> dict[int, list[Record]]:
    """Read a topic from its beginning to where a `read_committed` reader gets.

    Raises
    ------
    TimeoutError
        If that takes longer than until `deadline`.
    """
    log: dict[int, list[Record]] = {end.partition: [] for end in ends if end.topic == topic}
    unfinished = set(log)
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in log])
    while unfinished:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{topic}: partitions {sorted(unfinished)} not read in time")
        for message in reader.consume(10_000, 0.1):
            error, partition = message.error(), message.partition()
            assert partition is not None
            if error is None:
                log[partition].append(_record(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(partition)
            elif not error.retriable():
                raise KafkaException(error)
    reader.unassign()
    return log


def _record(message: Message) -> Record:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    time_ms = message.timestamp()[1]
    return Record(partition, offset, message.key(), message.value(), dict(pairs), time_ms)


def committed_of(
    reader: Consumer, bystander: Consumer, places: list[TopicPartition], pending_s: float
) -> tuple[dict[int, Committed], bool]:
    """Give the committed offsets, and whether the coordinator told them within `pending_s`.

    It does not tell a `read_committed` consumer what an open transaction may still change.
    """
    stable = True
    try:
        found = reader.committed(places, timeout=pending_s)
    except KafkaException as error:
        if error.args[0].code() != KafkaError._TIMED_OUT:
            raise
        stable = False
        found = bystander.committed(places, timeout=ANSWER_S)
    committed = {
        place.partition: Committed(place.offset, place.metadata or "")
        for place in found
        if place.offset >= 0
    }
    return committed, stable
