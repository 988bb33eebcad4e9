"""Leaving the group by a client that hangs: it takes one call after the other."""

import threading
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from consumers.errors import EpochLostError, UnansweredError
from consumers.kafka import requests
from consumers.kafka.consumer import Consumer
from consumers.kafka.failures import Complaints
from consumers.kafka.requests import Requests

DEADLINE_S = 10.0


class HangingConsumer:
    """Answers no commit before it is told to, and does nothing else meanwhile."""

    def __init__(self) -> None:
        self.answered, self.closed = threading.Event(), threading.Event()
        self.calls: list[str] = []
        self._busy = threading.Lock()

    def commit(self, _: Any) -> list[TopicPartition]:
        with self._busy:
            self.answered.wait(DEADLINE_S)
            self.calls.append("commit")
            return []

    def unsubscribe(self) -> None:
        with self._busy:
            self.calls.append("unsubscribe")

    def close(self) -> None:
        with self._busy:
            self.calls.append("close")
            self.closed.set()


def test_a_client_that_hangs_in_a_commit_is_left_behind_and_closed_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests, "TIMEOUT_S", 0.01)
    monkeypatch.setattr(requests, "LEAVE_TIMEOUT_S", 0.01)
    consumer = HangingConsumer()
    asking = Requests(cast("Consumer", consumer), Complaints("topic"))
    with pytest.raises(EpochLostError, match="a commit is not answered"):
        asking.commit([TopicPartition("topic", 0, 1)])
    assert asking.is_busy
    with pytest.raises(EpochLostError, match="a commit is not answered"):
        asking.ask(lambda: pytest.fail("the client would hang"))
    monkeypatch.setattr(requests, "HANGS_S", 0.0)
    with pytest.raises(UnansweredError, match="a new client"):
        asking.ask(lambda: pytest.fail("the client would hang"))
    asking.leave(lambda: False)
    assert consumer.calls == []
    consumer.answered.set()
    assert consumer.closed.wait(DEADLINE_S)
    assert consumer.calls[0] == "commit"


class FailingConsumer:
    """Leaves the group by nothing but errors."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def unsubscribe(self) -> None:
        pass

    def poll(self, _: float) -> None:
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "poll refused"))

    def close(self) -> None:
        self.closed.set()
        raise KafkaException(KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "close refused"))


def test_a_client_that_fails_while_it_leaves_is_let_go_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    consumer = FailingConsumer()
    Requests(cast("Consumer", consumer), Complaints("topic")).leave(lambda: False)
    assert consumer.closed.wait(DEADLINE_S)
    assert caplog.messages == ["leaving the group: poll refused"]


def test_a_client_that_fails_while_it_is_closed_ends_no_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    consumer = FailingConsumer()
    Requests(cast("Consumer", consumer), Complaints("topic")).close()
    assert consumer.closed.is_set()
    assert caplog.messages == ["leaving the group: close refused"]
    assert caplog.records[0].__dict__["event"] == "leave_failed"
