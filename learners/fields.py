"""Parsers of formats whose fields have names or an order: JSON and MessagePack."""

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from operator import attrgetter, itemgetter
from typing import Any, Self

import msgspec
import numpy as np
from msgspec.structs import astuple

from learners.events import Floats, Ints
from learners.formats import Fields, RefusedError
from learners.rejections import Reason, Stage
from learners.schema import Kind, Schema
from learners.structs import event_type, row_type

# How msgspec's messages begin, and which of the closed set of reasons that is. Only beginnings:
# further on stand names, and those of unknown fields are the record's own.
_REASONS = (
    (re.compile(r"Object missing required field"), Reason.MISSING_FIELD),
    (re.compile(r"Object contains unknown field"), Reason.UNKNOWN_FEATURE),
    (re.compile(r"\w+( value)? out of range"), Reason.OUT_OF_RANGE),
    (re.compile(r"Expected `\w+` of (at (least|most) )?length"), Reason.WRONG_LENGTH),
)
# A time beyond 64 bits is a producer's mistake; it must not stop anything.
_TIME_BOUND_MS = 2**62


class FieldParser:
    """A `Parser` by a msgspec decoder of structs.

    Parameters
    ----------
    schema : Schema
        Fields and their types.
    decode : callable (bytes) -> Struct
        Decodes into a type made by `learners.structs`.
    label_at : str
        The place of the label, as msgspec names it in its messages.
    nested : bool
        Whether the features stand in a field of their own.
    """

    def __init__(
        self, schema: Schema, decode: Callable[[bytes], Any], label_at: str, *, nested: bool
    ) -> None:
        self._schema = schema
        self._decode = decode
        self._label_at = label_at if schema.label else ""
        self._nested = nested
        self._is_sparse = schema.is_sparse
        head = [field for field in (schema.id, schema.time, schema.label) if field]
        self._features = slice(len(head), None)
        self._is_number = [kind is Kind.NUMBER for kind in schema.kind_of.values()]

    @classmethod
    def json(cls, schema: Schema) -> Self:
        """Make the parser of JSON objects; its features may also be an array."""
        decode = msgspec.json.Decoder(event_type(schema)).decode
        return cls(schema, decode, f"`$.{schema.label}`", nested=bool(schema.features_in))

    @classmethod
    def json_array(cls, schema: Schema) -> Self:
        """Make the parser of JSON arrays: id, time and label where declared, then the features."""
        decode = msgspec.json.Decoder(row_type(schema)).decode
        before = sum(field is not None for field in (schema.id, schema.time))
        return cls(schema, decode, f"`$[{before}]`", nested=False)

    @classmethod
    def msgpack(cls, schema: Schema) -> Self:
        """Make the parser of MessagePack of the same shape as JSON objects."""
        decode = msgspec.msgpack.Decoder(event_type(schema)).decode
        return cls(schema, decode, f"`$.{schema.label}`", nested=bool(schema.features_in))

    def read_all(self, values: Sequence[bytes]) -> list[Any]:
        """Read values that are most likely good; see `Parser`."""
        return list(map(self._decode, values))

    def read(self, value: bytes) -> Any:
        """Read one value; see `Parser`."""
        try:
            return self._decode(value)
        except msgspec.ValidationError as error:
            raise self._invalid(str(error)) from None
        except RecursionError:
            raise RefusedError(Stage.DECODE, Reason.TOO_DEEP, "nested too deeply") from None
        except UnicodeDecodeError as error:
            detail = f"not UTF-8: {error.reason}"
            raise RefusedError(Stage.DECODE, Reason.INVALID_UTF8, detail) from None
        except ValueError as error:
            raise RefusedError(Stage.DECODE, Reason.MALFORMED, str(error)) from None

    def fields(self, events: list[Any]) -> Fields:
        """Put structs into columns; no Python code runs for each of them."""
        schema = self._schema
        rows = self._rows(events)
        if self._is_sparse:
            numbers, words = self._told_apart(list(rows))
        else:
            numbers, words = _matrix(rows, len(events), len(schema.features)), []
        return Fields(
            numbers=numbers,
            words=words,
            labels=list(map(attrgetter("label"), events)) if schema.label else None,
            ids=list(map(attrgetter("id"), events)) if schema.id else None,
            time_ms=_times(events) if schema.time else None,
        )

    def _rows(self, events: list[Any]) -> Iterable[tuple[Any, ...]]:
        if not self._nested:
            return map(itemgetter(self._features), map(astuple, events))
        nested = list(map(attrgetter("features"), events))
        if tuple in set(map(type, nested)):
            return [each if isinstance(each, tuple) else astuple(each) for each in nested]
        return map(astuple, nested)

    def _told_apart(self, rows: list[tuple[Any, ...]]) -> tuple[Floats, list[Sequence[Any]]]:
        """Take numbers and words apart."""
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        kinds = list(zip(columns or repeat(()), self._is_number, strict=False))
        numbers = [column for column, is_number in kinds if is_number]
        words = [column for column, is_number in kinds if not is_number]
        matrix = np.array(numbers, dtype=np.float64).reshape(len(numbers), len(rows)).T
        return np.ascontiguousarray(matrix), words

    def _invalid(self, message: str) -> RefusedError:
        where = message.rpartition(" - at ")[2]
        stage = Stage.LABEL if where == self._label_at else Stage.SCHEMA
        reason = next((r for start, r in _REASONS if start.match(message)), Reason.WRONG_TYPE)
        if reason is Reason.UNKNOWN_FEATURE:  # its name comes from the record: never echo it
            message = f"Object contains a name that is not among the features - at {where}"
        return RefusedError(stage, reason, message)


def _matrix(rows: Iterable[tuple[float, ...]], n: int, d: int) -> Floats:
    matrix = np.empty((n, d))
    # Two thirds of the time of np.fromiter, half of that of np.array.
    struct.pack_into(f"{n * d}d", matrix.data, 0, *chain.from_iterable(rows))
    return matrix


def _times(events: list[Any]) -> Ints:
    bound, times = _TIME_BOUND_MS, map(attrgetter("time"), events)
    try:
        # Not np.clip, which takes a quarter of the time of a whole event where it comes alone.
        return np.minimum(np.maximum(np.fromiter(times, np.int64, len(events)), -bound), bound)
    except OverflowError:
        near = (min(max(event.time, -bound), bound) for event in events)
        return np.fromiter(near, np.int64, len(events))
