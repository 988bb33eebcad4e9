"""Requests of a consumer that end in time: asked again while that may help, never waited for."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from typing import TypeVar

from confluent_kafka import KafkaException, TopicPartition

from consumers.errors import EpochLostError, UnansweredError
from consumers.kafka.background import Background
from consumers.kafka.consumer import Consumer
from consumers.kafka.failures import Complaints, passes
from consumers.kafka.queries import Place
from metrics.events import LEAVE_FAILED
from metrics.facts import RollbackReason

_log = logging.getLogger("streamfit.source")
_T = TypeVar("_T")
TIMEOUT_S = 10.0
LEAVE_TIMEOUT_S = 1.0
# librdkafka 2.16 may never answer a commit whose coordinator died; one that is merely late comes
# soon after the brokers are back.
HANGS_S = 60.0
CLOSE_TIMEOUT_S = 5.0
_RETRY_S = 0.1


class Requests:
    """Asks the broker by one client, and tells in the program's own errors what failed.

    Parameters
    ----------
    consumer : Consumer
        The client.
    complaints : Complaints
        Knows what its errors mean.
    """

    def __init__(self, consumer: Consumer, complaints: Complaints) -> None:
        self._consumer = consumer
        self._complaints = complaints
        self._committing, self._closing = Background("commit"), Background("close")
        self._commit_asked: Future[list[Place]] | None = None
        self._asked_s = 0.0

    @property
    def is_busy(self) -> bool:
        """Whether a commit is still not answered: it might arrive behind what is asked now."""
        return self._commit_asked is not None and not self._commit_asked.done()

    def wait(self, timeout_s: float) -> None:
        """Wait a while for a commit that is not answered."""
        if self._commit_asked is not None:
            wait([self._commit_asked], timeout_s)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what the client raises in the block as an error of the program."""
        try:
            yield
        except KafkaException as error:
            raise self._complaints.lost(error) from None

    def ask(self, request: Callable[[], _T]) -> _T:
        """Ask, and ask again for a while where the broker says that it may help."""
        if self.is_busy:
            raise self._unanswered()
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return request()
            except KafkaException as error:
                if not passes(error) or time.monotonic() > deadline:
                    raise self._complaints.lost(error) from None
                time.sleep(_RETRY_S)

    def commit(self, offsets: list[TopicPartition]) -> None:
        """Commit offsets, and wait until it is done.

        Raises
        ------
        EpochLostError
            If it is refused, or not answered in time. Until it is, nothing else can be asked, so
            that a commit which arrives late is seen before anything is restored.
        """
        for place in self.ask(lambda: self._commit(offsets)):
            self._complaints.check(place.error)
            if place.error is not None:
                text = f"commit refused: {place.error.str()}"
                raise EpochLostError(RollbackReason.COMMIT, text)

    def _commit(self, offsets: list[TopicPartition]) -> list[Place]:
        # While a broker hangs, the client's own call does, too, for minutes.
        asked = self._committing.submit(lambda: self._consumer.commit(offsets))
        self._commit_asked, self._asked_s = asked, time.monotonic()
        if wait([asked], TIMEOUT_S).not_done:
            raise self._unanswered()
        return asked.result()

    def _unanswered(self) -> EpochLostError:
        for_s = time.monotonic() - self._asked_s
        text = f"a commit is not answered for {for_s:.0f} s; is Kafka up?"
        if for_s < HANGS_S:
            return EpochLostError(RollbackReason.COMMIT, text)
        return UnansweredError(RollbackReason.COMMIT, f"{text} Beginning with a new client")

    def leave(self, is_left: Callable[[], bool]) -> None:
        """Leave the group as far as that is possible at once, and let go of the client later."""
        leaving = Background("leave")
        left = leaving.submit(self._unsubscribe)
        leaving.close()
        deadline = time.monotonic() + LEAVE_TIMEOUT_S
        if left in wait([left], LEAVE_TIMEOUT_S).done:
            with _going():
                while not is_left() and time.monotonic() < deadline:
                    self._consumer.poll(_RETRY_S)
        # The close of a client after a fatal error may hang for good.
        self._close()

    def _unsubscribe(self) -> None:
        with contextlib.suppress(KafkaException):  # a client that has failed for good
            # It would go on as a member of the group while a commit hangs.
            self._consumer.unsubscribe()

    def close(self) -> None:
        """Close the client; one that hangs, as after a fatal error, is left behind."""
        closed = self._close()
        if closed in wait([closed], CLOSE_TIMEOUT_S).done:
            with _going():
                closed.result()

    def _close(self) -> Future[None]:
        asked = self._commit_asked

        def close() -> None:
            if asked is not None:  # a client must not be closed while it is in a call
                wait([asked])
            try:
                self._consumer.close()  # may commit a last time, as the group takes what is owned
            finally:
                self._committing.close()

        closed = self._closing.submit(close)
        self._closing.close()
        return closed


@contextlib.contextmanager
def _going() -> Iterator[None]:
    """Only tell what the client raises: it is given up either way."""
    try:
        yield
    except KafkaException as error:
        why = error.args[0]
        _log.warning("leaving the group: %s", why.str(), extra=LEAVE_FAILED(code=why.name()))
