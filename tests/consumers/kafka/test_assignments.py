"""Who has which partitions, as librdkafka lists it: by a library that tells what the test says."""

import ctypes
import struct
from collections.abc import Callable
from ctypes import c_void_p, cast, pointer
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.kafka.assignments import _Group, _Groups, _Member, assignments

GROUP, TOPIC = "group", "topic"
ASSIGNED = struct.pack(">hih5siii", 0, 1, 5, b"topic", 2, 0, 3)
HELD: list[Any] = []  # what is pointed to
Told = Callable[..., list[c_void_p]]


def group(state: bytes, *members: tuple[bytes, bytes], err: int = 0) -> _Group:
    found = (_Member * len(members))()
    for each, (name, raw) in zip(found, members, strict=True):
        HELD.append(ctypes.create_string_buffer(raw, len(raw)))
        each.member_id, each.assignment_size = name, len(raw)
        each.assignment = ctypes.addressof(HELD[-1])
    HELD.append(found)
    return _Group(state=state, err=err, members=found, member_cnt=len(members))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Have librdkafka tell some groups with a code; gives what is given back to it."""

    def tell(*groups: _Group, code: int = 0) -> list[c_void_p]:
        given_back: list[c_void_p] = []
        listed = _Groups((_Group * len(groups))(*groups), len(groups))

        def list_groups(handle: int, name: bytes, place: Any, timeout_ms: int) -> int:
            assert (handle, name, timeout_ms) == (7, GROUP.encode(), 500)
            place._obj.value = cast(pointer(listed), c_void_p).value
            return code

        library = SimpleNamespace(
            rd_kafka_list_groups=list_groups, rd_kafka_group_list_destroy=given_back.append
        )
        monkeypatch.setattr("consumers.kafka.assignments.librdkafka.library", lambda: library)
        return given_back

    return tell


@pytest.mark.parametrize("code", [0, KafkaError._PARTIAL])
def test_each_member_has_its_partitions_of_the_topic(told: Told, code: int) -> None:
    given_back = told(group(b"Stable", (b"a-1", ASSIGNED), (b"b-2", b"")), code=code)
    assert assignments(7, GROUP, TOPIC, 500) == {"a-1": {0, 3}, "b-2": frozenset()}
    assert len(given_back) == 1


@pytest.mark.parametrize(
    "groups",
    [
        (),
        (group(b"PreparingRebalance", (b"a-1", ASSIGNED)),),
        (group(b"Stable", (b"a-1", ASSIGNED), err=KafkaError.GROUP_AUTHORIZATION_FAILED),),
    ],
)
def test_a_group_that_is_not_stable_or_not_seen_has_no_members(
    told: Told, groups: tuple[_Group, ...]
) -> None:
    given_back = told(*groups)
    assert assignments(7, GROUP, TOPIC, 500) == {}
    assert len(given_back) == 1


def test_where_nobody_answers_nothing_is_given_back(told: Told) -> None:
    given_back = told(code=KafkaError._TIMED_OUT)
    with pytest.raises(KafkaException):
        assignments(7, GROUP, TOPIC, 500)
    assert given_back == []
