"""Sends a data set to a topic: in order, at a pace, without losing a record unnoticed.

It knows nothing of rows or columns; `mapping` makes the records.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producers.mapping import Record
from producers.pacing import SHORTEST_WAIT_S, Pace

_POLL_EVERY = 100  # events: delivery reports must be fetched, else the queue stays full
_PROGRESS_EVERY_S = 0.1
_RETRY_S = 0.05
_LONGEST_SLEEP_S = 0.1  # so that a stop is heard
_ANY_PARTITION = -1

_OPTIONS = {
    "partitioner": "murmur2_random",  # a key goes to the partition where Java clients put it
    "enable.idempotence": True,  # a retry neither repeats a record nor changes the order
    "delivery.report.only.error": True,
    "linger.ms": 5,
    "compression.type": "zstd",
    "message.timeout.ms": 30_000,
}
_LOGGER = logging.getLogger("streamfit.replay.librdkafka")
_LOGGER.addHandler(logging.NullHandler())  # errors are told in one line, not in librdkafka's words


class ReplayError(Exception):
    """Records were not delivered; the message is one line that says how many and why."""


class RecordProducer(Protocol):
    """What a replay needs of `confluent_kafka.Producer`."""

    def produce(  # noqa: D102 - the client's own
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        *,
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None: ...

    def poll(self, timeout: float) -> int: ...  # noqa: D102

    def flush(self, timeout: float) -> int: ...  # noqa: D102


def open_producer(
    config: Mapping[str, Any], on_error: Callable[[KafkaError], None] | None = None
) -> Producer:
    """Make a producer that keeps order and reports each failed delivery.

    Parameters
    ----------
    config : mapping
        librdkafka options; they win over the ones set here.
    on_error : callable, optional
        Told what the client complains of, out of `poll`. It must not raise.

    Raises
    ------
    confluent_kafka.KafkaException
        If librdkafka refuses an option.
    """
    callbacks = {} if on_error is None else {"error_cb": on_error}
    return Producer({**_OPTIONS, **config, **callbacks}, logger=_LOGGER)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: records acknowledged by Kafka, and how long it took, in seconds."""

    sent: int
    seconds: float

    @property
    def events_per_s(self) -> float:
        """Mean rate."""
        return self.sent / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """How to send.

    Attributes
    ----------
    rate : float or None
        Events per second; None for as fast as possible.
    partition : int or None
        The one partition to send to; None to go by the key.
    flush_timeout_s : float
        How long to wait at the end for Kafka to acknowledge what is under way.
    """

    rate: float | None = None
    partition: int | None = None
    flush_timeout_s: float = 30.0


class Replay:
    """Sends records to a topic.

    Parameters
    ----------
    producer : RecordProducer
        Used by this replay alone while it runs.
    topic : str
        Where to send.
    options : ReplayOptions
        How.
    may_send : callable, optional
        Asked before each record with the number sent so far; while it says False nothing is
        sent. It must be quick and must not raise.
    on_progress : callable, optional
        Told the number sent so far, ten times a second at most, and once at the end.
    clock, sleep : callable
        Seconds that only grow, and how to wait for some.
    """

    def __init__(
        self,
        producer: RecordProducer,
        topic: str,
        options: ReplayOptions = ReplayOptions(),
        *,
        may_send: Callable[[int], bool] = lambda _: True,
        on_progress: Callable[[int], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._producer, self._topic, self._options = producer, topic, options
        self._may_send, self._on_progress = may_send, on_progress
        self._clock, self._sleep = clock, sleep
        self._pace = Pace(options.rate)
        self._partition = _ANY_PARTITION if options.partition is None else options.partition
        self._stop = threading.Event()
        self._sent = self._failed = 0
        self._reason = ""
        self._told_s = 0.0

    def stop(self) -> None:
        """Send no more; `run` then flushes and returns. Safe from any thread or signal handler."""
        self._stop.set()

    def run(self, records: Iterable[Record]) -> Replayed:
        """Send all records, then wait until Kafka has acknowledged them. Call it once.

        Parameters
        ----------
        records : iterable of (key, value)
            Sent in this order. What it raises goes through, after a flush.

        Raises
        ------
        ReplayError
            If a record was not delivered; sending stops at the first one known.
        """
        started_s = self._told_s = self._clock()
        try:
            for key, value in records:
                if not (self._wait_for_turn() and self._send(key, value)):
                    break
        finally:
            unacknowledged = self._flush()
        self._on_progress(self._sent)
        if self._failed or unacknowledged:
            raise ReplayError(self._complaint(unacknowledged))
        return Replayed(self._sent, self._clock() - started_s)

    def _wait_for_turn(self) -> bool:
        """Wait for the pace and for `may_send`; False if sending is over."""
        if self._sent % _POLL_EVERY == 0:
            self._producer.poll(0)
        now_s = self._clock()
        if now_s - self._told_s >= _PROGRESS_EVERY_S:
            self._told_s = now_s
            self._on_progress(self._sent)
        wait_s = self._pace.wait_s(now_s)
        while wait_s > 0 and not self._over():
            nap_s = min(wait_s, _LONGEST_SLEEP_S)
            self._sleep(nap_s)
            self._producer.poll(0)
            wait_s -= nap_s
        while not self._over() and not self._may_send(self._sent):
            self._sleep(SHORTEST_WAIT_S)
            self._producer.poll(0)
        return not self._over()

    def _send(self, key: bytes | None, value: bytes | None) -> bool:
        """Hand one record to the client; False if sending is over."""
        while not self._over():
            try:
                self._producer.produce(
                    self._topic, value, key, self._partition, on_delivery=self._on_delivery
                )
            except BufferError:  # its queue is full: Kafka takes them slower than we make them
                self._producer.poll(_RETRY_S)
            except KafkaException as error:
                self._on_delivery(error.args[0], None)
            else:
                self._sent += 1
                return True
        return False

    def _over(self) -> bool:
        return self._stop.is_set() or self._failed > 0

    def _on_delivery(self, error: KafkaError | None, _message: Message | None) -> None:
        if error is not None:
            self._failed += 1
            self._reason = self._reason or error.str()

    def _flush(self) -> int:
        """Wait for what is under way; returns how many records are still unacknowledged."""
        deadline_s = self._clock() + self._options.flush_timeout_s
        while (left := self._producer.flush(_LONGEST_SLEEP_S)) and self._clock() < deadline_s:
            pass
        return left

    def _complaint(self, unacknowledged: int) -> str:
        if self._failed:
            return f"topic {self._topic}: {self._failed} records not delivered: {self._reason}"
        return (
            f"topic {self._topic}: {unacknowledged} records not acknowledged within "
            f"{self._options.flush_timeout_s:g} s; is the broker up?"
        )
