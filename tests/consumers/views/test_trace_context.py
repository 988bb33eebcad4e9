"""Trace contexts in the headers of records."""

import pytest

from consumers.views.trace_context import incoming, traceparent
from learners.events import Headers

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331
PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("value", [PARENT, PARENT.decode()])
def test_a_context_is_read_and_passed_on_as_it_came(value: str | bytes) -> None:
    came = incoming([("origin", b"x"), ("traceparent", value)])
    assert came is not None
    assert came.ids == (TRACE, SPAN, 1)
    assert came.to_headers() == [("traceparent", PARENT)]


def test_the_state_of_a_context_goes_with_it_unless_it_is_too_long() -> None:
    headers: Headers = [("tracestate", b"vendor=1"), ("traceparent", PARENT)]
    came = incoming(headers)
    assert came is not None
    assert came.to_headers() == [("traceparent", PARENT), ("tracestate", b"vendor=1")]
    came = incoming([("tracestate", b"x" * 513), ("traceparent", PARENT)])
    assert came is not None
    assert came.to_headers() == [("traceparent", PARENT)]


def test_of_several_contexts_the_last_counts() -> None:
    other = PARENT.replace(b"b7ad", b"0001")
    came = incoming([("traceparent", other), ("traceparent", PARENT)])
    assert came is not None
    assert came.parent == PARENT


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"garbage",
        PARENT[:-1],
        PARENT + b"-more",
        PARENT.upper(),
        PARENT.replace(b"00-", b"ff-"),
        b"00-" + b"0" * 32 + b"-b7ad6b7169203331-01",
        b"00-0af7651916cd43dd8448eb211c80319c-" + b"0" * 16 + b"-01",
        PARENT + b"\n",
        b"\xff" * 55,
    ],
)
def test_what_is_no_context_is_left_behind(value: bytes | None) -> None:
    assert incoming([("traceparent", value)]) is None


def test_a_later_version_may_say_more() -> None:
    came = incoming([("traceparent", PARENT.replace(b"00-", b"01-") + b"-more")])
    assert came is not None
    assert came.ids == (TRACE, SPAN, 1)


def test_a_written_context_is_read_again() -> None:
    came = incoming([("traceparent", traceparent(TRACE, SPAN, 1))])
    assert came is not None
    assert came.parent == PARENT
