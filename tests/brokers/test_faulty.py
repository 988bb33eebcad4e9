"""Each fault of the cluster in this process does what it says, as a plain client sees it."""

import logging
import time

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from consumers.demo.embedded import EmbeddedBrokerError
from tests.brokers import faulty
from tests.brokers.faulty import Api, Coordinator, FaultyBroker
from tests.brokers.server import UnavailableError

DEADLINE_S = 20.0
RECORDS = 10

# A fenced member and a broker that goes away are what is tested: no lines about them.
SILENT = logging.getLogger("silent")
SILENT.disabled = True


def producer(brokers: FaultyBroker) -> Producer:
    return Producer({"bootstrap.servers": brokers.bootstrap_servers}, logger=SILENT)


def consumer(brokers: FaultyBroker, **options: str) -> Consumer:
    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": brokers.bootstrap_servers,
        "group.id": "group",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 10,
        **{key.replace("_", "."): value for key, value in options.items()},
    }
    return Consumer(settings, logger=SILENT)


def produce(client: Producer, topic: str = "t") -> list[int]:
    """Produce the records and give how each delivery ended: 0, or the error's code."""
    ends: list[int] = []
    for number in range(RECORDS):
        client.produce(
            topic,
            b"%d" % number,
            partition=0,
            on_delivery=lambda error, _: ends.append(error.code() if error else 0),
        )
    client.flush(DEADLINE_S)
    return ends


