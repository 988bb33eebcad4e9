"""Errors that brokers answer with, one after the other, against the whole program as a process."""

import contextlib
import re
import time
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, TopicPartition

from consumers.kafka.config import consumer_config
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.source import Committed
from tests.brokers.faulty import Api, Coordinator, FaultyBroker
from tests.chaos.embedded_job import embedded_trial, started
from tests.chaos.life import Nest
from tests.chaos.trial import Trial
from tests.jobs import TIMEOUT_S

EVENTS = 50
# These brokers take any sequence number: a later request that was in flight beside a refused one
# would be accepted, and librdkafka takes that for a sign that the earlier one was, too.
ONE_IN_FLIGHT = "kafka.librdkafka.max.in.flight.requests.per.connection=1"


@pytest.fixture
def tried(nest: Nest, faulty_broker: FaultyBroker, tmp_path: Path) -> Trial:
    return embedded_trial(nest, faulty_broker, tmp_path)


def test_rows_18_20_a_member_whose_generation_is_gone_goes_back_and_joins_anew(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    with started(tried) as life:
        for code in (KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID):
            tried.give(EVENTS)
            tried.settle(life)
            faulty_broker.push_errors(Api.OFFSET_COMMIT, [code])
            tried.give(EVENTS)
            tried.settle(life)
        assert life.total("rollbacks_total{reason=lost}") == 2
        life.stop()
    assert tried.violations(faults=2) == []


def test_rows_19_22_25_30_what_passes_is_waited_for_and_nothing_is_done_twice(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    dropped = KafkaError._TRANSPORT
    with started(tried, ONE_IN_FLIGHT) as life:
        for code in (
            *(KafkaError.REBALANCE_IN_PROGRESS, KafkaError.NOT_COORDINATOR),
            *(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.REQUEST_TIMED_OUT, dropped),
        ):
            faulty_broker.push_errors(Api.OFFSET_COMMIT, [code])
            tried.give(EVENTS)
            tried.settle(life)
        for code in (
            *(KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.NOT_ENOUGH_REPLICAS),
            *(KafkaError.UNKNOWN_TOPIC_OR_PART, dropped),
        ):
            with life.frozen():
                tried.give(EVENTS)
                faulty_broker.push_errors(Api.PRODUCE, [code])
            tried.settle(life)
        for broker in (1, 2, 3):
            faulty_broker.set_coordinator(Coordinator.GROUP, tried.job.group, broker)
            faulty_broker.set_leader(tried.job.topic, 0, broker)
            faulty_broker.set_leader(tried.job.predictions, 0, broker)
            tried.give(EVENTS)
            tried.settle(life)
        assert life.total("rollbacks_total") == 0
        assert tried.violations(life=life) == []


@pytest.mark.parametrize(
    ("code", "expected", "text"),
    [
        (KafkaError.FENCED_INSTANCE_ID, 4, "another member took over"),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, 3, "grant the right to read it"),
    ],
    ids=["row 21", "row 23"],
)
def test_rows_21_23_a_commit_that_is_refused_for_good_ends_the_run_and_pretends_no_progress(
    tried: Trial, faulty_broker: FaultyBroker, code: int, expected: int, text: str
) -> None:
    tried.give(EVENTS)
    with started(tried) as life:
        tried.settle(life)
        faulty_broker.push_errors(Api.OFFSET_COMMIT, [code])
        tried.give(EVENTS)
        assert life.end() == expected
        assert text in life.told()
    assert tried.committed() == EVENTS
    assert tried.violations(faults=1, complete=False) == []
    with started(tried) as life:
        tried.settle(life)
    assert tried.violations(faults=1) == []


def test_row_28_a_member_that_is_fenced_after_an_outage_joins_anew_once(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    tried.give(EVENTS)
    with started(tried) as life:
        tried.settle(life)
        with life.frozen():
            faulty_broker.down()
        life.until(lambda: life.total("state{state=running}") == 1)
        faulty_broker.up()
        faulty_broker.push_errors(Api.OFFSET_COMMIT, [KafkaError.FENCED_INSTANCE_ID])
        tried.give(EVENTS)
        life.until_told("joining anew")
        tried.settle(life)
        assert life.total("rollbacks_total{reason=fenced}") == 1
        faulty_broker.push_errors(Api.OFFSET_COMMIT, [KafkaError.FENCED_INSTANCE_ID])
        tried.give(EVENTS)
        assert life.end() == 4
    assert tried.committed() == 2 * EVENTS
    assert tried.violations(faults=2, complete=False) == []


def test_row_24_an_offset_of_a_partition_of_another_member_is_not_committed(
    faulty_broker: FaultyBroker,
) -> None:
    topic = faulty_broker.create_topic("input", partitions=2)
    options = {"bootstrap.servers": faulty_broker.bootstrap_servers, "session.timeout.ms": 2000}
    config = consumer_config(options, "group", None)
    with contextlib.ExitStack() as stack:
        members = [KafkaSource(config, topic, 1, lambda: None) for _ in range(2)]
        for member in members:
            stack.callback(member.close)
            member.subscribe(lambda _: None)
        deadline = time.monotonic() + TIMEOUT_S
        while any(len(member.owned()) != 1 for member in members):
            assert time.monotonic() < deadline
            for member in members:
                member.read(0.01)
        one, other = members
        one.commit({0: Committed(1, "late"), 1: Committed(1, "late")})
        assert [place.metadata for place in one.committed().values()] == ["late"]
        assert [place.offset for place in other.committed().values()] == [None]
        # Nobody else would have refused it.
        late = [TopicPartition(topic, partition, 1, "late") for partition in (0, 1)]
        one._consumer.commit(late)
        assert [place.metadata for place in other.committed().values()] == ["late"]


def test_row_26_a_prediction_that_is_too_large_becomes_a_dead_letter_and_the_epoch_goes_on(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    with started(tried) as life:
        tried.give(EVENTS)
        tried.settle(life)
        with life.frozen():
            tried.give(1)
            faulty_broker.push_errors(Api.PRODUCE, [KafkaError.MSG_SIZE_TOO_LARGE])
        tried.settle(life)
        tried.give(EVENTS)
        tried.settle(life)
        assert life.total("rollbacks_total") == 0
    (letter,) = tried.job.read(tried.job.dead_letters)
    headers = dict(letter.headers() or [])
    assert headers["streamfit.error.stage"] == b"produce"
    assert headers["streamfit.error.reason"] == b"too_large"
    assert headers["streamfit.error.offset"] == b"%d" % EVENTS
    assert len(tried.job.predicted()) == 2 * EVENTS
    assert tried.violations() == []


def test_row_45_dead_letters_that_may_not_be_written_end_the_run_and_none_is_dropped(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    letters = tried.job.dead_letters
    with started(tried) as life:
        tried.give(EVENTS)
        tried.settle(life)
        faulty_broker.set_topic_error(letters, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        tried.add([(b"bad", b"{")])
        assert life.end() == 3
        # Refused at once, or by a delivery report: the words between differ.
        assert re.search(rf"{letters}: .*Broker: Topic authorization failed", life.told())
        assert "grant the right to write" in life.told()
    with tried.running("output.dead_letter_topic=none") as life:
        assert life.end() == 3
        assert "output.dead_letter_topic = 'none': no such topic" in life.told()
    assert tried.committed() == EVENTS
    faulty_broker.set_topic_error(letters, 0)
    with started(tried) as life:
        tried.settle(life)
    assert len(tried.job.read(letters)) == 1
    assert tried.violations(faults=1) == []


def test_exactly_once_is_refused_where_offsets_in_a_transaction_are_not_stored(
    tried: Trial,
) -> None:
    with tried.running("output.delivery=exactly_once") as life:
        assert life.end() == 2
        assert "output.delivery = 'exactly_once': this broker is librdkafka's mock" in life.told()
