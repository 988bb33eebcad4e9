"""How a commit goes in both deliveries, and what its failures mean."""

from typing import cast

import pytest

from consumers.errors import EpochLostError, KafkaUnreachableError
from consumers.kafka.source import Committed
from consumers.loop.delivery import AtLeastOnce, ExactlyOnce, lost
from metrics.facts import RollbackReason, TransactionResult
from producers.encoding import PredictionRecords
from producers.outputs import DeliveryError
from producers.transactional_sink import TransactionalSink, TransactionError
from tests.fake_sinks import FakeSink, FakeTransactionalSink
from tests.fakes import Cluster, FakeSource, Item, Recorder
from tests.records import event

PLACES = {0: Committed(1, "pointer"), 1: Committed(2, "pointer"), 2: Committed(3, "pointer")}
PREDICTION = (None, b'{"partition":0,"offset":0}', 0)


class Side:
    """One delivery on a cluster; its member owns two of three partitions."""

    def __init__(self, name: str = "streamfit-group", cluster: Cluster | None = None) -> None:
        self.cluster = cluster or Cluster(log={p: [event(0)] * 3 for p in range(3)})
        self.source = FakeSource(self.cluster, [])
        self.source.own([0, 1])
        self.seen = Recorder()
        self.sink = FakeTransactionalSink(self.cluster, name)
        client = cast("TransactionalSink", self.sink)
        self.delivery = ExactlyOnce(self.source, client, self.seen)


def test_at_least_once_commits_what_is_owned_and_reads_on_meanwhile() -> None:
    side = Side()
    sink = FakeSink(side.cluster)
    delivery = AtLeastOnce(side.source, sink)
    assert delivery.reads_on
    delivery.prepare()
    delivery.commit(PLACES)
    assert side.cluster.committed == {p: PLACES[p] for p in (0, 1)}
    sink.predictions(PredictionRecords.of([PREDICTION]))
    delivery.renew()
    sink.flush(1.0)
    assert side.cluster.predictions == []


def test_exactly_once_shows_predictions_and_offsets_together() -> None:
    side = Side()
    assert not side.delivery.reads_on
    side.delivery.prepare()
    side.sink.predictions(PredictionRecords.of([PREDICTION]))
    side.sink.flush(1.0)
    assert (side.cluster.predictions, side.cluster.committed) == ([], {})
    side.delivery.commit(PLACES)
    assert side.cluster.predictions == [PREDICTION]
    # Row 24: what is not owned is left out of a transaction, too.
    assert side.cluster.committed == {p: PLACES[p] for p in (0, 1)}
    assert side.seen.transactions == [TransactionResult.COMMITTED]


@pytest.mark.parametrize("fault", [Item.COMMIT_FAILS, Item.COMMIT_UNKNOWN])
def test_row_39_a_transaction_that_failed_leaves_all_or_nothing(fault: Item) -> None:
    side = Side()
    side.delivery.prepare()
    side.sink.predictions(PredictionRecords.of([PREDICTION]))
    side.cluster.armed.add(fault)
    with pytest.raises(EpochLostError) as caught:
        side.delivery.commit(PLACES)
    assert caught.value.reason is RollbackReason.COMMIT
    assert side.seen.transactions == [TransactionResult.FAILED]
    assert bool(side.cluster.predictions) == bool(side.cluster.committed)
    assert bool(side.cluster.committed) == (fault is Item.COMMIT_UNKNOWN)


def test_what_is_given_up_is_told_as_aborted_and_never_seen() -> None:
    side = Side()
    side.delivery.prepare()
    side.delivery.renew()
    assert side.seen.transactions == []  # nothing was open
    side.delivery.prepare()
    side.sink.predictions(PredictionRecords.of([PREDICTION]))
    side.delivery.renew()
    assert side.seen.transactions == [TransactionResult.ABORTED]
    side.delivery.prepare()
    side.delivery.commit(PLACES)
    assert side.cluster.predictions == []


def test_row_39_who_takes_over_keeps_the_one_before_from_writing() -> None:
    old = Side()
    old.delivery.prepare()
    old.sink.predictions(PredictionRecords.of([PREDICTION]))
    new = Side(cluster=old.cluster)
    new.delivery.prepare()
    with pytest.raises(EpochLostError) as caught:
        old.delivery.commit(PLACES)
    assert caught.value.reason is RollbackReason.FENCED
    assert (new.cluster.predictions, new.cluster.committed) == ([], {})


def test_a_broker_that_does_not_prepare_a_transaction_is_asked_again_later() -> None:
    side = Side()
    side.cluster.armed.add(Item.PREPARE_FAILS)
    with pytest.raises(EpochLostError):
        side.delivery.prepare()
    side.delivery.prepare()
    side.delivery.commit(PLACES)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DeliveryError("x"), RollbackReason.DELIVERY),
        (TransactionError("x"), RollbackReason.COMMIT),
        (TransactionError("x", fenced=True), RollbackReason.FENCED),
    ],
)
def test_a_failure_that_may_pass_goes_back_and_tells_why(
    error: DeliveryError, reason: RollbackReason
) -> None:
    found = lost(error)
    assert isinstance(found, EpochLostError)
    assert found.reason is reason
    assert found.exit_code == 3


@pytest.mark.parametrize("kind", [DeliveryError, TransactionError])
def test_row_45_a_failure_that_no_waiting_mends_ends_the_run_and_names_the_mend(
    kind: type[DeliveryError],
) -> None:
    found = lost(kind("events.dlq: unknown topic", definite=True))
    assert type(found) is KafkaUnreachableError
    assert "events.dlq" in str(found)
    assert "create the topic, or grant the right" in str(found)
