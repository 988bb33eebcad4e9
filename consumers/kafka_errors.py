"""Which errors of Kafka end the program, and as what; everything else the client retries."""

import logging

from confluent_kafka import KafkaError, KafkaException

from consumers.errors import FencedError, KafkaUnreachableError, OffsetsLostError, StreamfitError

_log = logging.getLogger("streamfit.kafka")
# Names with an underscore are public in librdkafka: they are its own, not the broker's.
_FATAL = KafkaError._FATAL  # noqa: SLF001
_ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_FENCED = {
    _FATAL,  # a fenced static member gets this code, with fatal() False on the polled message
    KafkaError._FENCED,  # noqa: SLF001
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
}
_GONE = {KafkaError._AUTO_OFFSET_RESET}  # noqa: SLF001
_NO_TOPIC = {
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}


# A coordinator that moves or starts says so for a moment; to ask again is all there is to do.
_PASSING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


def passes(exception: KafkaException) -> bool:
    """Tell whether the same request will do in a moment."""
    return exception.args[0].code() in _PASSING


def ending(error: KafkaError, topic: str) -> StreamfitError | None:
    """Give the error that the program must end with, or None where waiting may help."""
    code, text = error.code(), error.str()
    if error.fatal() or code in _FENCED:
        return FencedError(f"{text}; another member took over: stop one of them")
    if code in _GONE:
        return OffsetsLostError(
            f"{text}: the next record of {topic} is no longer there and learning.on_gap = 'fail'; "
            "give the topic a longer retention"
        )
    if code in _NO_TOPIC:
        return KafkaUnreachableError(
            f"input.topic = {topic!r}: {text}; create the topic, or grant the right to read it"
        )
    return None


class Complaints:
    """Remembers what a client complained of, to tell the cause when a request fails.

    Given to the client as its `error_cb`, so it must not raise.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.last = ""

    def __call__(self, error: KafkaError) -> None:
        """Keep the reason; that all brokers are down is only its consequence."""
        if error.code() != _ALL_BROKERS_DOWN or not self.last:
            self.last = error.str()

    def check(self, error: KafkaError | None) -> None:
        """Raise what the program must end with; log what the client will retry."""
        if error is None:
            return
        end = ending(error, self._topic)
        if end is not None:
            raise end
        _log.warning("consumer: %s", error.str())

    def unreachable(self, exception: KafkaException) -> StreamfitError:
        """Give the error for a request that failed."""
        error = exception.args[0]
        why = self.last or error.str()
        return ending(error, self._topic) or KafkaUnreachableError(
            f"kafka.bootstrap_servers: no answer from Kafka ({why}); "
            "is the broker up, are address and login right?"
        )
