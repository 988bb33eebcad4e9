"""What a consumer asks of the brokers, and tells them, beside reading."""

import ctypes
from collections.abc import Iterable
from ctypes import POINTER, byref, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from consumers.kafka.assignments import Assignments, assignments
from producers import librdkafka
from producers.handle import Handle, ms


@dataclass(frozen=True, slots=True)
class Place:
    """What librdkafka tells of a partition.

    Attributes
    ----------
    topic : str
        Its topic.
    partition : int
        Its number.
    offset : int
        Negative where there is none.
    metadata : str
        The string committed with it; empty where it is not UTF-8, which somebody else committed.
    error : KafkaError or None
        Why it could not be done for this one.
    """

    topic: str
    partition: int
    offset: int
    metadata: str
    error: KafkaError | None


class MissingTopicError(Exception):
    """The broker has no such topic, or does not show it; its argument is a `KafkaError`."""


class Queries(Handle):
    """Offsets, partitions, and who a consumer is in its group.

    All methods raise a `KafkaException` where nobody answers, or the answer is an error, and a
    `RuntimeError` once the client is closed.
    """

    def commit(self, offsets: Iterable[TopicPartition]) -> list[Place]:
        """Commit offsets, and wait until it is done; tells of each whether it was."""
        done: list[Place] = []

        def committed(_client: int, _code: int, places: Any, _opaque: int) -> None:
            done.extend(told(places))

        tell = librdkafka.PARTITIONS_CALLBACK(committed)
        with self._places(offsets) as given:
            self._raise_for(
                self._library.rd_kafka_commit_queue(self._handle, given, None, tell, None)
            )
        return done

    def committed(self, places: Iterable[TopicPartition], timeout: float) -> list[Place]:
        """Ask for the group's committed offsets; within so many seconds."""
        with self._places(places) as given:
            self._raise_for(self._library.rd_kafka_committed(self._handle, given, ms(timeout)))
            return told(given)

    def get_watermark_offsets(
        self, place: TopicPartition, timeout: float = 0.0, *, cached: bool = False
    ) -> tuple[int, int]:
        """Ask for the first offset of a partition, and the one after its last.

        Parameters
        ----------
        place : TopicPartition
            Which.
        timeout : float
            Seconds.
        cached : bool
            Ask nobody: what the last read told; negative where it is not known.
        """
        low, high = c_int64(), c_int64()
        which = self._handle, place.topic.encode(), place.partition, byref(low), byref(high)
        if cached:
            self._raise_for(self._library.rd_kafka_get_watermark_offsets(*which))
        else:
            self._raise_for(self._library.rd_kafka_query_watermark_offsets(*which, ms(timeout)))
        return low.value, high.value

    def partitions(self, topic: str, timeout_s: float) -> frozenset[int]:
        """Ask which partitions a topic has.

        Raises
        ------
        KafkaException
            If nobody answers.
        MissingTopicError
            If there is none.
        """
        metadata = POINTER(librdkafka.Metadata)()
        self._raise_for(
            self._library.rd_kafka_metadata(
                self._handle, 0, self._topic(topic), byref(metadata), ms(timeout_s)
            )
        )
        try:
            found = metadata.contents.topics[0]
            if found.err:
                raise MissingTopicError(KafkaError(found.err))
            return frozenset(found.partitions[i].id for i in range(found.partition_cnt))
        finally:
            self._library.rd_kafka_metadata_destroy(metadata)

    def assignments(self, group: str, topic: str, timeout_s: float) -> Assignments:
        """Ask which member of a group has which partitions of a topic; none while it rebalances."""
        return assignments(self._handle, group, topic, ms(timeout_s))

    def consumer_group_metadata(self) -> bytes:
        """Give who this member is, as a producer's transaction takes it."""
        library = self._library
        metadata = library.rd_kafka_consumer_group_metadata(self._handle)
        buffer, size = c_void_p(), c_size_t()
        try:
            self._check(
                library.rd_kafka_consumer_group_metadata_write(metadata, byref(buffer), byref(size))
            )
            return ctypes.string_at(buffer.value or 0, size.value)
        finally:
            library.rd_kafka_consumer_group_metadata_destroy(metadata)
            if buffer.value:
                library.rd_kafka_mem_free(self._handle, buffer)


def told(places: Any) -> list[Place]:
    """Give what stands in a list of librdkafka's."""
    return [_place(places.contents.elems[i]) for i in range(places.contents.cnt)]


def _place(found: librdkafka.TopicPartition) -> Place:
    raw = ctypes.string_at(found.metadata, found.metadata_size) if found.metadata else b""
    try:
        metadata = raw.partition(b"\0")[0].decode()  # clients of librdkafka commit it with a zero
    except UnicodeDecodeError:
        metadata = ""
    error = KafkaError(found.err) if found.err else None
    return Place(found.topic.decode(), found.partition, found.offset, metadata, error)
