"""The session's broker: what streamfit's guarantees rest on holds on it, whatever it comes from."""

import time
from collections.abc import Callable, Iterable

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from consumers.kafka.failures import passes
from tests.brokers.kafka import Kafka

TIMEOUT_S = 30.0
# Kafka keeps 4,096 bytes; streamfit's pointers stay below 4,000.
POINTER = "p" * 4000

Settings = dict[str, str | int | float | bool]


def produce(kafka: Kafka, topic: str, values: Iterable[bytes]) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 2})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(TIMEOUT_S) == 0


def consumer(kafka: Kafka, group: str, **settings: str | int) -> Consumer:
    given: Settings = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "log_level": 2,
    }
    return Consumer(given | {key.replace("_", "."): value for key, value in settings.items()})


def read(kafka: Kafka, topic: str, count: int) -> list[bytes | None]:
    reader = consumer(kafka, kafka.unique("reader"))
    try:
        reader.assign([TopicPartition(topic, 0, 0)])
        return [message.value() for message in reader.consume(count, TIMEOUT_S)]
    finally:
        reader.close()


def committed(kafka: Kafka, group: str, topic: str) -> TopicPartition:
    asker = consumer(kafka, group)
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while True:
            try:
                return asker.committed([TopicPartition(topic, 0)], timeout=TIMEOUT_S)[0]
            except KafkaException as error:  # a broker that has just started
                if not passes(error) or time.monotonic() > deadline:
                    raise
    finally:
        asker.close()


def transactional(kafka: Kafka) -> Producer:
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "transactional.id": kafka.unique("transaction"),
            "retry.backoff.ms": 5,
            "log_level": 2,
        }
    )
    producer.init_transactions(TIMEOUT_S)
    return producer


def member(kafka: Kafka, group: str, topic: str) -> Consumer:
    joined = consumer(kafka, group)
    joined.subscribe([topic])
    assert joined.consume(1, TIMEOUT_S), "no record: the group gave no partition"
    return joined


def test_a_transaction_stores_records_offsets_and_metadata_together(kafka: Kafka) -> None:
    source, target, group = kafka.create_topic(), kafka.create_topic(), kafka.unique("group")
    produce(kafka, source, [b"one"])
    copier = member(kafka, group, source)
    producer = transactional(kafka)
    try:
        producer.begin_transaction()
        producer.produce(target, b"copy")
        producer.send_offsets_to_transaction(
            [TopicPartition(source, 0, 1, metadata=POINTER)],
            copier.consumer_group_metadata(),
            TIMEOUT_S,
        )
        producer.commit_transaction(TIMEOUT_S)
    finally:
        copier.close()
    stored = committed(kafka, group, source)
    assert (stored.offset, stored.metadata) == (1, POINTER)
    assert read(kafka, target, 1) == [b"copy"]


def test_an_aborted_transaction_leaves_the_offsets_that_were_there(kafka: Kafka) -> None:
    source, target, group = kafka.create_topic(), kafka.create_topic(), kafka.unique("group")
    produce(kafka, source, [b"one", b"two"])
    copier = member(kafka, group, source)
    producer = transactional(kafka)
    try:
        before = [TopicPartition(source, 0, 1, metadata="first")]
        copier.commit(offsets=before, asynchronous=False)
        producer.begin_transaction()
        producer.produce(target, b"never")
        producer.send_offsets_to_transaction(
            [TopicPartition(source, 0, 2, metadata="second")],
            copier.consumer_group_metadata(),
            TIMEOUT_S,
        )
        producer.abort_transaction(TIMEOUT_S)
    finally:
        copier.close()
    stored = committed(kafka, group, source)
    assert (stored.offset, stored.metadata) == (1, "first")
    produce(kafka, target, [b"after"])
    assert read(kafka, target, 1) == [b"after"]


@pytest.mark.parametrize("length", [1, 4000])
def test_a_plain_commit_keeps_its_metadata(kafka: Kafka, length: int) -> None:
    topic, group = kafka.create_topic(), kafka.unique("group")
    committer = consumer(kafka, group)
    try:
        committer.commit(
            offsets=[TopicPartition(topic, 0, 0, metadata=POINTER[:length])], asynchronous=False
        )
    finally:
        committer.close()
    stored = committed(kafka, group, topic)
    assert (stored.offset, stored.metadata) == (0, POINTER[:length])


def test_a_topic_has_the_partitions_and_settings_asked_for_and_a_new_name(kafka: Kafka) -> None:
    first, second = kafka.create_topic(3), kafka.create_topic(max_message_bytes=100)
    assert first != second
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 2})
    assert len(producer.list_topics(first, timeout=TIMEOUT_S).topics[first].partitions) == 3
    errors: list[KafkaError | None] = []
    producer.produce(second, b"x" * 200, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(TIMEOUT_S) == 0
    assert [error and error.code() for error in errors] == [KafkaError.MSG_SIZE_TOO_LARGE]


def test_a_topic_that_nobody_made_does_not_appear(kafka: Kafka) -> None:
    missing = kafka.unique("missing")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 2})
    error = producer.list_topics(missing, timeout=TIMEOUT_S).topics[missing].error
    assert error is not None
    assert error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.parametrize("end", [Kafka.kill, Kafka.stop])
def test_a_broker_that_ended_comes_back_at_its_address_with_records_and_offsets(
    mortal_kafka: Kafka, end: Callable[[Kafka], None]
) -> None:
    kafka = mortal_kafka
    address, topic, group = kafka.bootstrap_servers, kafka.create_topic(), kafka.unique("group")
    produce(kafka, topic, [b"one", b"two"])
    committer = consumer(kafka, group)
    committer.commit(offsets=[TopicPartition(topic, 0, 1, metadata="pointer")], asynchronous=False)
    committer.close()
    end(kafka)
    with pytest.raises(KafkaException):
        Producer({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=0.5)
    kafka.start()
    assert kafka.bootstrap_servers == address
    assert read(kafka, topic, 2) == [b"one", b"two"]
    stored = committed(kafka, group, topic)
    assert (stored.offset, stored.metadata) == (1, "pointer")
    produce(kafka, topic, [b"three"])
    assert read(kafka, topic, 3) == [b"one", b"two", b"three"]
