"""Writes predictions and dead letters, and tells before a commit whether all arrived."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from learners.events import Headers
from producers.dead_letters import DeadLetter
from producers.encoding import BY_KEY, Record

_log = logging.getLogger("streamfit.sink")
CONFIG: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,  # in order and once, whatever the network does
    "acks": "all",
    "delivery.report.only.error": True,  # a success needs no callback, a failure must be seen
    "partitioner": "murmur2_random",  # as Java clients choose by key
    "linger.ms": 2,
    "compression.type": "lz4",
    "message.max.bytes": 10_000_000,  # the broker's limit decides, not the client's
}


class DeliveryError(Exception):
    """A record was not delivered: nothing that it belongs to may be committed."""


class Sink(Protocol):
    """Takes records; they count as written only once `flush` has returned."""

    def predictions(self, records: Iterable[Record]) -> int:
        """Hand over predictions; blocks while the queue is full. Gives their number."""

    def dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        """Hand over dead letters; blocks while the queue is full. Gives their number."""

    def flush(self, timeout_s: float) -> None:
        """Wait until everything handed over is acknowledged.

        Raises
        ------
        DeliveryError
            If anything failed since the last flush, or is still on its way at the time-out.
        """

    def poll(self) -> None:
        """Serve delivery reports; called now and then while nothing is handed over."""

    def close(self) -> None:
        """Drop what is not acknowledged and let go of the broker."""


class KafkaSink:
    """A sink that writes to two Kafka topics.

    Parameters
    ----------
    config : mapping
        Client options; `CONFIG` and the delivery report are added here.
    topic, dead_letter_topic : str
        Where to write.
    dead_letter_partitions : int
        Number of partitions of the dead letter topic.
    """

    def __init__(
        self, config: Mapping[str, Any], topic: str, dead_letter_topic: str, partitions: int
    ) -> None:
        self._topic = topic
        self._dead_letter_topic = dead_letter_topic
        self._dead_letter_partitions = partitions
        self._failures: list[str] = []
        options: dict[str, Any] = {**CONFIG, **config, "on_delivery": self._report}
        self._producer = Producer(options, logger=_log)

    def predictions(self, records: Iterable[Record]) -> int:
        """Hand over predictions."""
        count = 0
        for key, value, partition in records:
            self._produce(self._topic, key, value, partition)
            count += 1
        self._producer.poll(0)
        return count

    def dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        """Hand over dead letters."""
        count = 0
        for letter in letters:
            keyless = letter.partition % self._dead_letter_partitions
            partition = keyless if letter.key is None else BY_KEY
            topic, headers = self._dead_letter_topic, letter.headers
            self._produce(topic, letter.key, letter.value, partition, headers)
            count += 1
        return count

    def flush(self, timeout_s: float) -> None:
        """Wait until everything is acknowledged, and look for failures."""
        waiting = self._producer.flush(timeout_s)
        # flush() counts a failed message as gone: only its delivery report tells.
        if self._failures:
            failures, self._failures = self._failures, []
            raise DeliveryError(f"{len(failures)} not delivered: {failures[0]}")
        if waiting:
            topics = f"{self._topic} and {self._dead_letter_topic}"
            raise DeliveryError(
                f"{waiting} records not acknowledged within {timeout_s:g} s; is Kafka up, are "
                f"{topics} still there?"
            )

    def poll(self) -> None:
        """Serve delivery reports."""
        self._producer.poll(0)

    def close(self) -> None:
        """Drop what is not acknowledged."""
        self._producer.purge()
        self._producer.close()

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int,
        headers: Headers | None = None,
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:  # the queue is full: wait for the broker, drop nothing
                self._producer.poll(0.1)
                if self._failures:
                    raise DeliveryError(self._failures[0]) from None
            except KafkaException as error:  # refused before it was queued
                raise DeliveryError(f"{topic}: {error.args[0].str()}") from None
            else:
                return

    def _report(self, error: KafkaError | None, message: Message) -> None:
        # A callback must not raise: it would destroy fetched records. Failures are looked at
        # when the epoch is flushed.
        if error is not None:
            self._failures.append(f"{message.topic()}: {error.str()}")
