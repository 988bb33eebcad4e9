"""Bytes to columns: strict decoding with each bad record refused by itself.

Pure: what is refused is returned, and who calls it decides what becomes of it. How a value of one
format is parsed is in `learners.fields` and `learners.packed`, the short way of plain JSON in
`learners.scanned`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol, Self

import numpy as np

from learners.columns import Columns
from learners.events import EventBatch, Ints, Records
from learners.fields import FieldParser
from learners.formats import Fields, Format, Parser, RefusedError
from learners.packed import PackedParser
from learners.rejections import Reason, Rejection, SkipReason, Stage
from learners.scanned import JsonScanner
from learners.schema import Schema

# A scan for nothing costs up to 40 % of what parsing the same read costs (measured). Where a topic
# holds what is never plain, this makes it 1.6 %; after a bad record, so many reads are parsed.
_READS_UNSCANNED = 25


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


class EventDecoder:
    """Decodes events of one format as the schema declares them.

    Parameters
    ----------
    schema : Schema
        Fields, classes and bounds.
    input_format : Format
        What the values are.
    keep_unknown_labels : bool
        Predict events whose label is not declared instead of refusing them.

    Examples
    --------
    >>> schema = Schema(features=("a", "b"), id="id", label="y", classes=(0, 1))
    >>> EventDecoder(schema, Format.JSON_ARRAY).refusal(b'["e1", 0, 1.5, 2]') is None
    True
    >>> stage, reason, detail = EventDecoder(schema).refusal(b'{"id": 1, "features": {"a": 1}}')
    >>> print(stage, reason, detail)
    schema missing_field Object missing required field `b` - at `$.features`
    """

    def __init__(
        self,
        schema: Schema,
        input_format: Format = Format.JSON,
        *,
        keep_unknown_labels: bool = False,
    ) -> None:
        self._max_bytes = schema.max_bytes
        self._columns = Columns(schema, keep_unknown=keep_unknown_labels)
        self._parser = parser_of(schema, input_format)
        scans = input_format is Format.JSON and JsonScanner.fits(schema)
        self._scanner = JsonScanner(schema) if scans else None
        self._reads_unscanned = 0

    def decode(self, records: Records) -> Decoded:
        """Decode all records of one read; a bad one does not affect the others."""
        values = records.values
        fields = self._scanned(values)
        rows: Ints = np.arange(len(values))
        refused: list[Rejection] = []
        if fields is None:
            fields, rows, refused = self._parsed(values)
        tombstones = len(values) - len(rows) - len(refused)
        batch, out_of_bounds = self._columns.batch(records, fields, rows)
        rejections = sorted([*refused, *out_of_bounds], key=attrgetter("row"))
        skipped = {SkipReason.TOMBSTONE: tombstones} if tombstones else {}
        return Decoded(batch, tuple(rejections), skipped)

    def refusal(self, value: bytes) -> tuple[Stage, Reason, str] | None:
        """Tell why parsing would refuse a value, or None if it would not."""
        try:
            self._read(value)
        except RefusedError as refused:
            return refused.why
        return None

    def _scanned(self, values: Sequence[bytes | None]) -> Fields | None:
        """Read plain values the short way, unless a read shortly before was not plain."""
        if self._scanner is None:
            return None
        if self._reads_unscanned > 0:
            self._reads_unscanned -= 1
            return None
        fields = self._scanner.scan(values)
        if fields is None:
            self._reads_unscanned = _READS_UNSCANNED
        return fields

    def _parsed(self, values: Sequence[Any]) -> tuple[Fields, Ints, list[Rejection]]:
        """Read values with all that the format allows, and tell what is wrong with bad ones."""
        try:
            events = self._read_all(values)
            rows: Ints = np.arange(len(values))
            refused: list[Rejection] = []
        except (TypeError, ValueError, RecursionError):
            # One of them is bad, or a tombstone, which has no length: find it, one by one.
            events, rows, refused = self._read_each(values)
        return self._parser.fields(events), rows, refused

    def _read_all(self, values: Sequence[Any]) -> list[Any]:
        if max(map(len, values), default=0) > self._max_bytes:
            raise ValueError("a value that is too large")
        return self._parser.read_all(values)

    def _read_each(self, values: Sequence[bytes | None]) -> tuple[list[Any], Ints, list[Rejection]]:
        events: list[Any] = []
        rows: list[int] = []
        refused: list[Rejection] = []
        for row, value in enumerate(values):
            if value is None:
                continue
            try:
                events.append(self._read(value))
            except RefusedError as error:
                refused.append(Rejection(row, *error.why))
            else:
                rows.append(row)
        return events, np.array(rows, dtype=np.int64), refused

    def _read(self, value: bytes) -> Any:
        if len(value) > self._max_bytes:
            detail = f"{len(value)} bytes, more than {self._max_bytes}"
            raise RefusedError(Stage.DECODE, Reason.TOO_LARGE, detail)
        if not value:
            raise RefusedError(Stage.DECODE, Reason.EMPTY, "the value has no bytes")
        return self._parser.read(value)


class JsonDecoder(EventDecoder):
    """An `EventDecoder` of JSON objects."""

    def __init__(self, schema: Schema, *, keep_unknown_labels: bool = False) -> None:
        super().__init__(schema, Format.JSON, keep_unknown_labels=keep_unknown_labels)


def parser_of(schema: Schema, input_format: Format) -> Parser[Any]:
    """Make the parser of a format.

    Parameters
    ----------
    schema : Schema
        Fields and their types.
    input_format : Format
        What the values are.

    Raises
    ------
    ValueError
        If the format has no room for what the schema declares.
    """
    if input_format is Format.JSON:
        return FieldParser.json(schema)
    if input_format is Format.JSON_ARRAY:
        return FieldParser.json_array(schema)
    if input_format is Format.MSGPACK:
        return FieldParser.msgpack(schema)
    return PackedParser(schema)
