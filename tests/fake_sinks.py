"""Two sinks of a cluster in memory: one that writes at once, one that writes in transactions."""

from collections.abc import Iterable, Mapping
from typing import Any

from consumers.kafka.source import Committed
from consumers.loop.failpoints import Reach, nothing
from producers.dead_letters import DeadLetter
from producers.encoding import PredictionRecords, Record
from producers.outputs import DeliveryError
from producers.transactional_sink import TransactionError
from tests.fakes import Cluster, Item

# However long a transaction's end was under way, the next producer of its id aborts it.
_VOID = (Item.COMMIT_FAILS, Item.POSTPONED, Item.COMMIT_IS_LATE)


class FakeSink:
    """A `Sink`: what is handed over arrives at the flush; half of it where that fails."""

    def __init__(self, cluster: Cluster) -> None:
        self.closed = False
        self.renewed = 0
        self._cluster = cluster
        self._predictions: list[Record] = []
        self._letters: list[DeadLetter] = []

    def predictions(self, records: PredictionRecords) -> list[int]:
        if self._cluster.fails(Item.QUEUE_FULL):
            raise DeliveryError("the queue is full")
        refused = []
        for position, record in enumerate(records):
            if len(record[1]) > self._cluster.max_bytes:
                refused.append(position)
            else:
                self._predictions.append(record)
        return refused

    def dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        before = len(self._letters)
        self._letters += letters
        return len(self._letters) - before

    def flush(self, timeout_s: float) -> None:
        assert timeout_s > 0
        if self._cluster.fails(Item.TOPIC_GONE):
            raise DeliveryError("no such topic", definite=True)
        failed = self._cluster.fails(Item.DELIVERY_FAILS)
        self._arrive(len(self._predictions) // 2 if failed else None)
        if failed:
            raise DeliveryError("1 not acknowledged")
        self._cluster.journal.append("flush")

    def poll(self) -> None:
        """Do nothing."""

    def renew(self) -> None:
        self.renewed += 1
        self._predictions, self._letters = [], []

    def close(self) -> None:
        self.closed = True

    def _arrive(self, count: int | None) -> None:
        self._cluster.arrive(self._predictions[:count])
        self._predictions = [] if count is None else self._predictions[count:]
        if count is None:
            self._cluster.letters += self._letters
            self._letters = []


class FakeTransactionalSink(FakeSink):
    """Does what a `TransactionalSink` does: nothing is seen before its commit, then all."""

    def __init__(self, cluster: Cluster, name: str, reach: Reach = nothing) -> None:
        super().__init__(cluster)
        self.is_open = False
        self._reach = reach
        self._name = name
        self._number: int | None = None

    def prepare(self, timeout_s: float) -> None:
        assert timeout_s > 0
        if self._number is not None:
            return
        if self._cluster.fails(Item.PREPARE_FAILS):
            raise TransactionError("no answer")
        self._number = self._cluster.producers.get(self._name, 0) + 1
        self._cluster.producers[self._name] = self._number
        self._cluster.pending.pop(self._name, None)

    def predictions(self, records: PredictionRecords) -> list[int]:
        self._begin()
        return super().predictions(records)

    def dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        some = list(letters)
        if some:
            self._begin()
        return super().dead_letters(some)

    def commit(self, offsets: list[Any], group: Any, timeout_s: float) -> None:
        assert group is not None
        assert timeout_s > 0
        cluster = self._cluster
        if cluster.fails(Item.FENCED):
            cluster.producers[self._name] += 1
        self._begin()
        places: Mapping[int, Committed] = dict(offsets)
        if not places:
            cluster.violations.append("a transaction without offsets")
        cluster.pending[self._name] = True
        self._reach("offsets_sent")
        if any(cluster.fails(item) for item in _VOID):
            raise TransactionError("refused")
        super()._arrive(None)
        self._end()
        cluster.keep(places)
        if cluster.fails(Item.COMMIT_UNKNOWN):
            raise TransactionError("no answer")

    def renew(self) -> None:
        super().renew()
        self._number, self.is_open = None, False

    def close(self) -> None:
        super().close()
        if self.is_open and self._cluster.producers[self._name] == self._number:
            self._end()

    def _begin(self) -> None:
        if self._number is None:
            self._cluster.violations.append("a transaction that was not prepared")
        if self._cluster.producers.get(self._name) != self._number:
            raise TransactionError("fenced", fenced=True)
        self.is_open = True
        self._cluster.pending.setdefault(self._name, False)

    def _end(self) -> None:
        self.is_open = False
        self._cluster.pending.pop(self._name, None)

    def _arrive(self, count: int | None) -> None:
        """Keep everything back: a transaction is seen when it is committed."""
