"""What errors of Kafka mean for the run: wait, go back to the last commit, or end."""

import logging
import math
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from confluent_kafka import KafkaError, KafkaException

from consumers.errors import (
    EpochLostError,
    FencedError,
    InstanceHeldError,
    KafkaUnreachableError,
    PostponedError,
    SettingsError,
    StreamfitError,
    UnansweredError,
)
from metrics.events import CONSUMER_ERROR
from metrics.facts import RollbackReason

_log = logging.getLogger("streamfit.kafka")
# Names with an underscore are public in librdkafka: they are its own, not the broker's.
_FATAL = KafkaError._FATAL  # noqa: SLF001
_ALL_BROKERS_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_MAX_POLL = KafkaError._MAX_POLL_EXCEEDED  # noqa: SLF001
# A polled message has the code of any fatal error then: only its text tells which.
_UNRELEASED = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
_FENCED = {
    _FATAL,  # a fenced static member gets this code, with fatal() False on the polled message
    KafkaError.FENCED_INSTANCE_ID,
}
# With the generation the partitions are gone too: what was learned since is somebody else's now.
_LOST = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.STALE_MEMBER_EPOCH,
    KafkaError.FENCED_MEMBER_EPOCH,
    KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001
}
_GONE = {
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001
    KafkaError.OFFSET_OUT_OF_RANGE,
}
_NO_TOPIC = {
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
}
# A coordinator that refuses a member so goes on refusing it, and the client goes on asking.
_NO_MEMBER: dict[int, tuple[type[SettingsError | KafkaUnreachableError], str]] = {
    KafkaError.INVALID_SESSION_TIMEOUT: (
        SettingsError,
        (
            "kafka.librdkafka.session.timeout.ms: {}; its bounds are the broker's "
            "group.min.session.timeout.ms and group.max.session.timeout.ms"
        ),
    ),
    KafkaError.INVALID_GROUP_ID: (SettingsError, "input.group: {}; take another name"),
    KafkaError.UNSUPPORTED_ASSIGNOR: (
        SettingsError,
        (
            "kafka.librdkafka.group.remote.assignor: {}; take one of the broker's "
            "group.consumer.assignors, or leave it out"
        ),
    ),
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        KafkaUnreachableError,
        (
            "input.group: {}; its members do not hand partitions over as we do, by "
            "cooperative-sticky: stop them, or take another group"
        ),
    ),
    KafkaError.GROUP_MAX_SIZE_REACHED: (
        KafkaUnreachableError,
        "input.group: {}; stop some of its members, or raise the broker's group.max.size",
    ),
}
# No client of a running program is told so for a moment: somebody has to set something right.
_REFUSED = {
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError._SSL,  # noqa: SLF001
}
# A coordinator that moves or starts says so for a moment; to ask again is all there is to do.
_PASSING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError._TRANSPORT,  # noqa: SLF001
    # A dead predecessor's transaction holds the offsets until it is ended.
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
# The same in the text of what librdkafka takes for a line that was cut.
_REFUSAL = re.compile("SSL alert")
# What tells that a broker was away.
_AWAY = {_ALL_BROKERS_DOWN, KafkaError._TRANSPORT}  # noqa: SLF001
# A client that joins anew after that does so within its session, or a few of them.
AWAY_S = 60.0
SLOW = (
    "one read took longer than max.poll.interval.ms: make learning.max_batch smaller, or "
    "max.poll.interval.ms in [kafka.librdkafka] larger"
)


# A client that was made at the start may be refused later: files that options name can change.
LATER = partial(EpochLostError, RollbackReason.KAFKA)


@contextmanager
def making_a_client(otherwise: Callable[[str], StreamfitError] = SettingsError) -> Iterator[None]:
    """Tell in one line what librdkafka says of its options where it refuses them.

    Parameters
    ----------
    otherwise : callable
        Makes the error; `LATER` for a client that is made while the program runs.
    """
    try:
        yield
    except KafkaException as error:
        said = error.args[0].str()
        raise otherwise(f"kafka.librdkafka: {said}; mend or remove it") from None


