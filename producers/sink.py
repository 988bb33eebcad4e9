"""Writes predictions and dead letters, and tells before a commit whether all arrived."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from threading import Thread
from typing import Any, Protocol, TypeVar

import numpy as np
from confluent_kafka import KafkaError, KafkaException

from learners.events import Headers
from producers.asking import Asking
from producers.batch import Batch
from producers.client import Client
from producers.dead_letters import DeadLetter
from producers.encoding import BY_KEY, PredictionRecords
from producers.outputs import DEFINITE, DeliveryError, Outputs, Reports

_Answer = TypeVar("_Answer")
_log = logging.getLogger("streamfit.sink")
CONFIG: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,  # in order and once, whatever the network does
    "acks": "all",
    "delivery.report.only.error": True,  # a success needs no report, a failure must be seen
    "partitioner": "murmur2_random",  # as Java clients choose by key
    "linger.ms": 2,
    # With the default of 30 s, longer than a flush waits, nobody would hear of a deleted topic.
    "topic.metadata.propagation.max.ms": 5_000,
    "compression.type": "lz4",
}
# Well below the 30 s after which a loop that does not turn counts as stuck.
QUEUE_TIMEOUT_S = 15.0
# While a broker is frozen, letting go of it may take as long as that lasts.
CLOSE_TIMEOUT_S = 2.0
_QUEUE_FULL = KafkaError._QUEUE_FULL  # noqa: SLF001 public: librdkafka's own codes begin so


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
        """Throw away what is not acknowledged, and begin anew.

        Raises
        ------
        KafkaException
            If librdkafka refuses an option, such as a file that is just being rewritten; then the
            sink is as it was.
        """

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

    Raises
    ------
    KafkaException
        If librdkafka refuses an option.
    """

    def __init__(self, config: Mapping[str, Any], outputs: Outputs) -> None:
        self._outputs = outputs
        # A larger record is refused before it is sent: the broker would refuse its whole batch.
        self._options = {**CONFIG, "message.max.bytes": outputs.max_bytes, **config}
        self._connect()

    def _connect(self) -> None:
        reports = Reports(self._outputs)
        self._producer, self._reports = Client(self._options, reports, _log), reports

    def predictions(self, records: PredictionRecords) -> list[int]:
        """Hand over predictions."""
        self._begin()
        refused = self._together(records) if records.headers is None else self._singly(records)
        self.poll()
        return refused

    def _together(self, records: PredictionRecords) -> list[int]:
        batch = Batch(records.values, records.keys)
        # A call for each run of one partition; and runs, no groups, so that all stay in the order
        # in which they are given.
        refused = (
            self._produce_all(self._outputs.predictions, partition, batch, rows)
            for partition, rows in records.runs()
        )
        return list(chain.from_iterable(refused))

    def _singly(self, records: PredictionRecords) -> list[int]:
        """Hand records over one by one, since a batch has no room for headers."""
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
        old = self._producer
        self._connect()
        self._let_go(old)

    def close(self) -> None:
        """Drop what is not acknowledged; a client that hangs is left behind."""
        self._let_go(self._producer).join(CLOSE_TIMEOUT_S)

    def _let_go(self, producer: Client) -> Thread:
        return Asking().let_go(producer)

    def _begin(self) -> None:
        """Do what must be done before records are handed over."""

    def _try(self, request: Callable[[], _Answer]) -> _Answer:
        try:
            return request()
        except KafkaException as raised:
            raise self._failed(raised.args[0]) from None

    def _refused(self, error: KafkaError, topic: str) -> DeliveryError:
        return self._failed(self._producer.fatal() or error, topic)

    def _failed(self, error: KafkaError, topic: str | None = None) -> DeliveryError:
        where = topic or f"{self._outputs.predictions}, {self._outputs.dead_letters}"
        return DeliveryError(f"{where}: {error.str()}", definite=error.code() in DEFINITE)

    def _produce_all(self, topic: str, partition: int, batch: Batch, rows: slice) -> list[int]:
        """Hand records over; gives the positions of those that are too large."""
        refused: list[int] = []
        begin, full_since = rows.start, None
        while begin < rows.stop:
            errors = self._producer.produce_batch(topic, partition, batch, slice(begin, rows.stop))
            taken = len(errors)
            for at in np.flatnonzero(errors).tolist():
                code = int(errors[at])
                if code == KafkaError.MSG_SIZE_TOO_LARGE:
                    refused.append(begin + at)
                elif code == _QUEUE_FULL:  # it takes none of those behind, so that order is kept
                    taken = at
                    break
                else:
                    raise self._refused(KafkaError(code), topic)
            begin += taken
            full_since = None if taken else full_since
            if begin < rows.stop:
                full_since = self._wait_for_room(topic, full_since)
        return refused

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
            except KafkaException as raised:  # refused before it was queued
                error = raised.args[0]
                if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    return False
                if error.code() != _QUEUE_FULL:
                    raise self._refused(error, topic) from None
                full_since = self._wait_for_room(topic, full_since)
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
