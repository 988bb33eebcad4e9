"""What every client on librdkafka itself needs: its making, its log, its errors, its end."""

import ctypes
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_int
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from producers import librdkafka

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


class Handle:
    """A client of librdkafka.

    Parameters
    ----------
    kind : int
        `librdkafka.PRODUCER` or `CONSUMER`.
    options : mapping of str to str, int, float or bool
        Of librdkafka.
    configure : callable
        Sets what is no option; called with librdkafka's configuration.
    logger : Logger
        Takes librdkafka's own lines.
    held : object
        Must live as long as the client, as callbacks of it do.

    Raises
    ------
    KafkaException
        If librdkafka refuses an option.
    """

    def __init__(
        self,
        kind: int,
        options: Mapping[str, Any],
        configure: Callable[[int], None],
        logger: logging.Logger,
        held: object = None,
    ) -> None:
        self._library = librdkafka.library()
        self._logger = logger
        self._open = _new(self._library, kind, {**options, "log.queue": True}, configure)
        self._library.rd_kafka_sasl_background_callbacks_enable(self._open)
        self._name = self._library.rd_kafka_name(self._open).decode()
        self._queues: list[int] = []
        self._topics: dict[str, int] = {}
        self._end = weakref.finalize(
            self, _destroy, self._library, self._open, self._queues, self._topics, held
        )
        # At the end of the process nobody waits for a client that was left behind.
        self._end.atexit = False

    def fatal(self) -> KafkaError | None:
        """Tell what has ended the client for good, if anything has."""
        text = ctypes.create_string_buffer(_TEXT)
        code = self._library.rd_kafka_fatal_error(self._handle, text, _TEXT)
        return KafkaError(code, text.value.decode(errors="replace"), fatal=True) if code else None

    def close(self) -> None:
        """Let go of the brokers; safe to call twice."""
        self._end()

    @property
    def _handle(self) -> int:
        if not self._end.alive:
            raise RuntimeError("this client is closed")
        return self._open

    def _keep_queue(self, queue: int) -> int:
        """Give a queue, to be let go before the client."""
        self._queues.append(queue)
        return queue

    def _topic(self, name: str) -> int:
        found = self._topics.get(name)
        if found is None:
            made = self._library.rd_kafka_topic_new(self._handle, name.encode(), None)
            if not made:
                self._raise_for(self._library.rd_kafka_last_error())
            found = self._topics[name] = int(made)
        return found

    @contextmanager
    def _places(self, offsets: Iterable[TopicPartition]) -> Iterator[Any]:
        """Give offsets as a list of librdkafka's own, for a while."""
        places = self._library.rd_kafka_topic_partition_list_new(0)
        try:
            for offset in offsets:
                self._add(places, offset)
            yield places
        finally:
            self._library.rd_kafka_topic_partition_list_destroy(places)

    def _add(self, places: Any, offset: TopicPartition) -> None:
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


def _new(
    library: ctypes.CDLL, kind: int, options: Mapping[str, Any], configure: Callable[[int], None]
) -> int:
    conf, text = library.rd_kafka_conf_new(), ctypes.create_string_buffer(_TEXT)
    for name, value in options.items():
        said = str(value).lower() if isinstance(value, bool) else str(value)
        if library.rd_kafka_conf_set(conf, name.encode(), said.encode(), text, _TEXT):
            library.rd_kafka_conf_destroy(conf)
            raise KafkaException(_invalid(text.value))
    configure(conf)
    # Tokens of OAUTHBEARER are fetched in the background, also while nobody polls.
    library.rd_kafka_conf_enable_sasl_queue(conf, 1)
    handle = library.rd_kafka_new(kind, conf, text, _TEXT)
    if not handle:
        library.rd_kafka_conf_destroy(conf)
        raise KafkaException(_invalid(text.value))
    return int(handle)


def _invalid(text: bytes) -> KafkaError:
    return KafkaError(_INVALID_ARG, text.decode(errors="replace"))


def _destroy(
    library: ctypes.CDLL,
    handle: int,
    queues: list[int],
    topics: Mapping[str, int],
    _held: object,
) -> None:
    for topic in topics.values():
        library.rd_kafka_topic_destroy(topic)
    for queue in queues:
        library.rd_kafka_queue_destroy(queue)
    # A consumer that leaves its group says so itself: here nobody is left to be called back.
    library.rd_kafka_destroy_flags(handle, librdkafka.NO_CONSUMER_CLOSE)


def ms(seconds: float) -> int:
    """Give whole milliseconds, none below zero."""
    return max(0, round(seconds * 1000))
