"""What a transaction shows and what it never shows, on a real broker: no fake can tell.

The embedded broker stores no offsets of a transaction and shows aborted records.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumers.kafka.config import consumer_config
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.source import Committed
from producers.dead_letters import DeadLetter
from producers.encoding import PredictionRecords
from producers.outputs import DeliveryError, Outputs
from producers.transactional_sink import Transaction, TransactionalSink, TransactionError
from tests.brokers.kafka import Kafka

DEADLINE_S = 30.0


class Bench:
    """A member of a group, and topics that it writes to."""

    def __init__(self, kafka: Kafka, stack: ExitStack) -> None:
        self.config = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 2}
        self.input, self.output, self.dead = (kafka.create_topic() for _ in range(3))
        self.id = kafka.unique("transactions")
        self.reached: list[str] = []
        self._stack = stack
        options = consumer_config(self.config, kafka.unique("group"), None)
        self.source = KafkaSource(options, self.input, 10, lambda: None)
        stack.callback(self.source.close)
        self.source.subscribe(lambda _: None)
        deadline = time.monotonic() + DEADLINE_S
        while not self.source.owned():
            self.source.read(0.1)
            assert time.monotonic() < deadline

    def sink(self, timeout_s: float = 30.0) -> TransactionalSink:
        outputs = Outputs(self.output, self.dead, 1)
        sink = TransactionalSink(
            self.config, outputs, Transaction(self.id, timeout_s), self.reached.append
        )
        self._stack.callback(self._let_go, sink)
        return sink

    def _let_go(self, sink: TransactionalSink) -> None:
        # It may have been fenced, or be closed already: that is for the tests to tell.
        with suppress(KafkaException, RuntimeError, SystemError):
            sink.close()

    def commit(self, sink: TransactionalSink, offset: int) -> None:
        sink.flush(DEADLINE_S)
        places = {0: Committed(offset, f"pointer {offset}")}
        sink.commit(*self.source.for_transaction(places), DEADLINE_S)

    def committed(self) -> Committed:
        return self.source.committed()[0]

    def seen(self, topic: str, isolation: str = "read_committed") -> list[bytes | None]:
        """Give what a reader sees of a topic, from its begin to its end."""
        consumer = Consumer(
            {
                **self.config,
                "group.id": "r",
                "isolation.level": isolation,
                "enable.partition.eof": True,
            }
        )
        with closing(consumer):
            consumer.assign([TopicPartition(topic, 0, 0)])
            found: list[bytes | None] = []
            deadline = time.monotonic() + DEADLINE_S
            while time.monotonic() < deadline:
                message = consumer.poll(0.5)
                if message is None:
                    continue
                if message.error() is not None:  # the end of what may be seen
                    return found
                found.append(message.value())
        raise TimeoutError(topic)


@pytest.fixture
def bench(kafka: Kafka) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(kafka, stack)


def test_row_39_predictions_dead_letters_and_offsets_are_seen_together(bench: Bench) -> None:
    sink = bench.sink()
    sink.prepare(DEADLINE_S)
    sink.predictions(PredictionRecords.of([(None, b"one", 0), (None, b"two", 0)]))
    sink.dead_letters([DeadLetter(None, b"bad", [], 0)])
    sink.flush(DEADLINE_S)
    assert bench.seen(bench.output) == bench.seen(bench.dead) == []
    assert bench.seen(bench.output, "read_uncommitted") == [b"one", b"two"]
    assert bench.committed() == Committed(None, "")
    assert sink.is_open
    bench.commit(sink, 3)
    assert bench.seen(bench.output) == [b"one", b"two"]
    assert bench.seen(bench.dead) == [b"bad"]
    assert bench.committed() == Committed(3, "pointer 3")
    assert bench.reached == ["offsets_sent"]


def test_row_39_what_is_aborted_is_never_seen_and_the_old_offset_stands(bench: Bench) -> None:
    sink = bench.sink()
    sink.prepare(DEADLINE_S)
    sink.predictions(PredictionRecords.of([(None, b"one", 0)]))
    bench.commit(sink, 1)
    sink.predictions(PredictionRecords.of([(None, b"aborted", 0)]))
    sink.flush(DEADLINE_S)
    sink.renew()
    sink.prepare(DEADLINE_S)
    assert bench.committed() == Committed(1, "pointer 1")
    sink.predictions(PredictionRecords.of([(None, b"two", 0)]))
    bench.commit(sink, 2)
    assert bench.seen(bench.output) == [b"one", b"two"]
    assert b"aborted" in bench.seen(bench.output, "read_uncommitted")
    assert bench.committed() == Committed(2, "pointer 2")


def test_row_7_who_takes_over_ends_what_was_left_open_with_offsets_in_it(bench: Bench) -> None:
    # The offsets of an open transaction hold committed() back: only the same id frees them.
    dead = bench.sink()
    dead.prepare(DEADLINE_S)
    dead.predictions(PredictionRecords.of([(None, b"of the dead", 0)]))
    dead.flush(DEADLINE_S)
    places = {0: Committed(9, "of the dead")}
    offsets, group = bench.source.for_transaction(places)
    dead._producer.send_offsets_to_transaction(offsets, group, DEADLINE_S)
    heir = bench.sink()
    heir.prepare(DEADLINE_S)
    assert bench.committed() == Committed(None, "")
    heir.predictions(PredictionRecords.of([(None, b"of the heir", 0)]))
    bench.commit(heir, 1)
    assert bench.seen(bench.output) == [b"of the heir"]


def test_row_39_the_newer_of_one_id_fences_the_older(bench: Bench) -> None:
    old, new = bench.sink(), bench.sink()
    old.prepare(DEADLINE_S)
    old.predictions(PredictionRecords.of([(None, b"old", 0)]))
    old.flush(DEADLINE_S)
    new.prepare(DEADLINE_S)
    with pytest.raises(DeliveryError) as caught:
        bench.commit(old, 5)
    assert isinstance(caught.value, TransactionError)
    assert caught.value.fenced
    assert not caught.value.definite
    new.predictions(PredictionRecords.of([(None, b"new", 0)]))
    bench.commit(new, 1)
    assert bench.seen(bench.output) == [b"new"]
    assert bench.committed() == Committed(1, "pointer 1")


def test_row_39_a_sink_that_is_fenced_while_it_sends_says_so(bench: Bench) -> None:
    old, new = bench.sink(), bench.sink()
    old.prepare(DEADLINE_S)
    old.predictions(PredictionRecords.of([(None, b"old", 0)]))
    new.prepare(DEADLINE_S)
    with pytest.raises(DeliveryError):
        bench.commit(old, 5)
    assert bench.seen(bench.output) == []


def _flush(sink: TransactionalSink) -> None:
    sink.flush(DEADLINE_S)


def _poll(sink: TransactionalSink) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        sink.poll()
        time.sleep(0.01)


def _hand_over(sink: TransactionalSink) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        sink.predictions(PredictionRecords.of([(None, b"older still", 0)]))
        time.sleep(0.01)


@pytest.mark.parametrize("what", [_flush, _poll, _hand_over])
def test_row_39_whatever_a_sink_that_is_fenced_does_says_so(
    bench: Bench, what: Callable[[TransactionalSink], None]
) -> None:
    # What ends the client is told by whichever call comes across it first.
    old, new = bench.sink(), bench.sink()
    old.prepare(DEADLINE_S)
    new.prepare(DEADLINE_S)
    old.predictions(PredictionRecords.of([(None, b"old", 0)]))
    with pytest.raises(TransactionError) as caught:
        what(old)
    assert caught.value.fenced
    old.renew()
    old.prepare(DEADLINE_S)
    old.predictions(PredictionRecords.of([(None, b"renewed", 0)]))
    bench.commit(old, 5)
    assert bench.seen(bench.output) == [b"renewed"]


def test_row_39_a_sink_that_was_fenced_closes_without_an_error(bench: Bench) -> None:
    # An error on the way out would hide the exit code that tells why the run ended.
    old, new = bench.sink(), bench.sink()
    old.prepare(DEADLINE_S)
    old.predictions(PredictionRecords.of([(None, b"old", 0)]))
    old.flush(DEADLINE_S)
    new.prepare(DEADLINE_S)
    with pytest.raises(DeliveryError):
        bench.commit(old, 5)
    old.close()


def test_row_20_offsets_of_a_member_that_has_left_are_refused(bench: Bench) -> None:
    sink = bench.sink()
    sink.prepare(DEADLINE_S)
    sink.predictions(PredictionRecords.of([(None, b"late", 0)]))
    sink.flush(DEADLINE_S)
    offsets, group = bench.source.for_transaction({0: Committed(1, "late")})
    bench.source.rejoin()
    with pytest.raises(TransactionError) as caught:
        sink.commit(offsets, group, DEADLINE_S)
    assert caught.value.fenced
    sink.renew()
    sink.prepare(DEADLINE_S)
    assert bench.seen(bench.output) == []


def test_a_sink_that_is_closed_leaves_nothing_open(bench: Bench) -> None:
    sink = bench.sink()
    sink.prepare(DEADLINE_S)
    sink.predictions(PredictionRecords.of([(None, b"never", 0)]))
    sink.flush(DEADLINE_S)
    sink.close()
    # A reader would wait at an open transaction, and see nothing of what comes after it.
    other = TransactionalSink(
        bench.config, Outputs(bench.output, bench.dead, 1), Transaction(bench.id + "2", 30.0), print
    )
    with closing(other):
        other.prepare(DEADLINE_S)
        other.predictions(PredictionRecords.of([(None, b"after", 0)]))
        bench.commit(other, 1)
    assert bench.seen(bench.output) == [b"after"]


def test_a_transaction_without_records_still_commits_offsets(bench: Bench) -> None:
    sink = bench.sink()
    sink.prepare(DEADLINE_S)
    bench.commit(sink, 4)
    bench.commit(sink, 5)
    assert bench.committed() == Committed(5, "pointer 5")
