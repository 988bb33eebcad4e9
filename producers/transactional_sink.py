"""A sink whose records and offsets become visible together, in one Kafka transaction.

A transaction begins with the first record handed over and ends with `commit`. After anything
uncertain the client is thrown away: the next one, of the same `transactional.id`, ends what it
left open.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Thread
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from producers.asking import Asking
from producers.client import Client
from producers.outputs import DEFINITE, DeliveryError, Outputs
from producers.sink import KafkaSink

_log = logging.getLogger("streamfit.transactions")
ABORT_TIMEOUT_S = 3.0
# The second request of a commit gets at least this, however long the first took.
SHORTEST_TIMEOUT_S = 1.0
# A commit right after a commit finds the broker still busy with the one before: the client asks
# again after this time, and 100 ms (the default) would be most of a short epoch.
CONFIG: dict[str, str | int | float | bool] = {"retry.backoff.ms": 5}
_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001 public: librdkafka's own codes begin so
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}
_LOST = {KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}


class TransactionError(DeliveryError):
    """A transaction could not be committed, or nobody knows whether it was.

    Parameters
    ----------
    message : str
        What happened.
    definite : bool
        No waiting will mend it.
    fenced : bool
        Another process took over the transactions, or the partitions.
    """

    def __init__(self, message: str, *, definite: bool = False, fenced: bool = False) -> None:
        super().__init__(message, definite=definite)
        self.fenced = fenced


@dataclass(frozen=True, slots=True)
class Transaction:
    """Who writes transactions, and how long one may stay open.

    Attributes
    ----------
    id : str
        The `transactional.id`: of several clients with it the newest wins.
    timeout_s : float
        After this many seconds the broker aborts an open one.
    prefix : str or None
        What the ids of all its processes begin with, where each has its own.
    """

    id: str
    timeout_s: float
    prefix: str | None = None


class TransactionalSink(KafkaSink):
    """A sink that writes predictions, dead letters and offsets in transactions.

    Parameters
    ----------
    config : mapping
        Client options.
    outputs : Outputs
        Where to write.
    transaction : Transaction
        Who writes.
    reach : callable
        Is told when the offsets are sent, and the transaction is not yet committed.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        outputs: Outputs,
        transaction: Transaction,
        reach: Callable[[str], None],
    ) -> None:
        self._ready = False
        self._open = False
        self._asking = Asking()
        self._reach = reach
        self._transaction = transaction
        ours = {
            "transactional.id": transaction.id,
            "transaction.timeout.ms": round(transaction.timeout_s * 1000),
        }
        super().__init__({**CONFIG, **config, **ours}, outputs)

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open."""
        return self._open

    def prepare(self, timeout_s: float) -> None:
        """End what a predecessor left open, and keep it from writing any more.

        Raises
        ------
        TransactionError
            If the broker refuses, or does not answer in time.
        """
        if not self._ready:
            producer = self._producer
            self._ask(lambda: producer.init_transactions(timeout_s), timeout_s)
            self._ready = True

    def commit(self, offsets: list[Any], group: Any, timeout_s: float) -> None:
        """Commit everything handed over, and these offsets with it.

        Parameters
        ----------
        offsets : list of confluent_kafka.TopicPartition
            Next offsets.
        group : object
            Metadata of the consumer group's member whose offsets they are.
        timeout_s : float
            Seconds for both requests.

        Raises
        ------
        TransactionError
            If it failed, or the outcome is not known: `renew`, and ask what is committed.
        """
        self._begin()
        producer, deadline = self._producer, time.monotonic() + timeout_s
        self._ask(
            lambda: producer.send_offsets_to_transaction(offsets, group, timeout_s), timeout_s
        )
        self._reach("offsets_sent")
        left_s = max(SHORTEST_TIMEOUT_S, deadline - time.monotonic())
        self._ask(lambda: producer.commit_transaction(left_s), left_s)
        self._open = False

    def renew(self) -> None:
        """Throw the client away, with what it holds; `prepare` ends the open transaction."""
        super().renew()
        self._ready = self._open = False

    def close(self) -> None:
        """Abort what is open, so that nobody waits for it."""
        if self._asking.is_overdue:  # closed with the process
            return
        if self._open:
            self._open = False
            try:
                self._abort()
            except KafkaException:  # the broker's time-out ends it, too
                self._let_go(self._producer)
                return
        super().close()

    def _abort(self) -> None:
        self._producer.purge()
        # An abort waits until the report of each record is served, and serves none.
        self._producer.flush(ABORT_TIMEOUT_S)
        self._producer.abort_transaction(ABORT_TIMEOUT_S)

    def _let_go(self, producer: Client) -> Thread:
        closing = self._asking.let_go(producer)
        self._asking = Asking()
        return closing

    def _begin(self) -> None:
        if not self._open:
            self._try(self._producer.begin_transaction)
            self._open = True

    def _ask(self, request: Callable[[], object], timeout_s: float) -> None:
        try:
            self._try(lambda: self._asking.ask(request, timeout_s))
        except TimeoutError:
            raise TransactionError(
                f"transaction: not answered within {timeout_s:g} s; is Kafka up?"
            ) from None

    def _failed(self, error: KafkaError, topic: str | None = None) -> DeliveryError:
        fenced = error.code() in _FENCED or error.code() in _LOST
        if topic is not None and not fenced:
            return super()._failed(error, topic)
        return TransactionError(self._told(error), definite=error.code() in DEFINITE, fenced=fenced)

    def _told(self, error: KafkaError) -> str:
        if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            prefix = self._transaction.prefix
            place = "it" if prefix is None else f"the prefix {prefix!r}"
            return (
                f"output.delivery = 'exactly_once': this login may not use the transactional id "
                f"{self._transaction.id!r}; grant WRITE on {place}"
            )
        return f"transaction: {error.str()}"
