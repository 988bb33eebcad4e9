"""How offsets and predictions become permanent: by a plain commit, or in one transaction."""

from collections.abc import Mapping
from typing import Protocol

from consumers.errors import EpochLostError, KafkaUnreachableError
from consumers.kafka.failures import LATER, making_a_client
from consumers.kafka.source import Committed, Source
from metrics.facts import RollbackReason, TransactionResult
from metrics.observer import Observer
from producers.outputs import DeliveryError
from producers.sink import Sink
from producers.transactional_sink import TransactionalSink, TransactionError

TIMEOUT_S = 10.0


class Delivery(Protocol):
    """The commit point. All methods raise an `EpochLostError` when going back may help.

    Attributes
    ----------
    reads_on : bool
        Whether reading may go on while a checkpoint is being saved: what is read then must not
        become visible with it.
    """

    reads_on: bool

    def prepare(self) -> None:
        """Be ready to write; called when partitions are owned, before `committed()` is asked."""

    def commit(self, places: Mapping[int, Committed]) -> None:
        """Commit these offsets with their strings, and wait until it is done."""

    def renew(self) -> None:
        """Throw away whatever is not committed."""


class AtLeastOnce:
    """Offsets by a plain commit; predictions are visible once they are acknowledged.

    Parameters
    ----------
    source, sink
        Where offsets are kept, and where predictions go.
    """

    reads_on = True

    def __init__(self, source: Source, sink: Sink) -> None:
        self._source = source
        self._sink = sink

    def prepare(self) -> None:
        """Do nothing: nobody else has anything open."""

    def commit(self, places: Mapping[int, Committed]) -> None:
        """Commit by the consumer."""
        self._source.commit(places)

    def renew(self) -> None:
        """Throw away what is not acknowledged."""
        with making_a_client(LATER):
            self._sink.renew()


class ExactlyOnce:
    """Predictions, dead letters, offsets and pointers in one Kafka transaction.

    Parameters
    ----------
    source, sink
        Where offsets are kept, and where predictions go.
    observer : Observer
        Is told how each transaction ended.
    """

    reads_on = False

    def __init__(self, source: Source, sink: TransactionalSink, observer: Observer) -> None:
        self._source = source
        self._sink = sink
        self._tell = observer

    def prepare(self) -> None:
        """End what a predecessor left open: `committed()` would wait for it."""
        try:
            self._sink.prepare(TIMEOUT_S)
        except TransactionError as error:
            raise lost(error) from error

    def commit(self, places: Mapping[int, Committed]) -> None:
        """Commit by the transaction."""
        try:
            self._sink.commit(*self._source.for_transaction(places), TIMEOUT_S)
        except TransactionError as error:
            self._tell.transaction(TransactionResult.FAILED)
            raise lost(error) from error
        self._tell.transaction(TransactionResult.COMMITTED)

    def renew(self) -> None:
        """Throw away what is not committed; the next `prepare` aborts it."""
        was_open = self._sink.is_open
        with making_a_client(LATER):
            self._sink.renew()
        if was_open:
            self._tell.transaction(TransactionResult.ABORTED)


def lost(error: DeliveryError) -> EpochLostError | KafkaUnreachableError:
    """Give the error for a record that was not delivered, or a transaction that failed."""
    if error.definite:
        mend = "" if ";" in str(error) else "; create the topic, or grant the right to write"
        return KafkaUnreachableError(
            f"{error}{mend}; nothing of this epoch is committed, so a restart does it again"
        )
    if isinstance(error, TransactionError):
        reason = RollbackReason.FENCED if error.fenced else RollbackReason.COMMIT
        return EpochLostError(reason, str(error))
    return EpochLostError(
        RollbackReason.DELIVERY, f"predictions or dead letters not delivered: {error}"
    )
