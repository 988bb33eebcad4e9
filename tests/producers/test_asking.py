"""Requests that end in time, and clients that are closed only when nothing is under way."""

import threading
from concurrent.futures import Future
from typing import cast

import pytest

from producers import asking
from producers.asking import Asking
from producers.client import Client

DEADLINE_S = 10.0


class Closing:
    """Tells when it is closed."""

    def __init__(self) -> None:
        self.closed: Future[str] = Future()

    def close(self) -> None:
        self.closed.set_result(threading.current_thread().name)


def test_what_a_request_raises_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        Asking().ask(lambda: 1 // 0, DEADLINE_S)


def test_a_request_without_an_answer_is_left_behind_and_its_client_closed_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asking, "GRACE_S", 0.0)
    asked, back, closing = Asking(), threading.Event(), Closing()
    with pytest.raises(TimeoutError):
        asked.ask(lambda: back.wait(DEADLINE_S), 0.01)
    assert asked.is_overdue
    asked.let_go(cast("Client", closing))
    assert not closing.closed.done()
    back.set()
    assert closing.closed.result(DEADLINE_S) != threading.current_thread().name
    assert not asked.is_overdue
