"""Closing a sink: it aborts what is open, and waits for no client that hangs."""

import threading
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.demo.embedded import EmbeddedBroker
from producers import sink as sinks
from producers.client import Client
from producers.encoding import PredictionRecords
from producers.outputs import Outputs
from producers.sink import KafkaSink
from producers.transactional_sink import Transaction, TransactionalSink

DEADLINE_S = 20.0
OUTPUTS = Outputs("out", "dead", 1)
RECORDS = PredictionRecords.of([(None, b"1", 0)])


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as embedded:
        for topic in ("out", "dead"):
            embedded.create_topic(topic, 1)
        yield embedded


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let each close of a client hang until this is set."""
    thawed, close = threading.Event(), Client.close

    def hang(client: Client) -> None:
        thawed.wait(DEADLINE_S)
        close(client)

    monkeypatch.setattr(Client, "close", hang)
    yield thawed
    thawed.set()


def transactional(broker: EmbeddedBroker) -> TransactionalSink:
    options = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0}
    sink = TransactionalSink(options, OUTPUTS, Transaction("id", 30.0), lambda _: None)
    sink.prepare(DEADLINE_S)
    sink.predictions(RECORDS)
    return sink


def closing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "close"]


def test_what_is_open_is_aborted_though_nothing_is_acknowledged(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, aborted, abort = transactional(broker), [], Client.abort_transaction

    def told(client: Client, timeout_s: float) -> None:
        abort(client, timeout_s)
        aborted.append(client)

    monkeypatch.setattr(Client, "abort_transaction", told)
    sink.close()
    assert aborted == [sink._producer]


def test_a_client_that_hangs_when_it_is_closed_is_left_behind(
    broker: EmbeddedBroker, frozen: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "CLOSE_TIMEOUT_S", 0.01)
    sink = KafkaSink({"bootstrap.servers": broker.bootstrap_servers}, OUTPUTS)
    sink.close()
    assert closing()
    frozen.set()
    for thread in closing():
        thread.join(DEADLINE_S)
    with pytest.raises(RuntimeError, match="closed"):
        sink._producer.fatal()


def test_after_an_abort_that_failed_the_close_is_not_waited_for(
    broker: EmbeddedBroker, frozen: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT))

    monkeypatch.setattr(sinks, "CLOSE_TIMEOUT_S", DEADLINE_S)
    monkeypatch.setattr(Client, "abort_transaction", refuse)
    transactional(broker).close()
    assert closing()
    assert not frozen.is_set()
    frozen.set()
