"""Each fault of the three brokers does what it says, as a plain client sees it."""

import time

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from tests.brokers.cluster import ThreeBrokers
from tests.brokers.nodes import NUMBERS, State

DEADLINE_S = 60.0
RECORDS = 100


def settings(brokers: ThreeBrokers) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": brokers.bootstrap_servers,
        "reconnect.backoff.max.ms": 200,
        "log_level": 0,
        # A frozen broker is given up after this; by default after 60 s.
        "socket.timeout.ms": 3000,
    }


def produce(client: Producer, topic: str) -> list[int]:
    """Produce the records and give how each delivery ended: 0, or the error's code."""
    ends: list[int] = []
    for number in range(RECORDS):
        client.produce(
            topic,
            b"%d" % number,
            on_delivery=lambda error, _: ends.append(error.code() if error else 0),
        )
    client.flush(DEADLINE_S)
    return ends


def count(brokers: ThreeBrokers, topic: str, expected: int) -> int:
    """Ask for a while: a node that was cut off takes itself for the leader for a moment longer."""
    deadline, high = time.monotonic() + DEADLINE_S, -1
    while high != expected and time.monotonic() < deadline:
        reader = Consumer({**settings(brokers), "group.id": "count"})
        _, high = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=DEADLINE_S)
        reader.close()
    return high


def committed(client: Consumer, topic: str) -> tuple[int, str | None]:
    """Ask until the new coordinator has loaded what it knows: the client does not try again."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            (place,) = client.committed([TopicPartition(topic, 0)], timeout=DEADLINE_S)
        except KafkaException:
            assert time.monotonic() < deadline
        else:
            return place.offset, place.metadata


def test_a_topic_has_three_replicas_that_are_in_sync(three_brokers: ThreeBrokers) -> None:
    topic = three_brokers.create_topic(partitions=2)
    client = Producer(settings(three_brokers))
    told = client.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions
    assert len(told) == 2
    assert all(set(partition.isrs) == set(NUMBERS) for partition in told.values())
    assert three_brokers.leader_of(topic, 1) in NUMBERS


@pytest.mark.parametrize(
    ("fault", "state"),
    [("kill", State.DOWN), ("pause", State.PAUSED), ("cut", State.CUT)],
)
def test_another_node_leads_when_the_leader_is_gone_and_no_record_is_lost(
    three_brokers: ThreeBrokers, fault: str, state: State
) -> None:
    topic = three_brokers.create_topic()
    client = Producer({**settings(three_brokers), "enable.idempotence": True})
    assert produce(client, topic) == [0] * RECORDS
    leader = three_brokers.leader_of(topic)
    getattr(three_brokers, fault)(leader)
    assert three_brokers.state(leader) is state
    assert three_brokers.leader_of(topic) != leader
    assert produce(client, topic) == [0] * RECORDS
    three_brokers.heal()
    assert three_brokers.state(leader) is State.UP
    assert count(three_brokers, topic, 2 * RECORDS) == 2 * RECORDS


def test_another_node_coordinates_groups_when_the_coordinator_is_killed(
    three_brokers: ThreeBrokers,
) -> None:
    topic = three_brokers.create_topic()
    group = three_brokers.unique("group")
    member = Consumer({**settings(three_brokers), "group.id": group, "enable.auto.commit": False})
    place = TopicPartition(topic, 0, 7, "pointer")
    member.commit(offsets=[place], asynchronous=False)
    coordinator = three_brokers.group_coordinator()
    three_brokers.kill(coordinator)
    assert three_brokers.group_coordinator() != coordinator
    assert committed(member, topic) == (7, "pointer")
    member.close()


@pytest.mark.slow
def test_nothing_is_acknowledged_by_one_node_alone_and_everything_by_the_healed_three(
    three_brokers: ThreeBrokers,
) -> None:
    topic = three_brokers.create_topic()
    client = Producer(settings(three_brokers))
    assert produce(client, topic) == [0] * RECORDS
    leader = three_brokers.leader_of(topic)
    others = [node for node in NUMBERS if node != leader]
    for node in others:
        three_brokers.kill(node)
    client.produce(topic, b"waits")
    assert client.flush(1.0) == 1
    three_brokers.restart(*others)
    assert client.flush(DEADLINE_S) == 0


def test_a_fault_that_does_not_fit_the_state_of_the_node_is_refused(
    three_brokers: ThreeBrokers,
) -> None:
    with pytest.raises(ValueError, match="node 1 is up, not paused"):
        three_brokers.unpause(1)
    with pytest.raises(ValueError, match="node 2 is up, not down"):
        three_brokers.restart(2)


@pytest.mark.slow
def test_a_rolling_restart_loses_no_record(three_brokers: ThreeBrokers) -> None:
    topic = three_brokers.create_topic()
    client = Producer({**settings(three_brokers), "enable.idempotence": True})
    assert produce(client, topic) == [0] * RECORDS
    three_brokers.rolling_restart()
    assert produce(client, topic) == [0] * RECORDS
    assert count(three_brokers, topic, 2 * RECORDS) == 2 * RECORDS
    assert three_brokers.transaction_coordinator() in NUMBERS
