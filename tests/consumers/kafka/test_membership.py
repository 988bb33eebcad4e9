"""When to join the group, and when to give way."""

import struct
import threading
import time
from concurrent.futures import Future

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.kafka.assignments import partitions_in
from consumers.kafka.coordinator import Member
from consumers.kafka.membership import (
    ASK_EVERY_S,
    LONGEST_WAIT_S,
    LOOK_EVERY_S,
    LOOK_SOON_S,
    SHORTEST_WAIT_S,
    JoinsAtOnce,
    LooksAround,
    StandsBy,
)

ALL = frozenset({0, 1, 2})
OTHER = Member(None, "other on /10.0.0.7")


class Coordinator:
    """Answers as told, and counts how often it was asked."""

    def __init__(self, *members: Member) -> None:
        self.members = list(members)
        self.asked = 0
        self.answers: list[Future[list[Member]]] = []
        self.is_slow = self.is_away = False

    def ask(self) -> "Future[list[Member]]":
        self.asked += 1
        answer: Future[list[Member]] = Future()
        self.answers.append(answer)
        if self.is_away:
            answer.set_exception(TimeoutError("no answer"))
        elif not self.is_slow:
            answer.set_result(list(self.members))
        return answer

    def answer_soon(self) -> None:
        """Answer a moment after it is asked."""
        while not self.answers:
            time.sleep(0.001)
        time.sleep(0.01)
        self.answers[-1].set_result(list(self.members))


def standby(coordinator: Coordinator, instance: str | None = None, random: float = 0.5) -> StandsBy:
    return StandsBy(coordinator.ask, instance, lambda: random)


def test_who_joins_at_once_asks_nobody_and_never_gives_way() -> None:
    membership = JoinsAtOnce()
    assert membership.may_join(0.0)
    assert not membership.must_leave(frozenset({2}), ALL, 0.0)


def test_who_joins_at_once_stays_outside_as_long_as_it_is_told() -> None:
    membership = JoinsAtOnce()
    membership.wait(5.0, 2.0)
    assert not membership.may_join(6.9)
    assert membership.may_join(7.0)


def test_a_standby_tells_whom_it_waits_for_whenever_that_changes() -> None:
    told: list[tuple[str, ...]] = []
    coordinator = Coordinator(Member("a", "a on /1"), Member(None, "b on /2"))
    alone = StandsBy(coordinator.ask, None, lambda: 0.5, lambda names: told.append(tuple(names)))
    for members in (coordinator.members, coordinator.members, coordinator.members[1:], []):
        coordinator.members = members
        alone.may_join(10.0 * len(told) + 10.0 * coordinator.asked)
    assert told == [("a on /1", "b on /2"), ("b on /2",), ()]


def test_a_standby_joins_a_group_that_is_empty() -> None:
    assert standby(Coordinator()).may_join(0.0)


def test_a_standby_does_not_join_while_somebody_else_is_there() -> None:
    coordinator = Coordinator(OTHER)
    membership = standby(coordinator)
    assert not membership.may_join(0.0)
    coordinator.members.clear()
    assert membership.may_join(ASK_EVERY_S)


def test_a_standby_asks_only_now_and_then() -> None:
    coordinator = Coordinator(OTHER)
    membership = standby(coordinator)
    for tenth in range(30):
        assert not membership.may_join(tenth / 10)
    assert coordinator.asked == 30 / 10 / ASK_EVERY_S


@pytest.mark.parametrize(
    ("member", "joins"),
    [
        (Member("mine", "a dead one"), True),
        (Member("theirs", "another"), False),
        (Member(None, "without an instance"), False),
    ],
)
def test_row_16_what_died_under_ones_own_instance_is_nobody_else(
    member: Member, *, joins: bool
) -> None:
    assert standby(Coordinator(member), "mine").may_join(0.0) is joins


def test_without_an_instance_every_member_is_somebody_else() -> None:
    assert not standby(Coordinator(Member(None, "x")), None).may_join(0.0)


def test_a_coordinator_that_does_not_answer_is_asked_again_later() -> None:
    coordinator = Coordinator()
    coordinator.is_away = True
    membership = standby(coordinator)
    assert not membership.may_join(0.0)
    coordinator.is_away = False
    assert not membership.may_join(ASK_EVERY_S / 2)
    assert membership.may_join(ASK_EVERY_S)


def test_an_answer_that_takes_its_time_is_not_waited_for() -> None:
    coordinator = Coordinator()
    coordinator.is_slow = True
    membership = standby(coordinator)
    assert not membership.may_join(0.0)
    assert not membership.may_join(9.0)
    assert coordinator.asked == 1
    coordinator.answers[0].set_result([])
    assert membership.may_join(9.1)


def test_an_answer_that_comes_soon_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.kafka.coordinator.PATIENCE_S", 30.0)  # on a busy machine, too
    coordinator = Coordinator()
    coordinator.is_slow = True
    answers = threading.Thread(target=coordinator.answer_soon)
    answers.start()
    assert standby(coordinator).may_join(0.0)
    answers.join()


def test_an_answer_from_before_a_wait_tells_nothing() -> None:
    coordinator = Coordinator()
    coordinator.is_slow = True
    membership = standby(coordinator)
    membership.may_join(0.0)
    membership.wait(1.0, 1.0)
    coordinator.answers[0].set_result([])
    assert not membership.may_join(2.0)
    assert coordinator.asked == 2


def test_who_owns_everything_stays() -> None:
    assert not standby(Coordinator()).must_leave(ALL, ALL, 0.0)


