"""The embedded broker, asked by real clients over its port."""

from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers.demo import embedded
from consumers.demo.embedded import Access, EmbeddedBroker, EmbeddedBrokerError

TIMEOUT_S = 20.0


@pytest.fixture(params=list(Access))
def broker(request: pytest.FixtureRequest) -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker(request.param) as running:
        yield running


def partitions(bootstrap: str, topic: str) -> int:
    metadata = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2}).list_topics(
        topic, timeout=TIMEOUT_S
    )
    return len(metadata.topics[topic].partitions)


def test_a_record_that_was_produced_is_consumed_and_its_offset_is_stored(
    broker: EmbeddedBroker,
) -> None:
    broker.create_topic("events", 1)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 2})
    producer.produce("events", b"one", partition=0)
    assert producer.flush(TIMEOUT_S) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "readers",
            "fetch.wait.max.ms": 10,
            "enable.auto.commit": False,
            "log_level": 2,
        }
    )
    try:
        consumer.assign([TopicPartition("events", 0, 0)])
        message = consumer.poll(TIMEOUT_S)
        assert message is not None
        assert message.value() == b"one"
        consumer.commit(
            offsets=[TopicPartition("events", 0, 1, metadata="pointer")], asynchronous=False
        )
        (stored,) = consumer.committed([TopicPartition("events", 0)], timeout=TIMEOUT_S)
    finally:
        consumer.close()
    assert (stored.offset, stored.metadata) == (1, "pointer")


def test_the_first_member_of_a_group_gets_its_partitions() -> None:
    with EmbeddedBroker(Access.LIBRARY) as broker:
        broker.create_topic("events", 3)
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 2}
        )
        assigned: list[int] = []
        consumer.subscribe(
            ["events"],
            on_assign=lambda _, given: assigned.extend(each.partition for each in given),
        )
        for _ in range(int(TIMEOUT_S * 10)):
            consumer.poll(0.1)
            if assigned:
                break
        consumer.close()
    assert sorted(assigned) == [0, 1, 2]


def test_a_topic_tells_how_many_partitions_it_really_has(broker: EmbeddedBroker) -> None:
    made = broker.create_topic("events", 3)
    assert made == partitions(broker.bootstrap_servers, "events")
    assert made == (3 if broker.access is Access.LIBRARY else 4)


def test_a_topic_that_exists_is_refused_by_its_name() -> None:
    with EmbeddedBroker(Access.LIBRARY) as broker:
        broker.create_topic("events", 1)
        with pytest.raises(EmbeddedBrokerError, match=r"'events'.*already exists"):
            broker.create_topic("events", 1)


def test_two_brokers_in_one_process_do_not_share_topics() -> None:
    with EmbeddedBroker() as first, EmbeddedBroker() as second:
        assert first.bootstrap_servers != second.bootstrap_servers
        first.create_topic("events", 2)
        assert second.create_topic("events", 3) == 3


def test_a_closed_broker_answers_nobody_and_can_be_started_again() -> None:
    broker = EmbeddedBroker().start()
    address = broker.bootstrap_servers
    assert broker.start().bootstrap_servers == address
    broker.close()
    broker.close()
    with pytest.raises(KafkaException):
        AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=0.2)
    with pytest.raises(EmbeddedBrokerError, match=r"call start\(\) first"):
        broker.create_topic("events", 1)
    with broker.start():
        assert broker.create_topic("events", 1) == 1


def test_a_library_that_is_missing_or_has_no_mock_cluster_is_not_taken(tmp_path: Path) -> None:
    assert embedded.bind(tmp_path / "nothing.so") is None
    other = find_library("c")
    assert other is not None
    assert embedded.bind(Path(other)) is None


def test_without_the_library_the_client_starts_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_librdkafka", lambda: None)
    with EmbeddedBroker() as broker:
        assert broker.access is Access.CLIENT
        assert partitions(broker.bootstrap_servers, "events") == 4
    with pytest.raises(EmbeddedBrokerError, match="no librdkafka"):
        EmbeddedBroker(Access.LIBRARY)


def test_the_wheel_carries_a_library_with_a_mock_cluster() -> None:
    path = embedded.find_librdkafka()
    assert path is not None
    assert embedded.bind(path) is not None
