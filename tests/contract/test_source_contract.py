"""What every source and sink must do, on the embedded broker and on a real one."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from consumers.demo.embedded import EmbeddedBroker
from consumers.errors import EpochLostError, StreamfitError
from consumers.kafka.config import EMBEDDED, consumer_config
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.source import Committed
from learners.events import Records
from metrics.facts import RebalanceEvent
from producers.dead_letters import DeadLetter
from producers.encoding import BY_KEY, PredictionRecords
from producers.outputs import DeliveryError, Outputs
from producers.sink import KafkaSink
from tests.brokers.kafka import Kafka

DEADLINE_S = 30.0
PARTITIONS = 2


class Broker:
    """A broker with fresh topics, whichever it is."""

    def __init__(self, address: str, create: Callable[[], str]) -> None:
        self.address = address
        self._create = create

    def topic(self) -> str:
        return self._create()

    def source(self, topic: str, max_batch: int = 100) -> KafkaSource:
        options = consumer_config({"bootstrap.servers": self.address, **EMBEDDED}, topic, None)
        return KafkaSource(options, topic, max_batch, lambda: None)

    def fill(self, topic: str, count: int) -> None:
        producer = Producer({"bootstrap.servers": self.address})
        for i in range(count):
            producer.produce(
                topic, b"v%d" % i, b"k%d" % i, i % PARTITIONS, headers=[("h", b"%d" % i)]
            )
        assert producer.flush(DEADLINE_S) == 0


def places(metadata: str, *offsets: int) -> dict[int, Committed]:
    """Give a place for each partition from 0 on."""
    return {p: Committed(offset, metadata) for p, offset in enumerate(offsets)}


def join(source: KafkaSource) -> None:
    """Wait until the source owns its partitions."""
    source.subscribe(lambda _: None)
    deadline = time.monotonic() + DEADLINE_S
    while len(source.owned()) < PARTITIONS:
        assert source.read(0.1) is None, "a source must read nothing before it is told from where"
        assert time.monotonic() < deadline


def leave(source: KafkaSource) -> None:
    """Wait until the source owns nothing any more."""
    deadline = time.monotonic() + DEADLINE_S
    while source.owned():
        source.read(0.1)
        assert time.monotonic() < deadline


def read(source: KafkaSource, count: int) -> list[Records]:
    """Read so many records."""
    reads: list[Records] = []
    deadline = time.monotonic() + DEADLINE_S
    while sum(map(len, reads)) < count:
        found = source.read(0.1)
        if found is not None:
            reads.append(found)
        assert time.monotonic() < deadline
    return reads


class SourceContract:
    """The suite; its subclasses say on which broker."""

    def test_it_reads_from_where_it_is_told_and_no_more_than_a_batch(self, broker: Broker) -> None:
        topic = broker.topic()
        broker.fill(topic, 20)
        with closing(broker.source(topic, max_batch=3)) as source:
            join(source)
            source.assign({0: 4, 1: 0})
            reads = read(source, 16)
            assert max(map(len, reads)) <= 3
            offsets = [
                (p, o)
                for records in reads
                for p, o in zip(records.partitions.tolist(), records.offsets.tolist(), strict=True)
            ]
            assert sorted(offsets) == [(0, o) for o in range(4, 10)] + [(1, o) for o in range(10)]
            first, row = next(
                (r, r.partitions.tolist().index(0)) for r in reads if 0 in r.partitions
            )
            assert (first.values[row], first.keys[row]) == (b"v8", b"k8")
            assert first.headers(row) == [("h", b"8")]
            assert first.time_ms[row] > 0

    def test_what_it_commits_is_read_back_with_its_metadata(self, broker: Broker) -> None:
        topic = broker.topic()
        broker.fill(topic, 8)
        with closing(broker.source(topic)) as source:
            join(source)
            assert source.committed() == {0: Committed(None, ""), 1: Committed(None, "")}
            source.assign({0: 0, 1: 0})
            read(source, 8)
            source.commit(places("pointer", 4, 4))
            assert source.committed() == {0: Committed(4, "pointer"), 1: Committed(4, "pointer")}
        with closing(broker.source(topic)) as source:
            join(source)
            assert source.committed() == {0: Committed(4, "pointer"), 1: Committed(4, "pointer")}

    def test_row_24_what_it_does_not_own_is_left_out_of_a_commit(self, broker: Broker) -> None:
        topic = broker.topic()
        broker.fill(topic, 8)
        with closing(broker.source(topic)) as source:
            source.subscribe(lambda _: None)
            with pytest.raises(EpochLostError, match="owned"):
                source.commit(places("pointer", 4, 4))
            join(source)
            assert source.committed()[0] == Committed(None, "")
            source.commit(places("pointer", 4, 4, 4))
            assert source.committed() == places("pointer", 4, 4)
            offsets, _ = source.for_transaction(places("pointer", 4, 4, 4))
            assert [(each.partition, each.offset, each.metadata) for each in offsets] == [
                (0, 4, "pointer"),
                (1, 4, "pointer"),
            ]

    def test_it_tells_partitions_bounds_and_lag(self, broker: Broker) -> None:
        topic = broker.topic()
        broker.fill(topic, 10)
        with closing(broker.source(topic)) as source:
            join(source)
            assert source.partitions() == source.owned() == frozenset(range(PARTITIONS))
            assert source.bounds(0) == (0, 5)
            source.assign({0: 0, 1: 0})
            read(source, 10)
            assert source.lag({0: 3, 1: 5}) == {0: 2, 1: 0}

    def test_row_14_what_a_revoke_commits_arrives_while_it_is_still_owned(
        self, broker: Broker
    ) -> None:
        topic = broker.topic()
        broker.fill(topic, 4)
        owned: list[frozenset[int]] = []
        with closing(broker.source(topic)) as source:
            join(source)
            source.assign({0: 0, 1: 0})
            read(source, 4)

            def commit(partitions: frozenset[int]) -> None:
                owned.append(source.owned() & partitions)
                source.commit(places("last", 2, 2))

            source.subscribe(commit)
            source.unsubscribe()
            leave(source)
            assert owned == [frozenset({0, 1})]
            assert source.changes()[-1].event is RebalanceEvent.REVOKED
        with closing(broker.source(topic)) as later:
            join(later)
            assert later.committed()[1] == Committed(2, "last")

    def test_while_it_is_held_nothing_is_read_and_then_it_goes_on_where_it_stopped(
        self, broker: Broker
    ) -> None:
        topic = broker.topic()
        broker.fill(topic, 12)
        with closing(broker.source(topic, max_batch=2)) as source:
            join(source)
            source.assign({0: 0, 1: 0})
            first = read(source, 4)
            source.hold(on=True)
            assert [source.read(0.1) for _ in range(3)] == [None] * 3
            source.hold(on=False)
            both = first + read(source, 12 - sum(map(len, first)))
            assert sorted(value or b"" for each in both for value in each.values) == sorted(
                b"v%d" % i for i in range(12)
            )

    def test_who_has_left_may_join_again(self, broker: Broker) -> None:
        topic = broker.topic()
        broker.fill(topic, 4)
        revoked: list[frozenset[int]] = []
        with closing(broker.source(topic)) as source:
            join(source)
            source.subscribe(revoked.append)
            source.unsubscribe()
            leave(source)
            assert revoked == [frozenset(range(PARTITIONS))]
            assert source.changes()[-1].event is RebalanceEvent.REVOKED
            join(source)
            source.assign({0: 0, 1: 0})
            read(source, 4)

    def test_who_begins_anew_is_a_member_like_any_other(self, broker: Broker) -> None:
        topic = broker.topic()
        broker.fill(topic, 4)
        with closing(broker.source(topic)) as source:
            join(source)
            source.commit(places("pointer", 1, 1))
            source.rejoin()
            assert source.owned() == frozenset()
            join(source)
            assert source.committed() == places("pointer", 1, 1)
            source.assign({0: 1, 1: 1})
            read(source, 2)

    def test_what_a_sink_has_flushed_is_there_in_order(self, broker: Broker) -> None:
        topic, dead = broker.topic(), broker.topic()
        outputs = Outputs(topic, dead, PARTITIONS)
        sink = KafkaSink({"bootstrap.servers": broker.address}, outputs)
        assert (
            sink.predictions(
                PredictionRecords.of((None, b"%d" % i, i % PARTITIONS) for i in range(10))
            )
            == []
        )
        assert sink.predictions(PredictionRecords.of([(b"key", b"keyed", BY_KEY)])) == []
        letter = DeadLetter(b"key", None, [("why", b"bad"), ("none", None)], 0)
        assert sink.dead_letters([letter, DeadLetter(None, b"x", [], 3)]) == 2
        sink.flush(DEADLINE_S)
        sink.close()
        first = [value for value in self._values(broker, topic, 0) if value != b"keyed"]
        assert first == [b"0", b"2", b"4", b"6", b"8"]
        assert self._values(broker, dead, 1)[-1:] == [b"x"]

    def test_row_26_a_prediction_too_large_is_handed_back_and_the_others_go_on(
        self, broker: Broker
    ) -> None:
        topic, dead = broker.topic(), broker.topic()
        outputs = Outputs(topic, dead, PARTITIONS, max_bytes=2000)
        with closing(KafkaSink({"bootstrap.servers": broker.address}, outputs)) as sink:
            small, large = (None, b"small", 0), (None, b"x" * 5000, 0)
            assert sink.predictions(PredictionRecords.of([small, large, small, large])) == [1, 3]
            with pytest.raises(DeliveryError, match=dead) as caught:
                sink.dead_letters([DeadLetter(None, b"x" * 5000, [], 0)])
            assert caught.value.definite
            sink.flush(DEADLINE_S)
        assert self._values(broker, topic, 0) == [b"small", b"small"]

    def test_a_sink_that_cannot_deliver_says_so_before_the_commit(self) -> None:
        config = {"bootstrap.servers": "127.0.0.1:1", "log_level": 2}
        with closing(KafkaSink(config, Outputs("t", "d", 1))) as nowhere:
            nowhere.predictions(PredictionRecords.of([(None, b"x", 0)]))
            with pytest.raises(DeliveryError, match="not acknowledged") as caught:
                nowhere.flush(0.1)
            assert not caught.value.definite

    def test_what_was_not_acknowledged_is_gone_when_a_sink_is_renewed(self, broker: Broker) -> None:
        topic, dead = broker.topic(), broker.topic()
        config = {"bootstrap.servers": broker.address, "linger.ms": 60_000}
        with closing(KafkaSink(config, Outputs(topic, dead, PARTITIONS))) as sink:
            sink.predictions(PredictionRecords.of([(None, b"given up", 0)]))
            sink.renew()
            sink.predictions(PredictionRecords.of([(None, b"kept", 0)]))
            sink.flush(DEADLINE_S)
        assert self._values(broker, topic, 0) == [b"kept"]

    def _values(self, broker: Broker, topic: str, partition: int) -> list[bytes | None]:
        consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "read", **EMBEDDED})
        with closing(consumer):
            place = TopicPartition(topic, partition, 0)
            _, high = consumer.get_watermark_offsets(place, timeout=DEADLINE_S)
            consumer.assign([place])
            found: list[bytes | None] = []
            deadline = time.monotonic() + DEADLINE_S
            while len(found) < high and time.monotonic() < deadline:
                found += [m.value() for m in consumer.consume(100, 0.2) if m.error() is None]
        return found


class TestOnTheEmbeddedBroker(SourceContract):
    @pytest.fixture
    def broker(self) -> Iterator[Broker]:
        with EmbeddedBroker() as embedded:
            names = iter(f"topic-{number}" for number in range(100))

            def create() -> str:
                name = next(names)
                embedded.create_topic(name, PARTITIONS)
                return name

            yield Broker(embedded.bootstrap_servers, create)


class TestOnARealBroker(SourceContract):
    @pytest.fixture
    def broker(self, kafka: Kafka) -> Broker:
        return Broker(kafka.bootstrap_servers, lambda: kafka.create_topic(PARTITIONS))

    def test_a_topic_that_is_not_there_is_an_error_that_names_it(self, kafka: Kafka) -> None:
        source = Broker(kafka.bootstrap_servers, lambda: "").source("not-there")
        with closing(source), pytest.raises(StreamfitError, match="not-there"):
            source.partitions()