@pytest.mark.parametrize(
    ("owned", "leaves"), [({0}, False), ({0, 2}, False), ({1, 2}, True), ({2}, True), ((), True)]
)
def test_of_those_who_split_the_partitions_the_owner_of_the_lowest_stays(
    owned: set[int], *, leaves: bool
) -> None:
    assert standby(Coordinator()).must_leave(frozenset(owned), ALL, 0.0) is leaves


@pytest.mark.parametrize("random", [0.0, 0.3, 1.0])
def test_who_gave_way_asks_again_after_a_random_while(random: float) -> None:
    coordinator = Coordinator()
    membership = standby(coordinator, random=random)
    assert membership.must_leave(frozenset({1}), ALL, 10.0)
    due = 10.0 + SHORTEST_WAIT_S + random * (LONGEST_WAIT_S - SHORTEST_WAIT_S)
    assert not membership.may_join(due - 0.01)
    assert membership.may_join(due + 0.01)


def test_who_holds_the_group_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    membership = standby(Coordinator(OTHER))
    for second in range(5):
        membership.may_join(float(second))
    assert caplog.text.count("other on /10.0.0.7") == 1


UUID = "12345678-1234-1234-1234-1234567890ab"
A, B, C = (f"{name}-{UUID}" for name in "abc")


class Group:
    """Tells who has what, and counts how often it was asked."""

    def __init__(self, **given: set[int]) -> None:
        self.given = given
        self.asked = 0

    def __call__(self) -> dict[str, frozenset[int]]:
        self.asked += 1
        names = {"a": A, "b": B, "c": C}
        return {names[name]: frozenset(given) for name, given in self.given.items()}


def looking(group: Group, instance: str = "b") -> LooksAround:
    """Make a member that was just given something."""
    membership = LooksAround(group, instance)
    assert membership.may_join(0.0)
    assert not membership.must_leave(frozenset({0}), ALL, 0.0)
    return membership


SOON = [LOOK_SOON_S, 2 * LOOK_SOON_S, 3 * LOOK_SOON_S, 4 * LOOK_SOON_S]


@pytest.mark.parametrize(
    ("held", "at"),
    [
        ({"a": {0, 1}, "b": {2}}, None),
        ({"a": {0, 1}, "b": set()}, 1),
        ({"a": {0}, "b": set(), "c": {1}}, 1),
        ({"b": {0}, "c": {1}}, 1),
        ({"a": {0}, "b": {1}}, 2),  # the first by name has its turn before
        ({"a": set(), "b": {1}}, 2),
        ({"a": set(), "b": {1}, "c": set()}, 3),
        ({}, None),  # it rebalances, or is not told
    ],
)
def test_of_those_who_see_a_partition_with_nobody_the_least_busy_joins_anew_first(
    held: dict[str, set[int]], at: int | None
) -> None:
    membership = looking(Group(**held))
    for number, now in enumerate(SOON):
        joins_anew = membership.must_join_anew(now)
        assert joins_anew is (number == at)
        if joins_anew:
            return


def test_a_partition_on_its_way_is_with_nobody_only_at_one_look() -> None:
    group = Group(a={0, 1}, b=set())
    membership = looking(group)
    assert not membership.must_join_anew(SOON[0])
    group.given["b"] = {2}
    assert not membership.must_join_anew(SOON[1])
    group.given = {"a": {1, 2}, "b": set()}
    assert not membership.must_join_anew(SOON[1] + LOOK_EVERY_S)
    group.given = {"a": {0, 2}, "b": set()}  # another one
    assert not membership.must_join_anew(SOON[2] + LOOK_EVERY_S)


def test_whoever_was_just_given_something_begins_to_look_anew() -> None:
    membership = looking(Group(a={0, 1}, b=set()))
    assert not membership.must_join_anew(SOON[0])
    membership.must_leave(frozenset(), ALL, SOON[0])
    assert not membership.must_join_anew(SOON[1])
    assert membership.must_join_anew(SOON[2])


def test_while_all_is_well_it_looks_only_now_and_then() -> None:
    group = Group(a={0, 1}, b={2})
    membership = looking(group)
    assert not any(membership.must_join_anew(second / 2) for second in range(2 * 120))
    assert group.asked == 1 + (120 - LOOK_SOON_S) // LOOK_EVERY_S


def test_whoever_joins_anew_stays_outside_for_a_moment() -> None:
    membership = looking(Group(a={0, 1}, b=set()))
    assert [membership.must_join_anew(now) for now in SOON[:2]] == [False, True]
    assert not membership.may_join(SOON[1] + LONGEST_WAIT_S - 0.01)
    assert membership.may_join(SOON[1] + LONGEST_WAIT_S)


@given(st.dictionaries(st.text(max_size=5), st.sets(st.integers(0, 2**31 - 1), max_size=5)))
def test_an_assignment_is_read_as_kafka_writes_it(topics: dict[str, set[int]]) -> None:
    raw = struct.pack(">hi", 3, len(topics))
    for topic, partitions in topics.items():
        name = topic.encode()
        raw += struct.pack(">h", len(name)) + name
        raw += struct.pack(f">i{len(partitions)}i", len(partitions), *partitions)
    for topic, partitions in topics.items():
        assert partitions_in(raw + b"userdata", topic) == partitions
    assert partitions_in(raw, "another topic") == frozenset()


def test_a_member_that_was_given_nothing_may_have_an_empty_assignment() -> None:
    assert partitions_in(b"", "topic") == frozenset()
