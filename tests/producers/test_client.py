"""The producer on librdkafka itself: what it is given arrives, and what is not sent is told."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumers.demo.embedded import EmbeddedBroker
from producers.batch import Batch
from producers.client import Client
from producers.encoding import BY_KEY

LOGGER = logging.getLogger("streamfit.sink")
TOPIC = "events"
TIMEOUT_S = 20.0
QUEUE_FULL = KafkaError._QUEUE_FULL
NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
Report = tuple[int, str, bytes | None, bytes | None]


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as embedded:
        embedded.create_topic(TOPIC, 2)
        yield embedded


def client(reports: list[Report], options: Mapping[str, str | int]) -> Client:
    def report(error: KafkaError, topic: str, key: bytes | None, value: bytes | None) -> None:
        reports.append((error.code(), topic, key, value))

    return Client({**NOWHERE, "delivery.report.only.error": True, **options}, report, LOGGER)


def there(broker: EmbeddedBroker) -> Mapping[str, str | int]:
    return {"bootstrap.servers": broker.bootstrap_servers}


def read(broker: EmbeddedBroker, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader"})
    with closing(consumer):
        consumer.assign([TopicPartition(TOPIC, partition, 0) for partition in range(2)])
        found: list[Message] = []
        deadline = time.monotonic() + TIMEOUT_S
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count}"
            message = consumer.poll(0.1)
            if message is not None and message.error() is None:
                found.append(message)
    return found


def test_a_batch_arrives_as_it_is_in_order_in_its_partition(broker: EmbeddedBroker) -> None:
    values = [b"%d" % i * (i % 50) for i in range(500)]
    keys = [None if i % 3 else b"k" * (i % 7) for i in range(500)]
    reports: list[Report] = []
    with closing(client(reports, there(broker))) as producer:
        batch = Batch(values, keys)
        assert not producer.produce_batch(TOPIC, 1, batch, slice(0, 300)).any()
        assert not producer.produce_batch(TOPIC, 1, batch, slice(300, 500)).any()
        del batch  # what it points to is not needed any more
        assert producer.flush(TIMEOUT_S) == 0
    found = read(broker, 500)
    assert [(m.key(), m.value()) for m in found] == list(zip(keys, values, strict=True))
    assert {m.partition() for m in found} == {1}
    assert not reports


def test_a_key_chooses_the_same_partition_in_a_batch_and_alone(broker: EmbeddedBroker) -> None:
    keys = [b"%d" % i for i in range(20)]
    with closing(client([], there(broker))) as producer:
        assert not producer.produce_batch(TOPIC, BY_KEY, Batch(keys, keys), slice(0, 20)).any()
        for key in keys:
            producer.produce(TOPIC, b"alone", key, BY_KEY)
        assert producer.flush(TIMEOUT_S) == 0
    places = {(m.key(), m.partition()) for m in read(broker, 40)}
    assert len(places) == 20
    assert {partition for _, partition in places} == {0, 1}


def test_one_record_arrives_with_its_headers(broker: EmbeddedBroker) -> None:
    headers: list[tuple[str, str | bytes | None]] = [("a", "é"), ("b", b"\0\xff"), ("c", None)]
    with closing(client([], there(broker))) as producer:
        producer.produce(TOPIC, None, b"", 0, headers)
        producer.produce(TOPIC, b"", None, 0)
        assert producer.flush(TIMEOUT_S) == 0
    first, second = read(broker, 2)
    assert first.headers() == [("a", "é".encode()), ("b", b"\0\xff"), ("c", None)]
    assert (first.key(), first.value()) == (b"", None)
    assert (second.key(), second.value(), second.headers()) == (None, b"", None)


def test_row_27_a_full_queue_takes_none_of_those_behind() -> None:
    with closing(client([], {"queue.buffering.max.messages": 10})) as producer:
        batch = Batch([b"v"] * 25, [None] * 25)
        errors = producer.produce_batch(TOPIC, 0, batch, slice(0, 25))
        assert errors.tolist() == [0] * 10 + [QUEUE_FULL] * 15
        with pytest.raises(KafkaException) as caught:
            producer.produce(TOPIC, b"v", None, 0)
        assert caught.value.args[0].code() == QUEUE_FULL


def test_one_that_is_too_large_is_told_and_the_others_are_taken() -> None:
    with closing(client([], {"message.max.bytes": 1_000})) as producer:
        batch = Batch([b"a", b"x" * 2_000, b"b"], [None] * 3)
        errors = producer.produce_batch(TOPIC, 0, batch, slice(0, 3))
        assert errors.tolist() == [0, KafkaError.MSG_SIZE_TOO_LARGE, 0]


def test_each_record_that_is_not_delivered_is_told() -> None:
    reports: list[Report] = []
    with closing(client(reports, {"message.timeout.ms": 100})) as producer:
        producer.produce_batch(TOPIC, 0, Batch([b"a", b"b"], [b"k", None]), slice(0, 2))
        producer.produce(TOPIC, b"c", None, 0, [("h", b"1")])
        assert producer.flush(TIMEOUT_S) == 0
    timed_out = KafkaError._MSG_TIMED_OUT
    assert reports == [
        (timed_out, TOPIC, b"k", b"a"),
        (timed_out, TOPIC, None, b"b"),
        (timed_out, TOPIC, None, b"c"),
    ]


def test_what_is_on_its_way_at_the_time_out_is_counted_and_what_is_purged_told() -> None:
    reports: list[Report] = []
    with closing(client(reports, {})) as producer:
        producer.produce(TOPIC, b"a", None, 0)
        assert producer.flush(0.05) >= 1
        producer.purge()
        assert producer.flush(TIMEOUT_S) == 0
    assert [code for code, *_ in reports] == [KafkaError._PURGE_QUEUE]


@pytest.mark.parametrize(
    ("name", "told"), [("no.such", '"no.such"'), ("acks", '"request.required.acks"')]
)
def test_an_option_that_is_wrong_is_named(name: str, told: str) -> None:
    with pytest.raises(KafkaException, match=told):
        client([], {name: "often"})


def test_who_is_closed_says_so_and_may_be_closed_again() -> None:
    producer = client([], {})
    producer.close()
    producer.close()
    with pytest.raises(RuntimeError, match="closed"):
        producer.poll(0)
    with pytest.raises(RuntimeError, match="closed"):
        producer.produce(TOPIC, b"v", None, 0)


def test_its_own_log_goes_to_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    with closing(client([], {"log_level": 7, "debug": "broker"})) as producer:
        deadline = time.monotonic() + TIMEOUT_S
        while not any("127.0.0.1:1" in text for text in caplog.messages):
            assert time.monotonic() < deadline
            with caplog.at_level(logging.DEBUG, LOGGER.name):
                producer.poll(0.1)
