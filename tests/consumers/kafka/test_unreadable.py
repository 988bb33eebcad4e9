"""Records that a broker holds and no client would have sent, read from the embedded broker."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import KafkaError

from consumers.checkpoints.pointer import from_metadata
from consumers.demo.embedded import EmbeddedBroker
from consumers.errors import DataPolicyError, EpochLostError
from consumers.kafka.config import EMBEDDED, consumer_config
from consumers.kafka.consumer import Consumer
from consumers.kafka.damage import MOST_READS, Damage
from consumers.kafka.failures import Complaints
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.messages import Failure
from consumers.kafka.positions import committed_of
from learners.events import Records
from learners.rejections import Reason, Rejection, Stage
from metrics.facts import RollbackReason
from producers.dead_letters import dead_letter
from tests.raw_requests import Batch, commit, record, send

TOPIC = "events"
DEADLINE_S = 20.0


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        broker.create_topic(TOPIC, 1)
        yield broker


@pytest.fixture
def source(broker: EmbeddedBroker) -> Iterator[KafkaSource]:
    options = {"bootstrap.servers": broker.bootstrap_servers, **EMBEDDED}
    source = KafkaSource(consumer_config(options, "group", None), TOPIC, 10, lambda: None)
    with closing(source):
        yield source


def join(source: KafkaSource) -> None:
    source.subscribe(lambda _: None)
    deadline = time.monotonic() + DEADLINE_S
    while not source.owned() and time.monotonic() < deadline:
        source.read(0.1)
    source.assign({0: 0})


def read(source: KafkaSource) -> Records:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        records = source.read(0.1)
        if records is not None:
            return records
    pytest.fail("nothing was read")


def test_bad_input_31_headers_whose_names_are_not_utf_8_are_left_out_and_that_is_told(
    broker: EmbeddedBroker, source: KafkaSource
) -> None:
    odd = record(b"x", [(b"a", b"1"), (b"\xff\xfe", b"2")])
    send(broker.bootstrap_servers, TOPIC, Batch(odd))
    send(broker.bootstrap_servers, TOPIC, Batch(record(b"y", [(b"a", b"1")])))
    join(source)
    records = read(source)
    # Asked twice, as a run with traces asks: the client itself would crash the second time.
    assert [records.headers(0), records.headers(0)] == [None, None]
    letter = dead_letter(records, Rejection(0, Stage.DECODE, Reason.MALFORMED, ""), "1.2.3")
    assert letter.headers[0] == ("streamfit.error.stage", b"decode")
    assert dict(letter.headers)["streamfit.error.headers.unreadable"] == b"a name is not UTF-8"
    if len(records) == 1:
        records = read(source)
    assert records.headers(len(records) - 1) == [("a", b"1")]


@pytest.mark.parametrize(
    "batch",
    [Batch(record(b"harm", []), is_damaged=True), Batch(b"no gzip", codec=1)],
    ids=["checksum", "compression"],
)
def test_a_damaged_batch_is_read_anew_a_few_times_and_then_ends_the_run(
    broker: EmbeddedBroker, source: KafkaSource, batch: Batch
) -> None:
    send(broker.bootstrap_servers, TOPIC, Batch(record(b"before", [])))
    send(broker.bootstrap_servers, TOPIC, batch)
    send(broker.bootstrap_servers, TOPIC, Batch(record(b"behind", [])))
    join(source)
    assert read(source).values == [b"before"]
    for _ in range(MOST_READS - 1):
        with pytest.raises(EpochLostError, match="reading it anew") as lost:
            read(source)
        assert lost.value.reason is RollbackReason.GAP  # what came before is committed
        source.assign({})
        source.assign({0: 1})
    with pytest.raises(DataPolicyError, match="'events': partition 0, offset 1: ") as end:
        read(source)
    assert end.value.exit_code == 5
    assert "a replica that is whole" in str(end.value)
    assert "learning.on_reset = 'follow_kafka'" in str(end.value)


def test_records_that_came_before_a_damaged_batch_are_given_first() -> None:
    error = KafkaError(KafkaError._BAD_MSG)
    harmed = [Failure(error, partition=1, offset=5)]
    damage = Damage(TOPIC)
    for _ in range(2 * MOST_READS):
        assert damage.sort_out(harmed, reached={0, 1}) == []
    with pytest.raises(EpochLostError, match="partition 1, offset 5"):
        damage.sort_out(harmed, reached={0})


def test_checksums_are_looked_at_unless_the_settings_say_otherwise() -> None:
    assert consumer_config({}, "group", None)["check.crcs"] is True
    assert consumer_config({"check.crcs": False}, "group", None)["check.crcs"] is False


def test_a_committed_string_that_is_not_utf_8_is_no_pointer(broker: EmbeddedBroker) -> None:
    commit(broker.bootstrap_servers, "group", TOPIC, 7, b"\xff\xfe")
    options = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "group"}
    consumer = Consumer(options, Complaints(TOPIC), logging.getLogger())
    with closing(consumer):
        found = committed_of(consumer, TOPIC, [0])
    assert found[0].offset == 7
    assert from_metadata(found[0].metadata) is None
