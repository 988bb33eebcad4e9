"""A producer on librdkafka itself: a batch is handed over as a table of pointers.

confluent-kafka's own takes a dictionary for each record, which costs several times what librdkafka
does. What it gives and raises is the same otherwise; but no callback runs inside of it: `poll`
serves what has happened.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from ctypes import byref, c_void_p, string_at
from typing import Any

import numpy as np
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from learners.events import Headers, Ints
from producers import librdkafka
from producers.batch import Batch, arguments_of
from producers.handle import Handle, ms
from producers.librdkafka import Message

# Called for a record that was not delivered, with the error, the topic, the key and the value.
Report = Callable[[KafkaError, str, bytes | None, bytes | None], None]
_FLUSH_MS = 100


class Client(Handle):
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
        super().__init__(librdkafka.PRODUCER, options, _with_events, logger)
        self._report = report
        self._queue = self._keep_queue(self._library.rd_kafka_queue_get_main(self._open))
        self._library.rd_kafka_set_log_queue(self._open, self._queue)

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
        wait_ms, queue = ms(timeout_s), self._handle and self._queue
        while event := self._library.rd_kafka_queue_poll(queue, wait_ms):
            wait_ms = 0
            try:
                self._serve(event)
            finally:
                self._library.rd_kafka_event_destroy(event)

    def flush(self, timeout_s: float) -> int:
        """Wait until all is acknowledged or has failed; gives the number that is not."""
        left_ms = ms(timeout_s)
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

    def purge(self) -> None:
        """Forget what is not acknowledged."""
        both = librdkafka.PURGE_QUEUE | librdkafka.PURGE_IN_FLIGHT
        self._raise_for(self._library.rd_kafka_purge(self._handle, both))

    def init_transactions(self, timeout_s: float) -> None:
        """End what a client of the same `transactional.id` left open."""
        self._check(self._library.rd_kafka_init_transactions(self._handle, ms(timeout_s)))

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
        try:
            with self._places(offsets) as places:
                self._check(
                    library.rd_kafka_send_offsets_to_transaction(
                        self._handle, places, metadata, ms(timeout_s)
                    )
                )
        finally:
            library.rd_kafka_consumer_group_metadata_destroy(metadata)

    def commit_transaction(self, timeout_s: float) -> None:
        """Make everything in the transaction visible."""
        self._check(self._library.rd_kafka_commit_transaction(self._handle, ms(timeout_s)))

    def abort_transaction(self, timeout_s: float) -> None:
        """Make everything in the transaction void."""
        self._check(self._library.rd_kafka_abort_transaction(self._handle, ms(timeout_s)))

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


def _with_events(conf: int) -> None:
    events = librdkafka.EVENT_REPORTS | librdkafka.EVENT_LOG | librdkafka.EVENT_ERROR
    librdkafka.library().rd_kafka_conf_set_events(conf, events)


def _bytes(address: int | None, size: int) -> bytes | None:
    return None if address is None else string_at(address, size)
