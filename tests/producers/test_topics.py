from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from consumers.demo.embedded import EmbeddedBroker
from producers import topics
from producers.replay import open_producer
from producers.topics import LastError, Topic, TopicError, find_topic
from tests.brokers.kafka import Kafka


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "_ANSWER_S", 1.0)
    monkeypatch.setattr(topics, "_CREATION_S", 0.2)
    monkeypatch.setattr(topics, "_APPEARANCE_S", 0.3)


def find(address: str, name: str, partitions: int | None) -> Topic:
    errors = LastError()
    config = {"bootstrap.servers": address}
    return find_topic(open_producer(config, errors), name, partitions, config, errors)


def test_a_topic_that_is_there_is_taken_as_it_is(broker: EmbeddedBroker) -> None:
    there = broker.create_topic("there", 3)
    address = broker.bootstrap_servers
    assert find(address, "there", None) == Topic("there", there)
    assert find(address, "there", there) == Topic("there", there)


def test_another_number_of_partitions_is_told(broker: EmbeddedBroker) -> None:
    there = broker.create_topic("other", 3)
    found = find(broker.bootstrap_servers, "other", 7)
    assert found.partitions == there
    assert found.notice is not None
    assert f"topic other has {there} partitions, not 7" in found.notice
    assert "\n" not in found.notice


def test_a_broker_without_admin_calls_makes_the_topic_its_own_way(broker: EmbeddedBroker) -> None:
    found = find(broker.bootstrap_servers, "fresh", 7)
    assert found.partitions == 4
    assert found.notice is not None
    assert "topic fresh has 4 partitions, not 7: the broker did not make it" in found.notice


def test_a_real_broker_makes_the_topic_with_as_many_partitions_as_asked(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # a real broker may take its time
    name = kafka.unique("made")
    try:
        assert find(kafka.bootstrap_servers, name, 3) == Topic(name, 3)
        assert find(kafka.bootstrap_servers, name, 3) == Topic(name, 3)
    finally:
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
        admin.delete_topics([name])[name].result()


def test_a_broker_that_does_not_answer_is_told_in_one_line_with_its_reason() -> None:
    with pytest.raises(TopicError) as caught:
        find("127.0.0.1:1", "t", 1)
    assert "127.0.0.1:1" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("partitions", "mend"), [(None, "give --partitions"), (3, "create it first")]
)
def test_a_topic_that_never_appears_is_told(
    monkeypatch: pytest.MonkeyPatch, partitions: int | None, mend: str
) -> None:
    error = SimpleNamespace(str=lambda: "Unknown topic")
    absent = SimpleNamespace(partitions={}, error=error)

    def list_topics(name: str | None = None, timeout: float = 0) -> Any:
        del timeout
        return SimpleNamespace(topics={name: absent} if name else {})

    monkeypatch.setattr(topics, "_create", lambda *_: "not allowed")
    producer: Any = SimpleNamespace(list_topics=list_topics)
    with pytest.raises(TopicError, match=mend):
        find_topic(producer, "t", partitions, {}, LastError())
