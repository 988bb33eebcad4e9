"""What a record of the dead letter topic tells: where it came from, why, and how often it was sent.

The other side of `producers.dead_letters`, which writes what is read here. Nothing here trusts a
record: anybody may have written it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from learners.events import Headers
from producers.dead_letters import PREFIX

ATTEMPT = "streamfit.replay.attempt"
_FIRST = f"{PREFIX}stage"
_LONGEST = 1000  # bytes of what is told; a detail of ours is far shorter
_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)


class Position(NamedTuple):
    """Where a dead letter stands in its own topic; written `partition:offset`."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A record of the dead letter topic, as it stands there.

    Attributes
    ----------
    at : Position
        Where.
    time_ms : int
        When it became a dead letter, ms since 1970 UTC; -1 if nobody knows.
    key, value : bytes or None
        As kept, which is less than came where `streamfit.error.*.sha256` says so.
    headers : list of (str, bytes or None)
        The record's own, then `streamfit.error.*`.
    """

    at: Position
    time_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the refused record came from; None for what is not told."""

    topic: str | None
    partition: int | None
    offset: int | None
    time_ms: int | None


@dataclass(frozen=True, slots=True)
class Payload:
    """A key or a value.

    Attributes
    ----------
    data : bytes or None
        Its beginning, or all of it.
    kept : int
        Bytes of it that the dead letter holds.
    length : int
        Bytes that it had when it came.
    """

    data: bytes | None
    kept: int
    length: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, read.

    Attributes
    ----------
    at : Position
        Where it stands.
    time_ms : int
        When it became a dead letter; -1 if nobody knows.
    stage, reason : str or None
        As told; None for a record that streamfit did not write.
    detail, version : str
        As told, or empty.
    origin : Origin
        Where the record came from.
    key, value : Payload
        As kept.
    cut : tuple of str
        Which of `key`, `value` and `headers` are not there in full.
    attempts : int
        How often the record was replayed before it got here.
    """

    at: Position
    time_ms: int
    stage: str | None
    reason: str | None
    detail: str
    version: str
    origin: Origin
    key: Payload
    value: Payload
    cut: tuple[str, ...]
    attempts: int


def read_letter(stored: Stored, keep: int) -> Letter:
    """Read what a record of the dead letter topic tells.

    Parameters
    ----------
    stored : Stored
        The record.
    keep : int
        Bytes of key and value that the letter holds on to.
    """
    own, facts = _apart(stored.headers)
    return Letter(
        at=stored.at,
        time_ms=stored.time_ms,
        stage=facts.get("stage"),
        reason=facts.get("reason"),
        detail=facts.get("detail", ""),
        version=facts.get("version", ""),
        origin=Origin(
            topic=facts.get("topic"),
            partition=_number(facts.get("partition")),
            offset=_number(facts.get("offset")),
            time_ms=_number(facts.get("timestamp")),
        ),
        key=_payload(stored.key, facts.get("key.length"), keep),
        value=_payload(stored.value, facts.get("value.length"), keep),
        cut=tuple(
            what
            for what, mark in (
                ("key", "key.sha256"),
                ("value", "value.sha256"),
                ("headers", "headers.dropped"),
                ("headers", "headers.unreadable"),
            )
            if mark in facts
        ),
        attempts=_attempts(own),
    )


def headers_to_replay(stored: Stored, attempt: int) -> Headers:
    """Give a record's own headers in their order, and the number of this attempt behind them."""
    own, _ = _apart(stored.headers)
    kept = [(name, content) for name, content in own if not _is_ours(name)]
    return [*kept, (ATTEMPT, str(attempt).encode())]


def _apart(headers: Headers) -> tuple[Headers, Mapping[str, str]]:
    """Tell a record's own headers from what was told of its error.

    The latter come last. So a record that came with such headers, sent back by hand or made up,
    does not pass for something else.
    """
    begin = max((i for i, (name, _) in enumerate(headers) if name == _FIRST), default=len(headers))
    told = headers[begin:]
    facts = {name.removeprefix(PREFIX): _text(c) for name, c in told if name.startswith(PREFIX)}
    return headers[:begin], facts


def _is_ours(name: str) -> bool:
    return name == ATTEMPT or name.startswith(PREFIX)


def _attempts(own: Headers) -> int:
    said = [_number(_text(content)) for name, content in own if name == ATTEMPT]
    return max(0, said[-1] or 0) if said else 0


def _payload(data: bytes | None, length: str | None, keep: int) -> Payload:
    kept = len(data or b"")
    known = _number(length)
    return Payload(None if data is None else data[:keep], kept, kept if known is None else known)


def _text(content: str | bytes | None) -> str:
    kept = (content or "")[:_LONGEST]
    return kept.decode(errors="replace") if isinstance(kept, bytes) else kept


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None
