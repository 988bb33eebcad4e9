"""The formats besides JSON objects, against the bad-input table: each case names its row there."""

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.decoding import EventDecoder
from learners.events import EventBatch
from learners.formats import Format
from learners.packed import PackedParser
from learners.rejections import Reason, SkipReason, Stage
from learners.schema import Kind, Schema
from tests.records import records_of

Refusal = tuple[Stage, Reason]
BARE = Schema(features=("a", "b"), label="y", classes=(-1, 3), max_bytes=2**12)
NAMED = replace(BARE, id="id", time="ts", classes=("no", "yes"))
TARGET = replace(BARE, classes=None)
# A value in a bad record, looked for in what is told of it.
MARK = 31415926
MALFORMED = (Stage.DECODE, Reason.MALFORMED)
EMPTY = (Stage.DECODE, Reason.EMPTY)
TOO_LARGE = (Stage.DECODE, Reason.TOO_LARGE)
TYPE = (Stage.SCHEMA, Reason.WRONG_TYPE)
LENGTH = (Stage.SCHEMA, Reason.WRONG_LENGTH)
RANGE = (Stage.SCHEMA, Reason.OUT_OF_RANGE)
MISSING = (Stage.SCHEMA, Reason.MISSING_FIELD)
LABEL_TYPE = (Stage.LABEL, Reason.WRONG_TYPE)
LABEL_RANGE = (Stage.LABEL, Reason.OUT_OF_RANGE)
UNKNOWN_LABEL = (Stage.LABEL, Reason.UNKNOWN_LABEL)


@dataclass(frozen=True)
class Event:
    """What all formats can say."""

    features: tuple[float, float]
    label: Any = None
    id: str | int = "e"
    ts: int = 7


def as_json(event: Event, schema: Schema) -> bytes:
    return json.dumps(_tables(event, schema)).encode()


def as_json_array(event: Event, schema: Schema) -> bytes:
    head = [event.id] * bool(schema.id) + [event.ts] * bool(schema.time)
    return json.dumps([*head, event.label, *event.features]).encode()


def as_msgpack(event: Event, schema: Schema) -> bytes:
    return msgspec.msgpack.encode(_tables(event, schema))


def as_float64(event: Event, _: Schema) -> bytes:
    return floats(*event.features, math.nan if event.label is None else event.label)


