"""Broken records, mixed into the demo on purpose to show what becomes of them."""

from collections.abc import Iterable, Iterator
from itertools import cycle, islice

from producers.mapping import Record

_REST = '"date":0.1,"day":2,"nswprice":0.1,"nswdemand":0.4,"vicprice":0.1,"vicdemand":0.4'


def _event(features: str, label: str = "UP") -> bytes:
    return f'{{"id":"broken","features":{{{_REST},{features}}},"label":"{label}"}}'.encode()


# One of each kind that a topic sees sooner or later.
BROKEN: tuple[bytes, ...] = (
    _event('"period":0.1,"transfer":0.4')[:60],  # cut off
    b"",
    _event('"period":"noon","transfer":0.4'),  # text for a number
    _event('"period":0.1'),  # a feature is missing
    _event('"period":NaN,"transfer":0.4'),
    _event('"period":0.1,"transfer":0.4,"colour":1'),  # one feature too many
    _event('"period":0.1,"transfer":0.4', label="SIDEWAYS"),
)


def mixed(records: Iterable[Record], total: int, count: int) -> Iterator[Record]:
    """Mix broken records in, evenly spread.

    Parameters
    ----------
    records : iterable of (key, value)
        The good ones.
    total : int
        How many those are.
    count : int
        How many broken ones to add.

    Examples
    --------
    >>> [key for key, _ in mixed([(b"1", b"{}"), (b"2", b"{}")], total=2, count=1)]
    [b'1', b'broken', b'2']
    """
    broken = islice(cycle(BROKEN), count)
    added = 0
    for position, record in enumerate(records, 1):
        yield record
        while added < count and (added + 1) * total <= position * (count + 1):
            yield b"broken", next(broken)
            added += 1
