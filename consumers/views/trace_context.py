"""The trace context that records carry in their headers, as W3C Trace Context writes it.

What spans are made of it is in `consumers.views.spans`. The format: https://www.w3.org/TR/trace-context/
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from learners.events import Headers

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
# Longer ones need not be passed on.
_LONGEST_STATE = 512
# Only versions after 00 may have more behind the flags; ff is none.
_IDS = rb"-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_FORM = re.compile(rb"00%b|(?!00|ff)[0-9a-f]{2}%b(?:-.*)?" % (_IDS, _IDS))


class Incoming(NamedTuple):
    """The context that a record came with; one is made for every event.

    Attributes
    ----------
    parent, state : bytes, bytes or None
        Values of its `traceparent` and `tracestate`, as they came.
    """

    parent: bytes
    state: bytes | None

    @property
    def ids(self) -> tuple[int, int, int]:
        """Trace id, span id and flags."""
        parent = self.parent
        return int(parent[3:35], 16), int(parent[36:52], 16), int(parent[53:55], 16)

    def to_headers(self) -> Headers:
        """Give the headers that pass it on."""
        if self.state is None:
            return [(TRACEPARENT, self.parent)]
        return [(TRACEPARENT, self.parent), (TRACESTATE, self.state)]


def incoming(headers: Iterable[tuple[str, str | bytes | None]]) -> Incoming | None:
    """Read the context off a record's headers; None where there is none, or no valid one.

    Of several headers of one name the last counts, as `lastHeader` of Kafka's own client has it.
    """
    parent = state = None
    for name, value in headers:
        if name == TRACEPARENT:
            parent = value
        elif name == TRACESTATE:
            state = value
    if not parent:
        return None
    written = parent.encode() if isinstance(parent, str) else parent
    if _FORM.fullmatch(written) is None:
        return None
    if not state or len(state) > _LONGEST_STATE:
        return Incoming(written, None)
    return Incoming(written, state.encode() if isinstance(state, str) else state)


def traceparent(trace_id: int, span_id: int, flags: int) -> bytes:
    """Write a context.

    Examples
    --------
    >>> traceparent(1, 2, 1)
    b'00-00000000000000000000000000000001-0000000000000002-01'
    """
    return f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}".encode()
