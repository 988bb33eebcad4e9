"""Requests that end in time, and clients that are closed only when nothing is under way."""

import threading
from concurrent.futures import Future
from typing import cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from producers import asking
from producers.asking import Asking

DEADLINE_S = 10.0


class Client:
    """Tells when it is closed."""

    def __init__(self, error: Exception | None = None) -> None:
        self.closed: Future[str] = Future()
        self._error = error

    def close(self) -> None:
        self.closed.set_result(threading.current_thread().name)
        if self._error is not None:
            raise self._error


def test_what_a_request_raises_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        Asking().ask(lambda: 1 // 0, DEADLINE_S)


def test_a_request_without_an_answer_is_left_behind_and_its_client_closed_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "GRACE_S", 0.0)
    asked, back, client = Asking(), threading.Event(), Client()
    with pytest.raises(TimeoutError):
        asked.ask(lambda: back.wait(DEADLINE_S), 0.01)
    assert asked.is_overdue
    asked.let_go(cast("Producer", client))
    assert not client.closed.done()
    back.set()
    assert client.closed.result(DEADLINE_S) != threading.current_thread().name
    assert not asked.is_overdue


def test_a_client_that_has_failed_for_good_is_let_go_of_without_a_word() -> None:
    client = Client(KafkaException(KafkaError(KafkaError._FENCED)))
    Asking().let_go(cast("Producer", client))
    client.closed.result(DEADLINE_S)
