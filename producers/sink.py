"""Writes predictions and dead letters, and tells before a commit whether all arrived."""

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from learners.events import Headers
from producers.asking import Asking
from producers.dead_letters import DeadLetter
from producers.encoding import BY_KEY, Record
from producers.outputs import DEFINITE, DeliveryError, Outputs, Reports

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

    def predictions(self, records: Iterable[Record]) -> list[int]:
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
        """Serve delivery reports; called now and then while nothing is handed over."""

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

    def predictions(self, records: Iterable[Record]) -> list[int]:
        """Hand over predictions."""
        topic = self._outputs.predictions
        refused = []
        for position, (key, value, partition) in enumerate(records):
            if not self._produce(topic, key, value, partition):
                refused.append(position)
        self._producer.poll(0)
        return refused

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
        waiting = self._producer.flush(timeout_s)
        if self.dead_letters(self._reports.too_large()):
            waiting = self._producer.flush(timeout_s)
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
        self._producer.poll(0)

    def renew(self) -> None:
        """Throw the client away, with what it holds, and make a new one."""
        self._producer.purge()
        self._let_go(self._producer)
        self._connect()

    def close(self) -> None:
        """Drop what is not acknowledged."""
        # A client that was fenced refuses even this; there is nothing left to save then.
        with contextlib.suppress(KafkaException, RuntimeError, SystemError):
            self._producer.purge()
            self._producer.close()

    def _let_go(self, producer: Producer) -> None:
        Asking().let_go(producer)

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int,
        headers: Headers | None = None,
    ) -> bool:
        """Hand one record over; False if it is too large."""
        deadline: float | None = None
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:  # the queue is full: wait for the broker, drop nothing
                deadline = deadline or time.monotonic() + QUEUE_TIMEOUT_S
                self._producer.poll(0.1)
                self._reports.check()
                if time.monotonic() > deadline:
                    raise DeliveryError(
                        f"{topic}: the queue is full, and nothing was acknowledged for "
                        f"{QUEUE_TIMEOUT_S:g} s; is Kafka up?"
                    ) from None
            except KafkaException as error:  # refused before it was queued
                code, why = error.args[0].code(), error.args[0].str()
                if code == KafkaError.MSG_SIZE_TOO_LARGE:
                    return False
                raise DeliveryError(f"{topic}: {why}", definite=code in DEFINITE) from None
            else:
                return True
