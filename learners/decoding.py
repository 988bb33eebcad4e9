"""Bytes to columns: strict JSON decoding with each bad record refused by itself.

Pure: what is refused is returned, and who calls it decides what becomes of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, Self

import msgspec
import numpy as np

from learners.columns import Columns
from learners.events import EventBatch, Ints, Records
from learners.rejections import Reason, Rejection, SkipReason, Stage
from learners.schema import Schema
from learners.structs import event_type

# How msgspec's messages begin, and which of the closed set of reasons that is. Only beginnings:
# further on stand names, and those of unknown fields are the record's own.
_REASONS = (
    (re.compile(r"Object missing required field"), Reason.MISSING_FIELD),
    (re.compile(r"Object contains unknown field"), Reason.UNKNOWN_FEATURE),
    (re.compile(r"\w+( value)? out of range"), Reason.OUT_OF_RANGE),
    (re.compile(r"Expected `\w+` of length"), Reason.WRONG_LENGTH),
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of a read: the accepted events, and why the others are not among them.

    Attributes
    ----------
    batch : EventBatch
        The accepted events, in the order of the records.
    rejections : tuple of Rejection
        The refused records, in order.
    skipped : dict of SkipReason to int
        Records passed over and counted.
    """

    batch: EventBatch
    rejections: tuple[Rejection, ...]
    skipped: dict[SkipReason, int]

    def head(self, count: int) -> Self:
        """Return what came of the first records."""
        batch = self.batch.take(self.batch.rows < count)
        rejections = tuple(each for each in self.rejections if each.row < count)
        tombstones = count - len(batch) - len(rejections)
        return type(self)(
            batch, rejections, {SkipReason.TOMBSTONE: tombstones} if tombstones else {}
        )


class Decoder(Protocol):
    """Turns records into columns; never raises for what a record holds."""

    def decode(self, records: Records) -> Decoded:
        """Decode all records of one read; a bad one does not affect the others."""


class JsonDecoder:
    """Decodes JSON objects as the schema declares them.

    Parameters
    ----------
    schema : Schema
        Fields, classes and bounds.
    keep_unknown_labels : bool
        Predict events whose label is not declared instead of refusing them.

    Examples
    --------
    >>> schema = Schema(features=("a", "b"), id="id", label="y", classes=(0, 1))
    >>> decoder = JsonDecoder(schema)
    >>> decoder.refusal(b'{"id": 1, "features": {"a": 1, "b": 2}, "y": 0}') is None
    True
    >>> stage, reason, detail = decoder.refusal(b'{"id": 1, "features": {"a": 1}}')
    >>> print(stage, reason, detail)
    schema missing_field Object missing required field `b` - at `$.features`
    """

    def __init__(self, schema: Schema, *, keep_unknown_labels: bool = False) -> None:
        self._schema = schema
        self._columns = Columns(schema, keep_unknown=keep_unknown_labels)
        kind: type[Any] = event_type(schema)
        self._decode = msgspec.json.Decoder(kind).decode

    def decode(self, records: Records) -> Decoded:
        """Decode all records of one read; a bad one does not affect the others."""
        events, rows, refused, tombstones = self._parse(records.values)
        batch, out_of_bounds = self._columns.batch(records, events, rows)
        rejections = sorted([*refused, *out_of_bounds], key=attrgetter("row"))
        skipped = {SkipReason.TOMBSTONE: tombstones} if tombstones else {}
        return Decoded(batch, tuple(rejections), skipped)

    def refusal(self, value: bytes) -> tuple[Stage, Reason, str] | None:
        """Tell why parsing would refuse a value, or None if it would not."""
        if len(value) > self._schema.max_bytes:
            detail = f"{len(value)} bytes, more than {self._schema.max_bytes}"
            return Stage.DECODE, Reason.TOO_LARGE, detail
        try:
            self._decode(value)
        except msgspec.ValidationError as error:
            return self._invalid(str(error))
        except RecursionError:
            return Stage.DECODE, Reason.TOO_DEEP, "nested too deeply"
        except UnicodeDecodeError as error:
            return Stage.DECODE, Reason.INVALID_UTF8, f"not UTF-8: {error.reason}"
        except ValueError as error:
            reason = Reason.MALFORMED if value else Reason.EMPTY
            return Stage.DECODE, reason, str(error)
        return None

    def _parse(
        self, values: Sequence[bytes | None]
    ) -> tuple[list[Any], Ints, list[Rejection], int]:
        present = [value for value in values if value is not None]
        largest = max(map(len, present), default=0)
        if len(present) == len(values) and largest <= self._schema.max_bytes:
            try:
                return list(map(self._decode, present)), np.arange(len(present)), [], 0
            except (ValueError, RecursionError):
                pass  # one of them is bad: find it, one by one
        return self._parse_one_by_one(values)

    def _parse_one_by_one(
        self, values: Sequence[bytes | None]
    ) -> tuple[list[Any], Ints, list[Rejection], int]:
        events: list[Any] = []
        rows: list[int] = []
        refused: list[Rejection] = []
        for row, value in enumerate(values):
            if value is None:
                continue
            if refusal := self.refusal(value):
                refused.append(Rejection(row, *refusal))
            else:
                events.append(self._decode(value))
                rows.append(row)
        tombstones = len(values) - len(events) - len(refused)
        return events, np.array(rows, dtype=np.int64), refused, tombstones

    def _invalid(self, message: str) -> tuple[Stage, Reason, str]:
        where = message.rpartition(" - at ")[2]
        label = self._schema.label
        stage = Stage.LABEL if label and where == f"`$.{label}`" else Stage.SCHEMA
        reason = next((r for start, r in _REASONS if start.match(message)), Reason.WRONG_TYPE)
        if reason is Reason.UNKNOWN_FEATURE:  # its name comes from the record: never echo it
            message = f"Object contains a name that is not among the features - at {where}"
        return stage, reason, message