def first_answer(client: Consumer) -> tuple[int, int]:
    """Wait for the next record or error: its offset and the error's code, 0 for a record."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        message = client.poll(0.1)
        if message is not None:
            error = message.error()
            offset = message.offset()
            return -1 if offset is None else offset, error.code() if error else 0
    raise TimeoutError("neither a record nor an error")


def joined(brokers: FaultyBroker) -> Consumer:
    """Give a member of the group that has read the first record."""
    brokers.create_topic("t")
    assert produce(producer(brokers)) == [0] * RECORDS
    member = consumer(brokers)
    member.subscribe(["t"])
    assert first_answer(member) == (0, 0)
    return member


def commit(client: Consumer, offset: int) -> None:
    client.commit(offsets=[TopicPartition("t", 0, offset, "pointer")], asynchronous=False)


def committed(client: Consumer) -> tuple[int, str | None]:
    place = client.committed([TopicPartition("t", 0)], timeout=DEADLINE_S)[0]
    return place.offset, place.metadata


@pytest.mark.parametrize("code", [22, 25, 27, 29])
def test_a_commit_raises_the_error_that_was_pushed(faulty_broker: FaultyBroker, code: int) -> None:
    member = joined(faulty_broker)
    commit(member, 1)
    faulty_broker.push_errors(Api.OFFSET_COMMIT, [code])
    with pytest.raises(KafkaException) as caught:
        commit(member, 2)
    assert caught.value.args[0].code() == code
    assert committed(member) == (1, "pointer")


@pytest.mark.parametrize("code", [7, 14, 16, KafkaError._TRANSPORT])
def test_a_commit_is_retried_when_the_coordinator_is_not_ready(
    faulty_broker: FaultyBroker, code: int
) -> None:
    member = joined(faulty_broker)
    faulty_broker.push_errors(Api.OFFSET_COMMIT, [code])
    commit(member, 2)
    assert committed(member) == (2, "pointer")


def test_a_fenced_commit_is_a_fatal_error_of_the_next_poll(faulty_broker: FaultyBroker) -> None:
    member = joined(faulty_broker)
    faulty_broker.push_errors(Api.OFFSET_COMMIT, [KafkaError.FENCED_INSTANCE_ID])
    with pytest.raises(KafkaException):
        commit(member, 2)
    deadline = time.monotonic() + DEADLINE_S
    while first_answer(member)[1] != KafkaError._FATAL:
        assert time.monotonic() < deadline  # records that were fetched before come first


def test_errors_are_met_one_by_one_in_their_order(faulty_broker: FaultyBroker) -> None:
    member = joined(faulty_broker)
    faulty_broker.push_errors(Api.OFFSET_COMMIT, [29, 12])
    for code in (29, 12):
        with pytest.raises(KafkaException) as caught:
            commit(member, 2)
        assert caught.value.args[0].code() == code
    commit(member, 2)
    assert committed(member) == (2, "pointer")


def test_errors_that_were_taken_back_are_not_met(faulty_broker: FaultyBroker) -> None:
    member = joined(faulty_broker)
    faulty_broker.push_errors(Api.OFFSET_COMMIT, [29] * 100)
    faulty_broker.clear_errors(Api.OFFSET_COMMIT)
    commit(member, 2)
    assert committed(member) == (2, "pointer")


@pytest.mark.parametrize(("code", "end"), [(6, 0), (19, 0), (3, 0), (10, 10)])
def test_a_produce_request_meets_the_error_and_is_retried_or_given_up(
    faulty_broker: FaultyBroker, code: int, end: int
) -> None:
    faulty_broker.create_topic("t")
    faulty_broker.push_errors(Api.PRODUCE, [code])
    client = producer(faulty_broker)
    assert produce(client) == [end] * RECORDS
    assert produce(client) == [0] * RECORDS
    reader = consumer(faulty_broker)
    _, high = reader.get_watermark_offsets(TopicPartition("t", 0), timeout=DEADLINE_S)
    assert high == (RECORDS if end else 2 * RECORDS), "retried records must be there once"


def test_a_broker_that_is_down_answers_nothing_until_it_is_up(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t")
    client = producer(faulty_broker)
    faulty_broker.down()
    client.produce("t", b"waits", partition=0)
    assert client.flush(0.3) == 1
    faulty_broker.up()
    assert client.flush(DEADLINE_S) == 0


def test_an_answer_is_late_by_the_round_trip_time(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t")
    client = producer(faulty_broker)
    assert produce(client) == [0] * RECORDS
    faulty_broker.rtt(60_000)
    client.produce("t", b"waits", partition=0)
    assert client.flush(0.3) == 1
    faulty_broker.rtt(0)
    assert produce(producer(faulty_broker)) == [0] * RECORDS


def test_records_below_an_offset_are_gone(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t")
    for _ in range(2):  # whole batches are dropped: the second one begins at the offset
        assert produce(producer(faulty_broker)) == [0] * RECORDS
    faulty_broker.delete_records("t", 0, RECORDS)
    reader = consumer(faulty_broker, auto_offset_reset="error")
    place = TopicPartition("t", 0)
    assert reader.get_watermark_offsets(place, timeout=DEADLINE_S) == (RECORDS, 2 * RECORDS)
    reader.assign([TopicPartition("t", 0, 2)])
    assert first_answer(reader)[1] == KafkaError._AUTO_OFFSET_RESET
    reader.assign([TopicPartition("t", 0, RECORDS)])
    assert first_answer(reader) == (RECORDS, 0)


def test_a_moved_leader_is_told_and_found(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t", replication=3)
    client = producer(faulty_broker)
    for broker in (1, 2, 3):
        faulty_broker.set_leader("t", 0, broker)
        assert produce(client) == [0] * RECORDS
        told = client.list_topics("t", timeout=DEADLINE_S).topics["t"].partitions[0]
        assert told.leader == broker


def test_a_partition_without_leader_is_refused_because_it_would_crash_the_tests(
    faulty_broker: FaultyBroker,
) -> None:
    with pytest.raises(ValueError, match="broker -1"):
        faulty_broker.set_leader("t", 0, -1)


def test_a_group_goes_on_where_its_coordinator_has_moved(faulty_broker: FaultyBroker) -> None:
    faulty_broker.set_coordinator(Coordinator.GROUP, "group", 1)
    member = joined(faulty_broker)
    commit(member, 2)
    faulty_broker.set_coordinator(Coordinator.GROUP, "group", 2)
    faulty_broker.down(1)
    # Its partition may be led by the broker that is down; the group is not.
    commit(member, 3)
    assert committed(member) == (3, "pointer")


def test_a_deleted_topic_is_gone_with_its_records(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t")
    assert produce(producer(faulty_broker)) == [0] * RECORDS
    faulty_broker.delete_topic("t")
    faulty_broker.create_topic("t", partitions=2)
    reader = consumer(faulty_broker)
    assert reader.get_watermark_offsets(TopicPartition("t", 0), timeout=DEADLINE_S) == (0, 0)
    assert len(reader.list_topics("t", timeout=DEADLINE_S).topics["t"].partitions) == 2


def test_an_error_of_a_topic_is_told_in_its_metadata(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t")
    client = producer(faulty_broker)
    faulty_broker.set_topic_error("t", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    told = client.list_topics("t", timeout=DEADLINE_S).topics["t"]
    assert told.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    faulty_broker.set_topic_error("t", 0)
    assert client.list_topics("t", timeout=DEADLINE_S).topics["t"].error is None


def test_what_librdkafka_refuses_is_raised_with_its_reason(faulty_broker: FaultyBroker) -> None:
    faulty_broker.create_topic("t")
    with pytest.raises(EmbeddedBrokerError, match="Topic already exists"):
        faulty_broker.create_topic("t")
    with pytest.raises(EmbeddedBrokerError, match="Unknown topic or partition"):
        faulty_broker.delete_records("t", 7, 0)


def test_nothing_is_asked_of_closed_brokers() -> None:
    brokers = FaultyBroker()
    brokers.close()
    brokers.close()
    with pytest.raises(EmbeddedBrokerError, match="closed"):
        brokers.down()


def test_a_library_without_the_functions_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(faulty._SIGNATURES, "rd_kafka_mock_earthquake", (None, []))
    with pytest.raises(UnavailableError, match="no rd_kafka_mock_earthquake"):
        FaultyBroker()
