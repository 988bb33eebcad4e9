"""A producer on librdkafka itself: a batch is handed over as a table of pointers.

confluent-kafka's own takes a dictionary for each record, which costs several times what librdkafka
does. What it gives and raises is the same otherwise; but no callback runs inside of it: `poll`
serves what has happened.
"""

import ctypes
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from ctypes import byref, c_char_p, c_int, c_void_p
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from learners.events import Headers, Ints
from producers import librdkafka
from producers.batch import Batch, arguments_of
from producers.librdkafka import Message

# Called for a record that was not delivered, with the error, the topic, the key and the value.
Report = Callable[[KafkaError, str, bytes | None, bytes | None], None]
_FLUSH_MS = 100
_TEXT = 512
# Public: librdkafka's own codes begin with an underscore.
_INVALID_ARG = KafkaError._INVALID_ARG  # noqa: SLF001
# Levels of syslog, in which librdkafka speaks, as those of `logging`.
_LEVELS = (logging.CRITICAL,) * 3 + (
    logging.ERROR,
    logging.WARNING,
    logging.INFO,
    logging.INFO,
    logging.DEBUG,
)


class Client:
    """Writes records, in transactions if its options say so.

    Parameters
    ----------
    options : mapping of str to str, int, float or bool
        Of librdkafka.
    report : callable
        Told by `poll` and `flush` of each record that was not delivered.
    logger : Logger
        Takes librdkafka's own lines.

    Raises
    ------
    KafkaException
        If librdkafka refuses an option; from every method, if it refuses what was asked, and from
        `poll` and `flush` what has ended the client for good.
    RuntimeError
        From every method but `close`, once it is closed.
    """

    def __init__(self, options: Mapping[str, Any], report: Report, logger: logging.Logger) -> None:
        self._library = librdkafka.library()
        self._report = report
        self._logger = logger
        self._open = _new(self._library, {**options, "log.queue": True})
        self._queue = self._library.rd_kafka_queue_get_main(self._open)
        self._library.rd_kafka_set_log_queue(self._open, self._queue)
        self._library.rd_kafka_sasl_background_callbacks_enable(self._open)
        self._name = self._library.rd_kafka_name(self._open).decode()
        self._topics: dict[str, int] = {}
        self._end = weakref.finalize(
            self, _destroy, self._library, self._open, self._queue, self._topics
        )
        # At the end of the process nobody waits for a client that was left behind.
        self._end.atexit = False

    def produce_batch(self, topic: str, partition: int, batch: Batch, rows: slice) -> Ints:
        """Hand records over; those that were refused are not sent, the others will be.

        Parameters
        ----------
        topic : str
            Where to.
        partition : int
            Of all of them; -1 where the key of each decides.
        batch : Batch
            Holds them.
        rows : slice
            Which of them, in steps of one.

        Returns
        -------
        ndarray of shape (n_records,)
            Error code of each, 0 if it was taken. A queue that is full takes none of those behind.
        """
        table = batch.table[rows]
        table["err"] = 0
        # All of one partition: a transaction never ends where messages of a topic that the client
        # does not know yet name one each.
        taken = self._library.rd_kafka_produce_batch(
            self._topic(topic), partition, librdkafka.COPY, table.ctypes.data, len(table)
        )
        if taken == len(table):
            return np.zeros(len(table), np.int64)
        errors: Ints = table["err"].astype(np.int64)
        return errors

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        headers: Headers | None = None,
    ) -> None:
        """Hand one record over, with headers if there are any."""
        arguments, held = arguments_of(topic, value, key, partition, headers or ())
        self._check(
            self._library.rd_kafka_produceva(self._handle, arguments, len(arguments)), held=held
        )

    def poll(self, timeout_s: float) -> None:
        """Wait for something to happen, and serve all that has happened."""
        wait_ms, queue = _ms(timeout_s), self._handle and self._queue
        while event := self._library.rd_kafka_queue_poll(queue, wait_ms):
            wait_ms = 0
            try:
                self._serve(event)
            finally:
                self._library.rd_kafka_event_destroy(event)

    def flush(self, timeout_s: float) -> int:
        """Wait until all is acknowledged or has failed; gives the number that is not."""
        left_ms = _ms(timeout_s)
        while True:
            wait_ms = min(left_ms, _FLUSH_MS)
            # A record that has failed counts as waiting until its report is served.
            waiting = self._library.rd_kafka_flush(self._handle, wait_ms)
            self.poll(0)
            left_ms -= wait_ms
            if not waiting or not self._library.rd_kafka_flush(self._handle, 0):
                return 0
            if left_ms <= 0:  # lines of the log that wait are counted, too
                return int(self._library.rd_kafka_outq_len(self._handle))

    def fatal(self) -> KafkaError | None:
        """Tell what has ended the client for good, if anything has."""
        text = ctypes.create_string_buffer(_TEXT)
        code = self._library.rd_kafka_fatal_error(self._handle, text, _TEXT)
        return KafkaError(code, text.value.decode(errors="replace"), fatal=True) if code else None

    def purge(self) -> None:
        """Forget what is not acknowledged."""
        both = librdkafka.PURGE_QUEUE | librdkafka.PURGE_IN_FLIGHT
        self._raise_for(self._library.rd_kafka_purge(self._handle, both))

    def close(self) -> None:
        """Let go of the brokers, and drop what is not acknowledged; safe to call twice."""
        self._end()

    def init_transactions(self, timeout_s: float) -> None:
        """End what a client of the same `transactional.id` left open."""
        self._check(self._library.rd_kafka_init_transactions(self._handle, _ms(timeout_s)))

    def begin_transaction(self) -> None:
        """Begin a transaction; all that is handed over from now on belongs to it."""
        self._check(self._library.rd_kafka_begin_transaction(self._handle))

    def send_offsets_to_transaction(
        self, offsets: Iterable[TopicPartition], group: bytes, timeout_s: float
    ) -> None:
        """Put a group's offsets into the transaction; `group` is the consumer's own metadata."""
        library = self._library
        metadata = c_void_p()
        self._check(
            library.rd_kafka_consumer_group_metadata_read(byref(metadata), group, len(group))
        )
        places = library.rd_kafka_topic_partition_list_new(0)
        try:
            for offset in offsets:
                self._add(places, offset)
            self._check(
                library.rd_kafka_send_offsets_to_transaction(
                    self._handle, places, metadata, _ms(timeout_s)
                )
            )
        finally:
            library.rd_kafka_topic_partition_list_destroy(places)
            library.rd_kafka_consumer_group_metadata_destroy(metadata)

    def commit_transaction(self, timeout_s: float) -> None:
        """Make everything in the transaction visible."""
        self._check(self._library.rd_kafka_commit_transaction(self._handle, _ms(timeout_s)))

    def abort_transaction(self, timeout_s: float) -> None:
        """Make everything in the transaction void."""
        self._check(self._library.rd_kafka_abort_transaction(self._handle, _ms(timeout_s)))

    @property
    def _handle(self) -> int:
        if not self._end.alive:
            raise RuntimeError("this client is closed")
        return self._open

    def _add(self, places: int, offset: TopicPartition) -> None:
        place = self._library.rd_kafka_topic_partition_list_add(
            places, offset.topic.encode(), offset.partition
        ).contents
        place.offset = offset.offset
        metadata = (offset.metadata or "").encode()
        if metadata:  # the list frees it, so it must come from librdkafka's own heap
            # With the zero byte that ends it: librdkafka copies so many, and then looks for it.
            size = len(metadata) + 1
            place.metadata = self._library.rd_kafka_mem_malloc(self._handle, size)
            ctypes.memmove(place.metadata, metadata, size)
            place.metadata_size = size

    def _topic(self, name: str) -> int:
        found = self._topics.get(name)
        if found is None:
            made = self._library.rd_kafka_topic_new(self._handle, name.encode(), None)
            if not made:
                self._raise_for(self._library.rd_kafka_last_error())
            found = self._topics[name] = int(made)
        return found

    def _serve(self, event: int) -> None:
        kind = self._library.rd_kafka_event_type(event)
        if kind == librdkafka.EVENT_REPORTS:
            while message := self._library.rd_kafka_event_message_next(event):
                self._tell(message.contents)
        elif kind == librdkafka.EVENT_LOG:
            self._log(event)
        else:  # an error of the client: it mends all but those that end it
            fatal = self.fatal()
            if fatal is not None:
                raise KafkaException(fatal)

    def _tell(self, message: Message) -> None:
        if message.err:
            topic = self._library.rd_kafka_topic_name(message.rkt).decode()
            key = _bytes(message.key, message.key_len)
            self._report(KafkaError(message.err), topic, key, _bytes(message.payload, message.len))

    def _log(self, event: int) -> None:
        facility, text, level = c_char_p(), c_char_p(), c_int()
        self._library.rd_kafka_event_log(event, byref(facility), byref(text), byref(level))
        number = _LEVELS[min(max(level.value, 0), len(_LEVELS) - 1)]
        told = [(each.value or b"").decode(errors="replace") for each in (facility, text)]
        self._logger.log(number, "%s [%s] %s", told[0], self._name, told[1])

    def _raise_for(self, code: int) -> None:
        if code:
            raise KafkaException(KafkaError(code))

    def _check(self, error: int | None, held: object = None) -> None:  # noqa: ARG002 kept alive
        if not error:
            return
        library = self._library
        told = KafkaError(
            library.rd_kafka_error_code(error),
            library.rd_kafka_error_string(error).decode(errors="replace"),
            fatal=bool(library.rd_kafka_error_is_fatal(error)),
            retriable=bool(library.rd_kafka_error_is_retriable(error)),
            txn_requires_abort=bool(library.rd_kafka_error_txn_requires_abort(error)),
        )
        library.rd_kafka_error_destroy(error)
        raise KafkaException(told)