def passes(exception: KafkaException) -> bool:
    """Tell whether the same request may do in a moment."""
    return exception.args[0].code() in _PASSING


def ending(error: KafkaError, topic: str) -> StreamfitError | None:
    """Give the error to raise, or None where the client itself tries again."""
    code, text = error.code(), error.str()
    if _UNRELEASED in text:
        return InstanceHeldError(f"{text}; another process uses this input.instance: stop it")
    if error.fatal() or code in _FENCED:
        return FencedError(f"{text}; another member took over: stop one of them")
    if code in _NO_TOPIC:
        return KafkaUnreachableError(
            f"input.topic = {topic!r}: {text}; create the topic, or grant the right to read it"
        )
    if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return KafkaUnreachableError(f"input.group: {text}; grant this login READ on the group")
    if code in _NO_MEMBER:
        kind, line = _NO_MEMBER[code]
        return kind(line.format(text))
    return _void(code, text)


def _void(code: int, text: str) -> EpochLostError | None:
    if code in _LOST:
        return EpochLostError(RollbackReason.LOST, f"{text}; the group gave the partitions away")
    if code in _GONE:
        return EpochLostError(RollbackReason.GAP, f"{text}: the next record is no longer there")
    if code == KafkaError.REBALANCE_IN_PROGRESS:
        return PostponedError(RollbackReason.COMMIT, text)
    return None


def _refuses(error: KafkaError) -> bool:
    return error.code() in _REFUSED or _REFUSAL.search(error.str()) is not None


class Complaints:
    """Remembers what a client complained of, to tell the cause when a request fails.

    Given to the client as its `error_cb`, so it must not raise.

    Parameters
    ----------
    topic : str
        The input topic.
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, topic: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._clock = clock
        self._away_s = -math.inf
        self.last = ""
        self.error: KafkaError | None = None

    @property
    def is_refusal(self) -> bool:
        """Whether a broker refused the login or its certificate was refused: waiting won't help."""
        return self.error is not None and _refuses(self.error)

    def __call__(self, error: KafkaError) -> None:
        """Keep the reason; that all brokers are down, or a line is cut, is only its consequence."""
        if error.code() in _AWAY:
            self._away_s = self._clock()
        down = error.code() == _ALL_BROKERS_DOWN
        if down and self.last:
            return
        if self.is_refusal and not _refuses(error):
            return
        self.last = error.str()
        if not down:
            self.error = error

    def check(self, error: KafkaError | None) -> None:
        """Raise what is not for the client to mend; log what it will try again."""
        if error is None:
            return
        end = self._ending(error)
        if end is not None:
            raise end
        text = SLOW if error.code() == _MAX_POLL else error.str()
        _log.warning("consumer: %s", text, extra=CONSUMER_ERROR(code=error.name()))

    def lost(self, exception: KafkaException) -> StreamfitError:
        """Give the error for a request that failed."""
        error = exception.args[0]
        why = self.last or error.str()
        return self._ending(error) or EpochLostError(
            RollbackReason.KAFKA,
            f"kafka.bootstrap_servers: no answer from Kafka ({why}); "
            "is the broker up, are address and login right?",
        )

    def _ending(self, error: KafkaError) -> StreamfitError | None:
        """Give the error to raise; of an instance that is fenced after an outage, to join anew.

        Where the answer to a joining was lost with its broker, librdkafka 2.16 joins once more, and
        fences itself so. If somebody else has the instance, one of the two ends the next time.
        """
        end = ending(error, self._topic)
        if type(end) is not FencedError or self._clock() - self._away_s > AWAY_S:
            return end
        self._away_s = -math.inf
        return UnansweredError(
            RollbackReason.FENCED,
            f"{error.str()}; as Kafka was away before, that may be our own joining: joining anew",
        )
