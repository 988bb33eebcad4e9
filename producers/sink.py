"""Writes predictions and dead letters, and tells before a commit whether all arrived."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

from confluent_kafka import KafkaError, KafkaException, Producer

from learners.events import Headers
from producers.asking import Asking
from producers.client_errors import CLIENT_ERRORS, FATAL, kafka_error
from producers.dead_letters import DeadLetter
from producers.encoding import BY_KEY, PredictionRecords
from producers.outputs import DEFINITE, DeliveryError, Outputs, Reports

_Answer = TypeVar("_Answer")
_log = logging.getLogger("streamfit.sink")
CONFIG: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,  # in order and once, whatever the network does
    "acks": "all",
    "delivery.report.only.error": True,  # a success needs no callback, a failure must be seen
    "partitioner": "murmur2_random",  # as Java clients choose by key
    "linger.ms": 2,
    # With the default of 30 s, longer than a flush waits, nobody would hear of a deleted topic.
    "topic.metadata.propagation.max.ms": 5_000,
    "compression.type": "lz4",
}
# Well below the 30 s after which a loop that does not turn counts as stuck.
QUEUE_TIMEOUT_S = 15.0


class Sink(Protocol):
    """Takes records; they count as written only once `flush` has returned."""

    def predictions(self, records: PredictionRecords) -> list[int]:
        """Hand over predictions; blocks while the queue is full.

        Returns
        -------
        list of int
            Positions of those that are too large for the topic, and were not handed over.
        """

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
        """Serve delivery reports; called now and then while nothing is handed over.

        Raises
        ------
        DeliveryError
            If the client can do nothing any more.
        """

    def renew(self) -> None:
        """Throw away what is not acknowledged, and begin anew."""

    def close(self) -> None:
        """Drop what is not acknowledged and let go of the broker."""


class KafkaSink:
    """A sink that writes to two Kafka topics.

    Parameters
    ----------
    config : mapping
        Client options; `CONFIG` and the delivery report are added here.
    outputs : Outputs
        Where to write.
    """

    def __init__(self, config: Mapping[str, Any], outputs: Outputs) -> None:
        self._outputs = outputs
        # A larger record is refused before it is sent: the broker would refuse its whole batch.
        self._options = {**CONFIG, "message.max.bytes": outputs.max_bytes, **config}
        self._connect()

    def _connect(self) -> None:
        self._reports = Reports(self._outputs)
        options: dict[str, Any] = {**self._options, "on_delivery": self._reports}
        self._producer = Producer(options, logger=_log)

    def predictions(self, records: PredictionRecords) -> list[int]:
        """Hand over predictions."""
        self._begin()
        refused = self._in_runs(records) if records.headers is None else self._singly(records)
        self.poll()
        return refused

    def _in_runs(self, records: PredictionRecords) -> list[int]:
        refused: list[int] = []
        # A call for each run of one partition, since the client passes over one that a message
        # names; and runs, no groups, so that all stay in the order in which they are given.
        for partition, rows in records.runs():
            messages = _messages(records, rows)
            too_large = self._produce_all(self._outputs.predictions, partition, messages)
            refused += [rows.start + at for at in too_large]
        return refused

    def _singly(self, records: PredictionRecords) -> list[int]:
        """Hand records over one by one, since the client passes over the headers of a batch."""
        topic = self._outputs.predictions
        sent = [self._produce(topic, *record) for record in records.with_headers()]
        return [position for position, is_sent in enumerate(sent) if not is_sent]

    def dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        """Hand over dead letters."""
        count = 0
        topic, partitions = self._outputs.dead_letters, self._outputs.dead_letter_partitions
        for letter in letters:
            partition = letter.partition % partitions if letter.key is None else BY_KEY
            if not self._produce(topic, letter.key, letter.value, partition, letter.headers):
                raise DeliveryError(f"{topic}: a dead letter is too large for it", definite=True)
            count += 1
        return count

    def flush(self, timeout_s: float) -> None:
        """Wait until everything is acknowledged, and look for failures."""
        waiting = self._try(lambda: self._producer.flush(timeout_s))
        if self.dead_letters(self._reports.too_large()):
            waiting = self._try(lambda: self._producer.flush(timeout_s))
        # flush() counts a failed message as gone: only its delivery report tells.
        self._reports.check()
        if waiting:
            topics = f"{self._outputs.predictions} and {self._outputs.dead_letters}"
            raise DeliveryError(
                f"{waiting} records not acknowledged within {timeout_s:g} s; is Kafka up, are "
                f"{topics} still there?"
            )

    def poll(self) -> None:
        """Serve delivery reports."""
        self._try(lambda: self._producer.poll(0))

    def renew(self) -> None:
        """Throw the client away, with what it holds, and make a new one."""
        self._producer.purge()
        self._let_go(self._producer)
        self._connect()

    def close(self) -> None:
        """Drop what is not acknowledged."""
        # A client that was fenced refuses even this; there is nothing left to save then.
        with contextlib.suppress(*CLIENT_ERRORS, RuntimeError):
            self._producer.purge()
            self._producer.close()

    def _let_go(self, producer: Producer) -> None:
        Asking().let_go(producer)

    def _begin(self) -> None:
        """Do what must be done before records are handed over."""

    def _try(self, request: Callable[[], _Answer]) -> _Answer:
        """Do what may serve callbacks: out of it the client raises what ends it for good."""
        try:
            return request()
        except CLIENT_ERRORS as raised:
            raise self._failed(kafka_error(raised) or self._fatal()) from raised

    def _refused(self, error: KafkaError, topic: str) -> DeliveryError:
        return self._failed(self._fatal() if error.code() == FATAL else error, topic)

    def _fatal(self) -> KafkaError:
        """Tell what has ended the client, where the call itself did not."""
        return KafkaError(FATAL)

    def _failed(self, error: KafkaError, topic: str | None = None) -> DeliveryError:
        where = topic or f"{self._outputs.predictions}, {self._outputs.dead_letters}"
        return DeliveryError(f"{where}: {error.str()}", definite=error.code() in DEFINITE)

    def _produce_all(self, topic: str, partition: int, messages: list[dict[str, Any]]) -> list[int]:
        """Hand many records over in one call, a third cheaper each; gives those too large."""
        refused: list[int] = []
        begin, full_since = 0, None
        while begin < len(messages):
            part = messages[begin:] if begin else messages
            try:
                queued = self._producer.produce_batch(topic, part, partition, self._reports)
            except KafkaException as error:
                raise self._refused(error.args[0], topic) from None
            if queued == len(part):
                break
            done = self._done(topic, part)
            refused += [begin + at for at in range(done) if "_error" in part[at]]
            begin += done
            full_since = None if done else full_since
            if begin < len(messages):
                full_since = self._wait_for_room(topic, full_since)
        return refused

    def _done(self, topic: str, messages: list[dict[str, Any]]) -> int:
        """Count the records before the first for which the queue had no room.

        A full queue takes none of the rest of a batch, so that order is kept.
        """
        for at, message in enumerate(messages):
            error = message.get("_error")
            if error is None or error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                continue
            if error.code() != KafkaError._QUEUE_FULL:  # noqa: SLF001 public: librdkafka's own begin so
                raise self._refused(error, topic)
            for unsent in messages[at:]:
                del unsent["_error"]
            return at
        return len(messages)

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int,
        headers: Headers | None = None,
    ) -> bool:
        """Hand one record over; False if it is too large."""
        self._begin()
        full_since: float | None = None
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                full_since = self._wait_for_room(topic, full_since)
            except KafkaException as error:  # refused before it was queued
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    return False
                raise self._refused(error.args[0], topic) from None
            else:
                return True

    def _wait_for_room(self, topic: str, full_since: float | None) -> float:
        """Wait a little for the broker, since the queue is full; drop nothing.

        Gives since when it is full. Raises `DeliveryError` where that is too long.
        """
        full_since = full_since or time.monotonic()
        self._try(lambda: self._producer.poll(0.1))
        self._reports.check()
        if time.monotonic() > full_since + QUEUE_TIMEOUT_S:
            raise DeliveryError(
                f"{topic}: the queue is full, and nothing was acknowledged for "
                f"{QUEUE_TIMEOUT_S:g} s; is Kafka up?"
            )
        return full_since


def _messages(records: PredictionRecords, rows: slice) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": value}
        for key, value in zip(records.keys[rows], records.values[rows], strict=True)
    ]
