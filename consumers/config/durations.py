"""Durations as people write them: `500ms`, `1s`, `2m`, `1h`, or a number of seconds."""

import re
from datetime import timedelta

from pydantic_core import PydanticCustomError

# The environment and --set give text, so digits alone are seconds there too.
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_SHORTEST_S = 0.001
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")


def parse_duration(value: object) -> timedelta:
    """Read a duration.

    Raises
    ------
    pydantic_core.PydanticCustomError
        If it is not one, or shorter than a millisecond.

    Examples
    --------
    >>> parse_duration("500ms")
    datetime.timedelta(microseconds=500000)
    >>> parse_duration(2)
    datetime.timedelta(seconds=2)
    """
    if isinstance(value, timedelta):
        return value
    seconds = _seconds(value)
    if seconds is None or not _SHORTEST_S <= seconds < 1e7:
        raise PydanticCustomError("duration", "not a duration; write it like '500ms', '1s' or '2m'")
    return timedelta(seconds=seconds)


def _seconds(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _PATTERN.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else None
