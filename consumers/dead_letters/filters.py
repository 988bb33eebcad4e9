"""Which dead letters are meant: what the command line says, read and checked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic_core import PydanticCustomError

from consumers.config.durations import parse_duration
from consumers.dead_letters.letters import Letter, Position
from consumers.errors import SettingsError
from learners.rejections import Reason, Stage

_POSITION = re.compile(r"(\d{1,9}):(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a dead letter must be like.

    Attributes
    ----------
    stages, reasons : frozenset of str
        One of these; empty for any.
    since_ms : int or None
        Became a dead letter then or later, ms since 1970 UTC.
    """

    stages: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    since_ms: int | None = None

    def fit(self, letter: Letter) -> bool:
        """Tell whether a dead letter is meant."""
        return (
            (not self.stages or letter.stage in self.stages)
            and (not self.reasons or letter.reason in self.reasons)
            and (self.since_ms is None or letter.time_ms >= self.since_ms)
        )


def parse_filters(
    stages: Sequence[str], reasons: Sequence[str], since: str | None, now_ms: int
) -> Filters:
    """Read filters.

    Raises
    ------
    SettingsError
        If there is no such stage or reason, or `since` is neither a duration nor a time.
    """
    return Filters(
        frozenset(_known("--stage", name, Stage) for name in stages),
        frozenset(_known("--reason", name, Reason) for name in reasons),
        None if since is None else parse_since(since, now_ms),
    )


def parse_since(text: str, now_ms: int) -> int:
    """Read how long ago, or when: ISO 8601, UTC if it does not say.

    Examples
    --------
    >>> parse_since("2h", now_ms=10_000_000)
    2800000
    >>> parse_since("1970-01-02", now_ms=0)
    86400000

    Raises
    ------
    SettingsError
        If it is neither.
    """
    try:
        ago = parse_duration(text)
    except PydanticCustomError:
        return max(0, _time_ms(text))
    return max(0, now_ms - int(ago.total_seconds() * 1000))


def parse_positions(option: str, texts: Sequence[str]) -> frozenset[Position]:
    """Read places in the dead letter topic, as the first column of `dlq show` tells them.

    Raises
    ------
    SettingsError
        If one is not written PARTITION:OFFSET.
    """
    return frozenset(_position(option, text) for text in texts)


def parse_begins(texts: Sequence[str]) -> dict[int, int]:
    """Read where to begin in some partitions.

    Raises
    ------
    SettingsError
        If one is not written PARTITION:OFFSET, or a partition is named twice.
    """
    begins: dict[int, int] = {}
    for text in texts:
        partition, offset = _position("--from-offset", text)
        if partition in begins:
            raise SettingsError(f"--from-offset = {text!r}: partition {partition} is named twice")
        begins[partition] = offset
    return begins


def _position(option: str, text: str) -> Position:
    found = _POSITION.fullmatch(text)
    if found is None:
        raise SettingsError(f"{option} = {text!r}: not a place; write PARTITION:OFFSET, as 0:17")
    return Position(int(found[1]), int(found[2]))


def _known(option: str, name: str, names: type[StrEnum]) -> str:
    if name not in list(names):
        raise SettingsError(f"{option} = {name!r}: not known; one of {', '.join(names)}")
    return name


def _time_ms(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
        zoned = time if time.tzinfo else time.replace(tzinfo=UTC)
        return int(zoned.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise SettingsError(
            f"--since = {text!r}: neither a duration nor a time; write 2h or 2026-11-20T08:00"
        ) from None
