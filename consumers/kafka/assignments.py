"""Which member of a group has which partitions, as the group's coordinator tells.

By the older of librdkafka's two ways: it asks every broker for its groups, and ends in time. The
newer one, of its admin client, leaves something behind where nobody answers, which ends the process
once a broker comes or goes (librdkafka 2.16, issues 3663 and 4605).
"""

import ctypes
import struct
from collections.abc import Iterator, Mapping
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int32, c_void_p, cast

from confluent_kafka import KafkaError, KafkaException

from producers import librdkafka

_STABLE = b"Stable"
_PARTIAL = KafkaError._PARTIAL  # noqa: SLF001 public: librdkafka's own codes begin so

# Member id to the partitions of a topic that it was given.
Assignments = Mapping[str, frozenset[int]]


class _Member(Structure):
    """struct rd_kafka_group_member_info."""

    _fields_ = (
        ("member_id", c_char_p),
        ("client_id", c_char_p),
        ("client_host", c_char_p),
        ("metadata", c_void_p),
        ("metadata_size", c_int),
        ("assignment", c_void_p),
        ("assignment_size", c_int),
    )


class _Group(Structure):
    """struct rd_kafka_group_info; the broker's three fields stand first."""

    _fields_ = (
        ("broker_id", c_int32),
        ("broker_host", c_char_p),
        ("broker_port", c_int),
        ("group", c_char_p),
        ("err", c_int),
        ("state", c_char_p),
        ("protocol_type", c_char_p),
        ("protocol", c_char_p),
        ("members", POINTER(_Member)),
        ("member_cnt", c_int),
    )


class _Groups(Structure):
    """struct rd_kafka_group_list."""

    _fields_ = (("groups", POINTER(_Group)), ("group_cnt", c_int))


def assignments(handle: int, group: str, topic: str, timeout_ms: int) -> Assignments:
    """Ask who has what of a topic.

    Returns
    -------
    mapping of str to frozenset of int
        Empty while the group rebalances, or where it is not seen.

    Raises
    ------
    KafkaException
        If nobody answers.
    """
    library, given = librdkafka.library(), c_void_p()
    code = library.rd_kafka_list_groups(handle, group.encode(), byref(given), timeout_ms)
    if code not in (0, _PARTIAL):  # a broker that is away has no group that is not told
        raise KafkaException(KafkaError(code))
    try:
        found = cast(given, POINTER(_Groups)).contents
        for i in range(found.group_cnt):
            if found.groups[i].state == _STABLE and not found.groups[i].err:
                return dict(_members(found.groups[i], topic))
        return {}
    finally:
        library.rd_kafka_group_list_destroy(given)


def _members(group: _Group, topic: str) -> Iterator[tuple[str, frozenset[int]]]:
    for i in range(group.member_cnt):
        member = group.members[i]
        raw = ctypes.string_at(member.assignment or 0, member.assignment_size)
        yield member.member_id.decode(errors="replace"), partitions_in(raw, topic)


def partitions_in(assignment: bytes, topic: str) -> frozenset[int]:
    """Read the partitions of a topic from an assignment of Kafka's consumer protocol.

    A version, and the topics, each with its partitions; numbers are big-endian. What a strategy
    adds for itself stands behind, and is not looked at.
    """
    found: set[int] = set()
    at = 6
    (topics,) = struct.unpack_from(">2xi", assignment) if len(assignment) >= at else (0,)
    for _ in range(topics):
        (size,) = struct.unpack_from(">h", assignment, at)
        name = assignment[at + 2 : at + 2 + size]
        at += 2 + size
        (count,) = struct.unpack_from(">i", assignment, at)
        if name == topic.encode():
            found.update(struct.unpack_from(f">{count}i", assignment, at + 4))
        at += 4 + 4 * count
    return frozenset(found)
