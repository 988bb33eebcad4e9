"""A consumer on librdkafka itself: what is read comes in columns.

confluent-kafka's own makes an object of each record, which costs more than to scan its value and
learn from it. What this one gives and raises is the same otherwise, and its callbacks run inside of
`read`, `poll` and `close` as they do there. What one of them raises comes out of these, and what
was read is dropped: the position has moved nevertheless.
"""

import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.kafka.messages import Messages
from consumers.kafka.queries import Place, Queries, told
from producers import librdkafka
from producers.handle import ms

_FATAL = KafkaError._FATAL  # noqa: SLF001 public: librdkafka's own codes begin so
_ASSIGN = KafkaError._ASSIGN_PARTITIONS  # noqa: SLF001
_FIRST_BATCH = 1024


# Called with the client, and the partitions that come or go; must give the group an answer.
Rebalanced = Callable[["Consumer", list[Place]], None]


class Consumer(Queries):
    """Reads topics as a member of a consumer group, by cooperative rebalances.

    Parameters
    ----------
    options : mapping of str to str, int, float or bool
        Of librdkafka.
    complain : callable
        Told of errors of the client that it will mend itself, and of the one that ends it.
    logger : Logger
        Takes librdkafka's own lines.

    Raises
    ------
    KafkaException
        If librdkafka refuses an option; from every method, if it refuses what was asked.
    RuntimeError
        From every method but `close`, once it is closed.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        complain: Callable[[KafkaError], None],
        logger: logging.Logger,
    ) -> None:
        ours = weakref.ref(self)
        callbacks = _Callbacks(
            librdkafka.ERROR_CALLBACK(partial(_on_error, ours)),
            librdkafka.PARTITIONS_CALLBACK(partial(_on_rebalance, ours)),
        )
        super().__init__(librdkafka.CONSUMER, options, callbacks.set, logger, held=callbacks)
        self._complain = complain
        self._on_assign: Rebalanced = _unasked
        self._on_revoke: Rebalanced = _unasked
        self._on_lost: Rebalanced = _unasked
        self._logged = self._keep_queue(self._library.rd_kafka_queue_new(self._open))
        self._library.rd_kafka_set_log_queue(self._open, self._logged)
        self._library.rd_kafka_poll_set_consumer(self._open)
        self._queue = self._keep_queue(self._library.rd_kafka_queue_get_consumer(self._open))
        self._room = np.empty(_FIRST_BATCH, np.int64)
        self._raised: BaseException | None = None
        self._is_closing = False

    def subscribe(
        self,
        topics: Iterable[str],
        on_assign: Rebalanced,
        on_revoke: Rebalanced,
        on_lost: Rebalanced,
    ) -> None:
        """Join the group; each callback has to assign or unassign something, if only nothing."""
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        with self._places(TopicPartition(topic) for topic in topics) as places:
            self._raise_for(self._library.rd_kafka_subscribe(self._handle, places))

    def unsubscribe(self) -> None:
        """Leave the group."""
        self._raise_for(self._library.rd_kafka_unsubscribe(self._handle))

    def read(self, most: int, timeout_s: float) -> Messages | None:
        """Wait for a first message, then take what is there; None if nothing came."""
        if most > len(self._room):
            self._room = np.empty(most, np.int64)
        count = self._take(0, most, 0)
        if not count and timeout_s > 0:
            count = self._take(0, 1, ms(timeout_s))
            if 0 < count < most:
                count += self._take(count, most - count, 0)
        self._tell()
        messages = Messages(self._room, count) if count else None
        self._raise_again()
        return messages

    def poll(self, timeout_s: float) -> None:
        """Let callbacks run; what is read is dropped."""
        self.read(1, timeout_s)

    def assign(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions, as no member of the group."""
        with self._places(places) as given:
            self._raise_for(self._library.rd_kafka_assign(self._handle, given))

    def incremental_assign(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions, too."""
        with self._places(places) as given:
            self._check(self._library.rd_kafka_incremental_assign(self._handle, given))

    def incremental_unassign(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions no more."""
        with self._places(places) as given:
            self._check(self._library.rd_kafka_incremental_unassign(self._handle, given))

    def pause(self, places: Iterable[TopicPartition]) -> None:
        """Read these partitions no more for a while."""
        with self._places(places) as given:
            self._raise_for(self._library.rd_kafka_pause_partitions(self._handle, given))

    def resume(self, places: Iterable[TopicPartition]) -> None:
        """Go on reading them."""
        with self._places(places) as given:
            self._raise_for(self._library.rd_kafka_resume_partitions(self._handle, given))

    def close(self) -> None:
        """Leave the group, and let go of the brokers; safe to call twice.

        Raises
        ------
        KafkaException
            If the group refuses.
        """
        if not self._end.alive:
            return
        self._is_closing = True
        try:
            self._raise_for(self._library.rd_kafka_consumer_close(self._handle))
            self._raise_again()
        finally:
            self._tell()
            super().close()

    def _take(self, first: int, most: int, wait_ms: int) -> int:
        place = self._room.ctypes.data + 8 * first
        return int(
            self._library.rd_kafka_consume_batch_queue(
                self._handle and self._queue, wait_ms, place, most
            )
        )

    def _tell(self) -> None:
        while event := self._library.rd_kafka_queue_poll(self._logged, 0):
            self._log(event)
            self._library.rd_kafka_event_destroy(event)

    def _raise_again(self) -> None:
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised

    def _errs(self, code: int, text: bytes | None) -> None:
        fatal = self.fatal() if code == _FATAL else None
        self._complain(fatal or KafkaError(code, (text or b"").decode(errors="replace")))

    def _rebalances(self, code: int, places: Any) -> None:
        if code == _ASSIGN:
            callback, answer = self._on_assign, self.incremental_assign
        else:
            is_lost = self._library.rd_kafka_assignment_lost(self._handle)
            callback = self._on_lost if is_lost else self._on_revoke
            answer = self.incremental_unassign
        try:
            callback(self, told(places))
        except BaseException:
            with suppress(KafkaException):  # it may have answered, and the group waits for it
                answer([])
            raise
        finally:
            if not self._is_closing:  # that waits for more than this callback
                # What has come or gone is to be looked at now, and not once a record comes.
                self._library.rd_kafka_queue_yield(self._queue)

    def _keep(self, callback: Callable[[], None]) -> None:
        """Run a callback; what it raises would be printed, and forgotten."""
        try:
            callback()
        except BaseException as error:  # noqa: BLE001 raised again
            self._raised = self._raised or error


@dataclass(frozen=True)
class _Callbacks:
    errs: Any
    rebalances: Any

    def set(self, conf: int) -> None:
        library = librdkafka.library()
        library.rd_kafka_conf_set_events(conf, librdkafka.EVENT_LOG)
        library.rd_kafka_conf_set_error_cb(conf, self.errs)
        library.rd_kafka_conf_set_rebalance_cb(conf, self.rebalances)


def _on_error(
    ours: "weakref.ref[Consumer]", _client: int, code: int, text: bytes, _opaque: int
) -> None:
    consumer = ours()
    if consumer is not None:
        consumer._keep(lambda: consumer._errs(code, text))  # noqa: SLF001 its own


def _on_rebalance(
    ours: "weakref.ref[Consumer]", _client: int, code: int, places: Any, _opaque: int
) -> None:
    consumer = ours()
    if consumer is not None:
        consumer._keep(lambda: consumer._rebalances(code, places))  # noqa: SLF001 its own


def _unasked(_consumer: Consumer, _places: list[Place]) -> None:
    """Nobody has subscribed: there is no group."""