def floats(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _tables(event: Event, schema: Schema) -> dict[str, Any]:
    head = {schema.id: event.id, schema.time: event.ts, "y": event.label}
    features = dict(zip(schema.features, event.features, strict=True))
    return {name: value for name, value in head.items() if name} | {"features": features}


WRITERS: dict[Format, Callable[[Event, Schema], bytes]] = {
    Format.JSON: as_json,
    Format.JSON_ARRAY: as_json_array,
    Format.MSGPACK: as_msgpack,
    Format.FLOAT64: as_float64,
}


def array(*changed: Any, end: str = "") -> bytes:
    return (json.dumps(list(changed)) + end).encode()


def packed(**changed: Any) -> bytes:
    whole = {"id": "e", "ts": 7, "features": {"a": 1.5, "b": 2}, "y": "yes", **changed}
    return msgspec.msgpack.encode(whole)


ARRAY, PACK, FLOATS = Format.JSON_ARRAY, Format.MSGPACK, Format.FLOAT64
DEEP = b"\x91" * 100_000 + b"\xc0"
BAD: dict[str, tuple[Format, Schema, bytes, Refusal]] = {
    "row 1, array cut": (ARRAY, NAMED, array("e", 7, "yes", 1.5, 2)[:-3], MALFORMED),
    "row 1, array empty": (ARRAY, NAMED, b"", EMPTY),
    "row 1, two arrays": (ARRAY, NAMED, array("e", 7, "yes", 1.5, 2) * 2, MALFORMED),
    "row 2, NaN in an array": (ARRAY, NAMED, b'["e",7,"yes",NaN,2]', MALFORMED),
    "row 3, 1e999 in an array": (ARRAY, NAMED, b'["e",7,"yes",1e999,2]', RANGE),
    "row 6, 1e30 in an array": (ARRAY, NAMED, array("e", 7, "yes", 1.5, 1e30), RANGE),
    "row 9, no UTF-8": (
        ARRAY,
        NAMED,
        b'["\xff",7,"yes",1.5,2]',
        (Stage.DECODE, Reason.INVALID_UTF8),
    ),
    "row 12, nested": (ARRAY, NAMED, b"[" * 2000 + b"]" * 2000, TYPE),
    "row 13, an object": (ARRAY, NAMED, b'{"id":"e"}', TYPE),
    "row 13, null": (ARRAY, NAMED, b"null", TYPE),
    "row 15, one too few": (ARRAY, NAMED, array("e", 7, "yes", MARK), LENGTH),
    "row 15, one too many": (ARRAY, NAMED, array("e", 7, "yes", 1.5, 2, MARK), LENGTH),
    "row 15, none": (ARRAY, NAMED, b"[]", LENGTH),
    "row 17, text for a number": (ARRAY, NAMED, array("e", 7, "yes", str(MARK), 2), TYPE),
    "row 17, null for a number": (ARRAY, NAMED, array("e", 7, "yes", None, 2), TYPE),
    "row 17, text for the time": (ARRAY, NAMED, array("e", str(MARK), "yes", 1.5, 2), TYPE),
    "row 18, no such class": (ARRAY, NAMED, array("e", 7, str(MARK), 1.5, 2), UNKNOWN_LABEL),
    "row 19, a label of another kind": (ARRAY, NAMED, array("e", 7, MARK, 1.5, 2), LABEL_TYPE),
    "row 19, a label that is a fraction": (ARRAY, BARE, array(1.5, 1.5, 2), LABEL_TYPE),
    "row 26, a large array": (ARRAY, NAMED, b" " * 2**12 + b"[]", TOO_LARGE),
    "row 30, a long id": (ARRAY, NAMED, array("x" * 2000, 7, "yes", 1.5, 2), LENGTH),
    "row 1, MessagePack cut": (PACK, NAMED, packed()[:-3], MALFORMED),
    "row 1, MessagePack empty": (PACK, NAMED, b"", EMPTY),
    "row 1, MessagePack and a byte": (PACK, NAMED, packed() + b"\x01", MALFORMED),
    "row 1, no MessagePack": (PACK, NAMED, b"\xc1", MALFORMED),
    "row 2, NaN in MessagePack": (PACK, NAMED, packed(features=[math.nan, 2]), RANGE),
    "row 2, infinity": (PACK, NAMED, packed(features=[1.5, -math.inf]), RANGE),
    "row 4, 2^64 - 1": (PACK, NAMED, packed(features=[2**64 - 1, 2]), RANGE),
    "row 6, 1e30 in MessagePack": (PACK, NAMED, packed(features=[1.5, 1e30]), RANGE),
    "row 9, no UTF-8 in MessagePack": (
        PACK,
        NAMED,
        packed(id="ee").replace(b"\xa2ee", b"\xa2\xff\xff"),
        (Stage.DECODE, Reason.INVALID_UTF8),
    ),
    "row 12, nested in a field that is ignored": (
        PACK,
        replace(NAMED, max_bytes=2**20),
        b"\x81\xa1z" + DEEP,
        (Stage.DECODE, Reason.TOO_DEEP),
    ),
    "row 12, nested MessagePack": (PACK, replace(NAMED, max_bytes=2**20), DEEP, TYPE),
    "row 13, nil": (PACK, NAMED, b"\xc0", TYPE),
    "row 15, an array too short": (PACK, NAMED, packed(features=[MARK]), LENGTH),
    "row 15, an array said to have 2^32 - 1": (PACK, NAMED, b"\xdd" + b"\xff" * 4, TYPE),
    "row 15, a map said to have 2^32 - 1": (PACK, NAMED, b"\xdf" + b"\xff" * 4, MALFORMED),
    "row 16, a feature is missing": (PACK, NAMED, packed(features={"a": MARK}), MISSING),
    "row 16, one name too many": (
        PACK,
        NAMED,
        packed(features={"a": 1, "b": 2, str(MARK): 3}),
        (Stage.SCHEMA, Reason.UNKNOWN_FEATURE),
    ),
    "row 17, bytes for a number": (PACK, NAMED, packed(features=[b"31415926", 2]), TYPE),
    "row 17, bytes for the id": (PACK, NAMED, packed(id=b"31415926"), TYPE),
    "row 17, an extension for a number": (
        PACK,
        NAMED,
        packed(features=[msgspec.msgpack.Ext(1, b"31415926"), 2]),
        TYPE,
    ),
    "row 18, no such class in MessagePack": (PACK, NAMED, packed(y=str(MARK)), UNKNOWN_LABEL),
    "row 19, true as a label": (PACK, NAMED, packed(y=True), LABEL_TYPE),
    "row 19, NaN as a target": (
        PACK,
        replace(NAMED, classes=None),
        packed(y=math.nan),
        LABEL_RANGE,
    ),
    "row 26, large MessagePack": (PACK, NAMED, packed(z="x" * 2**12), TOO_LARGE),
    "row 1, floats cut": (FLOATS, BARE, floats(1.5, 2, 3)[:-1], LENGTH),
    "row 1, no floats": (FLOATS, BARE, b"", EMPTY),
    "row 2, NaN": (FLOATS, BARE, floats(math.nan, 2, 3), RANGE),
    "row 3, infinity": (FLOATS, BARE, floats(1.5, -math.inf, 3), RANGE),
    "row 6, 1e30": (FLOATS, BARE, floats(1e30, 2, 3), RANGE),
    "row 13, JSON": (FLOATS, BARE, b'{"features":[1,2]}', LENGTH),
    "row 15, without the label": (FLOATS, BARE, floats(MARK, 2), LENGTH),
    "row 15, one float too many": (FLOATS, BARE, floats(1, 2, 3, MARK), LENGTH),
    "row 18, a class between": (FLOATS, BARE, floats(1.5, 2, 0), UNKNOWN_LABEL),
    "row 18, a class above": (FLOATS, BARE, floats(1.5, 2, MARK), UNKNOWN_LABEL),
    "row 18, 1e300 as a class": (FLOATS, BARE, floats(1.5, 2, 1e300), UNKNOWN_LABEL),
    "row 19, half a class": (FLOATS, BARE, floats(1.5, 2, 2.5), LABEL_TYPE),
    "row 19, infinity as a class": (FLOATS, BARE, floats(1.5, 2, math.inf), LABEL_TYPE),
    "row 19, infinity as a target": (FLOATS, TARGET, floats(1.5, 2, -math.inf), LABEL_RANGE),
    "row 26, many floats": (FLOATS, BARE, floats(*[1.5] * 513), TOO_LARGE),
}


def good(form: Format, schema: Schema) -> bytes:
    label = 3 if schema.classes in {(-1, 3), None} else "yes"
    return WRITERS[form](Event((1.5, 2.0), label), schema)


def assert_same_columns(batch: EventBatch, other: EventBatch) -> None:
    for name in ("X", "y", "labelled", "time_ms", "partitions", "offsets", "rows"):
        left, right = getattr(batch, name), getattr(other, name)
        assert (left.dtype, left.shape) == (right.dtype, right.shape), name
        assert left.tobytes() == right.tobytes(), name
    assert (batch.ids, batch.keys) == (other.ids, other.keys)


@pytest.mark.parametrize(("form", "schema", "value", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_of_any_format_does_not_stop_the_others(
    form: Format, schema: Schema, value: bytes, why: Refusal
) -> None:
    fine = good(form, schema)
    decoded = EventDecoder(schema, form).decode(records_of([fine, value, None, fine]))
    (rejection,) = decoded.rejections
    assert (rejection.row, rejection.stage, rejection.reason) == (1, *why)
    assert decoded.batch.rows.tolist() == decoded.batch.offsets.tolist() == [0, 3]
    assert decoded.batch.X.tolist() == [[1.5, 2.0]] * 2
    assert decoded.batch.labelled.all()
    assert decoded.skipped == {SkipReason.TOMBSTONE: 1}
    assert str(MARK) not in rejection.detail
    assert rejection.detail.isprintable()
    assert 0 < len(rejection.detail) < 200


events = st.builds(
    Event,
    st.tuples(*[st.one_of(st.floats(-1e15, 1e15), st.sampled_from([-0.0, 5e-324]))] * 2),
    st.sampled_from([-1, 3, None]),
    st.one_of(st.text(st.characters(codec="utf-8"), max_size=5), st.integers(-9, 2**63)),
    st.integers(-(2**40), 2**62),
)


@given(st.lists(events, max_size=6))
def test_the_same_events_in_any_format_give_the_same_columns(drawn: list[Event]) -> None:
    decoded = {
        form: EventDecoder(BARE, form).decode(records_of([write(e, BARE) for e in drawn]))
        for form, write in WRITERS.items()
    }
    for other in decoded.values():
        assert other.rejections == ()
        assert len(other.batch) == len(drawn)
        assert_same_columns(decoded[Format.JSON].batch, other.batch)
        assert other.batch.X.flags.c_contiguous
        assert other.batch.X.flags.writeable


@given(st.lists(events, max_size=6))
def test_ids_times_and_classes_that_are_words_are_the_same_in_json_arrays_and_messagepack(
    drawn: list[Event],
) -> None:
    words = {-1: "no", 3: "yes", None: None}
    named = [replace(event, label=words[event.label]) for event in drawn]
    batches = [
        EventDecoder(NAMED, form).decode(records_of([WRITERS[form](e, NAMED) for e in named]))
        for form in (Format.JSON, Format.JSON_ARRAY, Format.MSGPACK)
    ]
    assert batches[0].batch.ids == [event.id for event in named]
    for other in batches:
        assert other.rejections == ()
        assert_same_columns(batches[0].batch, other.batch)


@given(st.lists(st.tuples(st.floats(-1e15, 1e15), st.none() | st.floats(-1e15, 1e15)), max_size=6))
def test_targets_are_the_same_in_any_format(drawn: list[tuple[float, float | None]]) -> None:
    made = [Event((x, 1.0), y) for x, y in drawn]
    batches = [
        EventDecoder(TARGET, form).decode(records_of([write(e, TARGET) for e in made])).batch
        for form, write in WRITERS.items()
    ]
    assert batches[0].labelled.tolist() == [y is not None for _, y in drawn]
    for other in batches:
        assert_same_columns(batches[0], other)


@pytest.mark.parametrize("form", [Format.JSON_ARRAY, Format.FLOAT64])
def test_without_a_label_a_record_is_its_features_alone(form: Format) -> None:
    schema = replace(BARE, label=None, classes=None)
    value = floats(1.5, 2) if form is Format.FLOAT64 else b"[1.5,2]"
    batch = EventDecoder(schema, form).decode(records_of([value, value])).batch
    assert batch.X.tolist() == [[1.5, 2.0]] * 2
    assert not batch.labelled.any()


def test_features_come_as_arrays_in_messagepack_too() -> None:
    values = [packed(features=[1, 2]), packed(features={"b": 4, "a": 3})]
    batch = EventDecoder(NAMED, Format.MSGPACK).decode(records_of(values)).batch
    assert batch.X.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("label", [0.0, 1e300])
def test_an_unknown_class_in_packed_floats_may_be_kept_as_unlabelled(label: float) -> None:
    decoder = EventDecoder(BARE, Format.FLOAT64, keep_unknown_labels=True)
    decoded = decoder.decode(records_of([floats(1, 2, label), floats(1, 2, 3), floats(1, 2, 0.5)]))
    assert decoded.batch.labelled.tolist() == [False, True]
    assert decoded.batch.y.tolist() == [-1, 1]
    assert [(r.row, r.reason) for r in decoded.rejections] == [(2, Reason.WRONG_TYPE)]


@pytest.mark.parametrize("form", list(Format))
def test_a_bad_record_costs_one_more_pass_over_its_own_batch(
    form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = EventDecoder(BARE, form)
    decoder._scanner = None  # what is plain JSON never gets to the parser
    parser, calls = decoder._parser, {"read": 0, "read_all": 0}

    def counted(name: str) -> Callable[[Any], Any]:
        method = getattr(parser, name)

        def call(value: Any) -> Any:
            calls[name] += 1
            return method(value)

        return call

    for name in calls:
        monkeypatch.setattr(parser, name, counted(name))
    fine = good(form, BARE)
    decoder.decode(records_of([fine] * 5))
    assert calls == {"read": 0, "read_all": 1}
    decoder.decode(records_of([fine, b"", fine, b"\xff", fine]))
    assert calls == {"read": 4, "read_all": 2}  # what is empty needs no parser


@pytest.mark.parametrize(
    "schema",
    [
        replace(BARE, id="id"),
        replace(BARE, time="ts"),
        replace(BARE, classes=("no", "yes")),
        replace(BARE, kinds=(Kind.NUMBER, Kind.TEXT)),
    ],
)
def test_packed_floats_have_no_room_for_names_times_and_words(schema: Schema) -> None:
    with pytest.raises(ValueError, match="numbers alone"):
        PackedParser(schema)


def test_classes_in_packed_floats_are_told_apart_whatever_their_order_of_arrival() -> None:
    schema = replace(BARE, classes=(-7, 0, 2, 5))
    labels = [5, -7, math.nan, 2, 0, -0.0]
    values = [floats(1, 2, label) for label in labels]
    batch = EventDecoder(schema, Format.FLOAT64).decode(records_of(values)).batch
    assert batch.y.tolist() == [3, 0, -1, 2, 1, 1]
    assert batch.y.dtype == np.int64
