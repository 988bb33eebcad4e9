"""Asking who is in a group: by which client, and what becomes of it."""

import weakref
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka.admin import AdminClient

from consumers.kafka.coordinator import TIMEOUT_S, Coordinator, Member
from consumers.kafka.membership import StandsBy

GROUP = "group"
TOLD = SimpleNamespace(group_instance_id=None, member_id="m1", host="/10.0.0.7")
DEADLINE_S = 10.0


class Admin:
    """Answers a question when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Future[Any]] = []
        self.gone: Future[None] = Future()
        weakref.finalize(self, self.gone.set_result, None)

    def describe_consumer_groups(
        self, groups: list[str], request_timeout: float
    ) -> dict[str, Future[Any]]:
        assert groups == [GROUP]
        assert request_timeout > 0
        self.asked.append(Future())
        return {GROUP: self.asked[-1]}


class Clients:
    """Counts the clients that were made, and holds none of them."""

    def __init__(self) -> None:
        self.made: list[weakref.ref[Admin]] = []

    def __call__(self) -> AdminClient:
        admin = Admin()
        self.made.append(weakref.ref(admin))
        return cast("AdminClient", admin)

    def answer(self, *members: SimpleNamespace) -> None:
        self.question().set_result(SimpleNamespace(members=list(members)))

    def fail(self) -> "Future[None]":
        """Fail the last question; what it gives ends when the client is gone."""
        gone = self.gone()
        self.question().set_exception(TimeoutError("no answer"))
        return gone

    def gone(self) -> "Future[None]":
        return self._last().gone

    def question(self) -> "Future[Any]":
        return self._last().asked[-1]

    def _last(self) -> Admin:
        admin = self.made[-1]()
        assert admin is not None
        return admin


def test_a_client_that_answers_is_asked_again() -> None:
    clients = Clients()
    coordinator = Coordinator(clients, GROUP)
    for _ in range(2):
        members = coordinator.members()
        clients.answer(TOLD)
        assert members.result(0) == [Member(None, "m1 on /10.0.0.7")]
    assert len(clients.made) == 1


def test_a_client_that_failed_is_let_go_of_and_the_next_question_goes_to_a_new_one() -> None:
    clients = Clients()
    coordinator = Coordinator(clients, GROUP)
    members = coordinator.members()
    gone = clients.fail()
    assert isinstance(members.exception(0), TimeoutError)
    gone.result(DEADLINE_S)
    members = coordinator.members()
    clients.answer()
    assert members.result(0) == []
    assert len(clients.made) == 2


def test_a_question_without_an_answer_is_given_up_and_asked_again_by_another_client() -> None:
    clients = Clients()
    standby = StandsBy(Coordinator(clients, GROUP).members, None, lambda: 0.5)
    assert not standby.may_join(0.0)
    gone = clients.gone()
    assert not standby.may_join(TIMEOUT_S)
    assert not gone.done()
    assert not standby.may_join(TIMEOUT_S + 0.1)
    gone.result(DEADLINE_S)
    assert not standby.may_join(TIMEOUT_S + 0.2)
    assert len(clients.made) == 2
    clients.answer()
    assert standby.may_join(TIMEOUT_S + 0.3)
    assert len(clients.made) == 2


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    clients = Clients()
    coordinator = Coordinator(clients, GROUP)
    members, question = coordinator.members(), clients.question()
    members.cancel()
    assert coordinator.members() is not members
    question.set_exception(TimeoutError("the client is gone"))
    assert members.cancelled()
    clients.answer(TOLD)
    assert len(clients.made) == 2
