"""Callbacks of the client: an exception in one destroys fetched records, so none may get out."""

import time
from collections.abc import Callable
from contextlib import closing

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from consumers.demo.embedded import EmbeddedBroker
from consumers.errors import EpochLostError
from consumers.kafka import requests
from consumers.kafka.config import EMBEDDED, consumer_config
from consumers.kafka.failures import Complaints
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.ownership import Ownership
from consumers.kafka.source import Committed
from producers.dead_letters import undeliverable
from producers.outputs import DeliveryError, Outputs, Reports
from tests.brokers.faulty import FaultyBroker

DEADLINE_S = 20.0
CODES = sorted(
    value
    for name in dir(KafkaError)
    if name.isupper() and isinstance(value := getattr(KafkaError, name), int)
)


def read_on(source: KafkaSource) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        source.read(0.1)


def test_row_41_a_clients_complaint_raises_for_no_error_there_is() -> None:
    complaints = Complaints("events")
    for code in CODES:
        complaints(KafkaError(code))
    assert complaints.last


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"partition":"x"}', b"\xff"])
def test_row_41_a_delivery_report_raises_for_no_error_and_no_record(value: bytes | None) -> None:
    reports = Reports(Outputs("predictions", "dead", 1))
    for code in CODES:
        for topic in ("predictions", "dead"):
            reports(KafkaError(code), topic, None, value)
    assert len(reports.too_large()) == 1
    with pytest.raises(DeliveryError, match="not delivered"):
        reports.check()
    assert undeliverable(None, value).partition == 0


def test_row_41_a_callback_that_raises_voids_the_epoch_instead_of_losing_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: list[str] = []
    assigned = Ownership._assigned

    def fail_once(self: Ownership, *given: object) -> None:
        assigned(self, *given)  # type: ignore[arg-type]  # handed on as it came
        if not raised:
            raised.append("once")
            raise KafkaException(KafkaError(KafkaError._FAIL))

    monkeypatch.setattr(Ownership, "_assigned", fail_once)
    with EmbeddedBroker() as broker:
        broker.create_topic("events", 1)
        Producer({"bootstrap.servers": broker.bootstrap_servers}).flush(5)
        options = {"bootstrap.servers": broker.bootstrap_servers, **EMBEDDED}
        source = KafkaSource(consumer_config(options, "group", None), "events", 10, lambda: None)
        with closing(source):
            source.subscribe(lambda _: None)
            with pytest.raises(EpochLostError):
                read_on(source)
            assert source.owned() == {0}


def test_row_14_a_commit_that_is_not_answered_keeps_no_revoke_waiting(
    faulty_broker: FaultyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "TIMEOUT_S", 0.2)
    topic = faulty_broker.create_topic("input")
    config = consumer_config({"bootstrap.servers": faulty_broker.bootstrap_servers}, "group", None)
    source, told = KafkaSource(config, topic, 1, lambda: None), list[str]()

    def commit(_: frozenset[int]) -> None:
        faulty_broker.rtt(2_000)
        with pytest.raises(EpochLostError) as caught:
            source.commit({0: Committed(1, "late")})
        faulty_broker.rtt(0)
        told.append(str(caught.value))

    with closing(source):
        source.subscribe(commit)
        _until(lambda: source.owned() == {0}, source)
        source.unsubscribe()
        _until(lambda: not source.owned(), source)
        assert told == ["a commit is not answered for 0 s; is Kafka up?"]
        assert source.read(10.0) is None  # until it is, nothing is read
        monkeypatch.undo()
        source.subscribe(lambda _: None)
        _until(lambda: source.owned() == {0}, source)
        assert source.committed() == {0: Committed(1, "late")}


def _until(condition: Callable[[], bool], source: KafkaSource) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        source.read(0.05)
