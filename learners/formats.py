"""The formats that events come in, and what a parser of one of them is.

Parsers of formats with named or ordered fields are in `learners.fields`, that of bare numbers in
`learners.packed`. What all formats share - sizes, tombstones, bounds - is not their business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from learners.events import Floats, Ints
from learners.rejections import Reason, Stage

Event = TypeVar("Event")


class Format(StrEnum):
    """How a record's value holds an event."""

    JSON = "json"  # an object
    JSON_ARRAY = "json_array"  # an array of all fields
    MSGPACK = "msgpack"  # MessagePack: an object, as in JSON
    FLOAT64 = "float64"  # packed little-endian numbers


class RefusedError(ValueError):
    """A value that is not an event.

    Attributes
    ----------
    why : tuple of Stage, Reason, str
        The last one tells what was wrong, naming fields and types but never a value.
    """

    def __init__(self, stage: Stage, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.why = (stage, reason, detail)


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands in events, field by field; bounds and classes are not looked at yet.

    Attributes
    ----------
    numbers : ndarray of shape (n_events, n_numbers)
        Features that are numbers, in the order of the schema; C-contiguous, writeable.
    words : list of sequence of str or int, each of length n_events
        The other features, in the order of the schema.
    labels : sequence, or ndarray of shape (n_events,), or None
        As they came: None, or NaN in an array of float64, where there is none. In an array of
        int64, indices of the classes, -1 where there is none. None if none is declared.
    ids : sequence of str or int, or None
        None if none is declared.
    time_ms : ndarray of shape (n_events,) or None
        None if none is declared.
    """

    numbers: Floats
    words: list[Sequence[Any]]
    labels: Sequence[Any] | Floats | Ints | None
    ids: Sequence[str | int] | None
    time_ms: Ints | None


class Parser(Protocol[Event]):
    """Turns values of one format into fields; keeps nothing from one call to the next."""

    def read_all(self, values: Sequence[bytes]) -> list[Event]:
        """Read values that are most likely good, as fast as can be.

        Raises
        ------
        ValueError, RecursionError
            If any of them is bad; which one is not told.
        """

    def read(self, value: bytes) -> Event:
        """Read one value, which is not empty.

        Raises
        ------
        RefusedError
            If it is bad.
        """

    def fields(self, events: list[Event]) -> Fields:
        """Put what was read into columns; there may be none."""