def _new(library: ctypes.CDLL, options: Mapping[str, Any]) -> int:
    conf, text = library.rd_kafka_conf_new(), ctypes.create_string_buffer(_TEXT)
    for name, value in options.items():
        said = str(value).lower() if isinstance(value, bool) else str(value)
        if library.rd_kafka_conf_set(conf, name.encode(), said.encode(), text, _TEXT):
            library.rd_kafka_conf_destroy(conf)
            raise KafkaException(_invalid(text.value))
    events = librdkafka.EVENT_REPORTS | librdkafka.EVENT_LOG | librdkafka.EVENT_ERROR
    library.rd_kafka_conf_set_events(conf, events)
    # Tokens of OAUTHBEARER are fetched in the background, also while nobody polls.
    library.rd_kafka_conf_enable_sasl_queue(conf, 1)
    handle = library.rd_kafka_new(librdkafka.PRODUCER, conf, text, _TEXT)
    if not handle:
        library.rd_kafka_conf_destroy(conf)
        raise KafkaException(_invalid(text.value))
    return int(handle)


def _invalid(text: bytes) -> KafkaError:
    return KafkaError(_INVALID_ARG, text.decode(errors="replace"))


def _destroy(library: ctypes.CDLL, handle: int, queue: int, topics: Mapping[str, int]) -> None:
    for topic in topics.values():
        library.rd_kafka_topic_destroy(topic)
    library.rd_kafka_queue_destroy(queue)
    library.rd_kafka_destroy(handle)


def _bytes(address: int | None, size: int) -> bytes | None:
    return None if address is None else ctypes.string_at(address, size)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))
