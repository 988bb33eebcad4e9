"""Values of databases and files as JSON has them: plain numbers, text, true times."""

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from producers.rows import DatasetError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_EXACT = 2**53  # whole numbers below it are exact as floats


def to_ms(value: Any) -> int | None:
    """Read a time: a number is ms since 1970 already, else a date or its ISO 8601 text.

    Without a time zone it is UTC. None stays None.

    Raises
    ------
    DatasetError
        If it is neither.

    Examples
    --------
    >>> to_ms("2023-11-14T22:13:20Z"), to_ms(1_700_000_000_000)
    (1700000000000, 1700000000000)
    """
    value = value.item() if isinstance(value, np.number) else value
    if isinstance(value, str):
        value = _parsed_time(value)
    if isinstance(value, np.datetime64 | date):
        value = to_plain(value)
    elif isinstance(value, float | Decimal) and math.isfinite(value):
        value = int(value)
    if value is None or type(value) is int:
        return value
    raise DatasetError(
        f"a time that is a {type(value).__name__}; give ms since 1970, or a date as in ISO 8601"
    )


def to_plain(value: Any) -> Any:
    """Turn a value from a database or a file into one that JSON has a word for.

    Times become ms since 1970 UTC, true and false become 1 and 0 (features and classes are
    numbers or text), what is not a finite number becomes None, numpy's values become Python's.
    Lists and objects are gone through; anything else is returned as it is.

    Examples
    --------
    >>> to_plain(True), to_plain(float("nan")), to_plain(date(1970, 1, 2))
    (1, None, 86400000)
    """
    if isinstance(value, bool | np.bool_):
        return int(value)
    if isinstance(value, np.datetime64):  # its own item() gives nanoseconds as a bare int
        value = value.astype("datetime64[us]")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float | Decimal):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return _since_1970(value)
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: to_plain(item) for name, item in value.items()}
    return value


def to_id(value: Any, repeat: int = 0) -> int | str | None:
    """Turn a value into an event's id: whole numbers and None stay, all else becomes text.

    Examples
    --------
    >>> to_id(7), to_id(7, repeat=1), to_id(1.5)
    (7, '7-1', '1.5')
    """
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or (type(value) is int and not repeat):
        return value
    return f"{value}-{repeat}" if repeat else str(value)


def to_label(value: Any) -> Any:
    """Turn a value into a label: as `to_plain`, and 1.0 becomes 1.

    Tables store classes as 1.0 where a column has gaps; as a number the two are equal.

    Examples
    --------
    >>> to_label(1.0), to_label(1.5), to_label("UP")
    (1, 1.5, 'UP')
    """
    value = to_plain(value)
    if isinstance(value, float | Decimal) and -_EXACT < value < _EXACT and value == int(value):
        return int(value)
    return value


def _parsed_time(text: str) -> datetime | int:
    try:
        return int(text) if text.isdecimal() else datetime.fromisoformat(text)
    except ValueError:
        raise DatasetError(
            f"{text[:40]!r} is no time; give ms since 1970, or a date as in ISO 8601"
        ) from None


def _since_1970(value: date) -> int:
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day, tzinfo=UTC)
    return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - _EPOCH) // _MS
