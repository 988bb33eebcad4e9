"""Predictions with headers, as a real broker keeps them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from learners.events import Headers
from producers.encoding import BY_KEY, PredictionRecords, Record
from producers.outputs import Outputs
from producers.sink import KafkaSink
from tests.brokers.kafka import Kafka

TIMEOUT_S = 30.0
LIMIT = 2_000


@pytest.fixture
def topic(kafka: Kafka) -> str:
    return kafka.create_topic(2)


@pytest.fixture
def sink(kafka: Kafka, topic: str) -> Iterator[KafkaSink]:
    outputs = Outputs(topic, kafka.create_topic(), 1, max_bytes=LIMIT)
    made = KafkaSink({"bootstrap.servers": kafka.bootstrap_servers}, outputs)
    yield made
    made.close()


def read(kafka: Kafka, topic: str, count: int) -> list[Message]:
    options = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": kafka.unique("reader")}
    consumer = Consumer(options)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(2)])
    found: list[Message] = []
    for _ in range(int(TIMEOUT_S)):
        found += [m for m in consumer.consume(count, 1.0) if m.error() is None]
        if len(found) >= count:
            break
    consumer.close()
    return found


def test_each_prediction_has_its_own_headers_partition_and_place(
    kafka: Kafka, topic: str, sink: KafkaSink
) -> None:
    rows: list[Record] = [
        (None if i % 2 else b"k", b"%d" % i, 1 if i % 2 else BY_KEY) for i in range(40)
    ]
    headers: list[Headers] = [[("traceparent", b"t%d" % i)] for i in range(40)]
    assert sink.predictions(replace(PredictionRecords.of(rows), headers=headers)) == []
    sink.flush(TIMEOUT_S)
    found = read(kafka, topic, 40)
    assert {m.value(): m.headers() for m in found} == {
        value: each for (_, value, _), each in zip(rows, headers, strict=True)
    }
    keyless = [m for m in found if m.key() is None]
    assert [m.value() for m in keyless] == [b"%d" % i for i in range(1, 40, 2)]
    assert {m.partition() for m in keyless} == {1}
    assert len({m.partition() for m in found if m.key() is not None}) == 1


def test_those_too_large_are_told_by_their_position_and_the_others_go(
    kafka: Kafka, topic: str, sink: KafkaSink
) -> None:
    values = [b"a", b"x" * (2 * LIMIT), b"b"]
    headers: list[Headers] = [[("traceparent", b"t")]] * 3
    records = PredictionRecords([b"k"] * 3, values, [BY_KEY] * 3, headers)
    assert sink.predictions(records) == [1]
    sink.flush(TIMEOUT_S)
    assert [m.value() for m in read(kafka, topic, 2)] == [b"a", b"b"]
