"""Decoding, against the bad-input table: each case names its row there."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.decoding import Decoded, JsonDecoder
from learners.events import EventBatch, Records
from learners.rejections import Reason, SkipReason, Stage
from learners.schema import Schema
from tests.records import records_of

SCHEMA = Schema(features=("a", "b"), id="id", time="ts", label="y", classes=(0, 1), max_bytes=2**20)
GOOD = b'{"id":"e","ts":7,"features":{"a":1.5,"b":2},"y":1}'
# A value in a bad record, looked for in what is told of it.
MARK = "31415926"
Refusal = tuple[Stage, Reason]
MALFORMED = (Stage.DECODE, Reason.MALFORMED)
TYPE = (Stage.SCHEMA, Reason.WRONG_TYPE)
RANGE = (Stage.SCHEMA, Reason.OUT_OF_RANGE)
LABEL_TYPE = (Stage.LABEL, Reason.WRONG_TYPE)
UNKNOWN_LABEL = (Stage.LABEL, Reason.UNKNOWN_LABEL)
TOO_DEEP = (Stage.DECODE, Reason.TOO_DEEP)
INVALID_UTF8 = (Stage.DECODE, Reason.INVALID_UTF8)


def changed(**fields: str) -> bytes:
    """Put raw JSON in the place of fields of a good event."""
    whole = {"id": '"e"', "ts": "7", "features": '{"a":1.5,"b":2}', "y": "1", **fields}
    return ("{" + ",".join(f'"{name}":{text}' for name, text in whole.items()) + "}").encode()


def feature(text: str) -> bytes:
    return changed(features=f'{{"a":{text},"b":2}}')


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


BAD: dict[str, tuple[bytes, Refusal]] = {
    "row 1, truncated": (GOOD[:-9], MALFORMED),
    "row 1, empty": (b"", (Stage.DECODE, Reason.EMPTY)),
    "row 1, blank": (b"  ", MALFORMED),
    "row 1, a second document": (GOOD + GOOD, MALFORMED),
    "row 2, NaN": (feature("NaN"), MALFORMED),
    "row 2, Infinity": (feature("Infinity"), MALFORMED),
    "row 2, -Infinity": (feature("-Infinity"), MALFORMED),
    "row 3, 1e999": (feature("1e999"), RANGE),
    "row 4, 2^70 as a feature": (feature(str(2**70)), RANGE),
    "row 4, 2^70 as a label": (changed(y=str(2**70)), UNKNOWN_LABEL),
    "row 5, 5000 digits as a feature": (feature("9" * 5000), RANGE),
    "row 5, 5000 digits as an id": (changed(id="9" * 5000), RANGE),
    "row 5, 5000 digits as a time": (changed(ts="9" * 5000), RANGE),
    "row 5, 5000 digits as a label": (changed(y="9" * 5000), (Stage.LABEL, Reason.OUT_OF_RANGE)),
    "row 6, 1e308": (feature("1e308"), RANGE),
    "row 6, 1e30": (feature("1e30"), RANGE),
    "row 6, -1e155": (feature("-1e155"), RANGE),
    "row 9, invalid UTF-8 in the id": (GOOD.replace(b'"e"', b'"\xff"'), INVALID_UTF8),
    "row 9, not UTF-8 at all": (b"\xff\xfe\xfd", MALFORMED),
    "row 10, byte order mark": (b"\xef\xbb\xbf" + GOOD, MALFORMED),
    "row 10, UTF-16": (GOOD.decode().encode("utf-16"), MALFORMED),
    "row 11, lone surrogate": (changed(id=r'"\ud800"'), MALFORMED),
    "row 12, nested 1500 deep": (nested(1500).encode(), TYPE),
    "row 12, nested 100000 deep": (nested(100_000).encode(), TYPE),
    "row 12, a feature nested 100000 deep": (feature(nested(100_000)), TYPE),
    "row 12, nested 1500 deep in a field that is ignored": (changed(z=nested(1500)), TOO_DEEP),
    "row 12, nested 100000 deep in an ignored field": (changed(z=nested(100_000)), TOO_DEEP),
    "row 13, null": (b"null", TYPE),
    "row 13, a number": (b"31415926", TYPE),
    "row 13, text": (b'"31415926"', TYPE),
    "row 13, an array": (b"[31415926]", TYPE),
    "row 15, too few in the array": (
        changed(features="[31415926]"),
        (Stage.SCHEMA, Reason.WRONG_LENGTH),
    ),
    "row 15, too many in the array": (
        changed(features="[1,2,31415926]"),
        (Stage.SCHEMA, Reason.WRONG_LENGTH),
    ),
    "row 15, none in the object": (changed(features="{}"), (Stage.SCHEMA, Reason.MISSING_FIELD)),
    "row 16, a feature is missing": (
        changed(features='{"a":31415926}'),
        (Stage.SCHEMA, Reason.MISSING_FIELD),
    ),
    "row 16, one name too many": (
        changed(features='{"a":1,"b":2,"31415926":3}'),
        (Stage.SCHEMA, Reason.UNKNOWN_FEATURE),
    ),
    "row 16, one name too many that looks like another complaint": (
        changed(features='{"a":1,"b":2,"missing required field 31415926":3}'),
        (Stage.SCHEMA, Reason.UNKNOWN_FEATURE),
    ),
    "row 16, one name too many that looks like a place": (
        changed(features='{"a":1,"b":2,"31415926 - at `$.y`":3}'),
        (Stage.SCHEMA, Reason.UNKNOWN_FEATURE),
    ),
    "row 16, no features": (
        b'{"id":"31415926","ts":7,"y":1}',
        (Stage.SCHEMA, Reason.MISSING_FIELD),
    ),
    "row 16, no id": (
        b'{"ts":7,"features":[1,2],"y":1}',
        (Stage.SCHEMA, Reason.MISSING_FIELD),
    ),
    "row 17, text for a number": (feature('"31415926"'), TYPE),
    "row 17, true for a number": (feature("true"), TYPE),
    "row 17, null for a number": (feature("null"), TYPE),
    "row 17, null in the array": (changed(features="[1,null]"), TYPE),
    "row 17, null for the features": (changed(features="null"), TYPE),
    "row 17, text for the time": (changed(ts='"31415926"'), TYPE),
    "row 17, half a millisecond": (changed(ts="1.5"), TYPE),
    "row 18, a class that is not declared": (changed(y="31415926"), UNKNOWN_LABEL),
    "row 18, a class below the first": (changed(y="-1"), UNKNOWN_LABEL),
    "row 19, 1.5 as a label": (changed(y="1.5"), LABEL_TYPE),
    "row 19, 1.0 as a label": (changed(y="1.0"), LABEL_TYPE),
    "row 19, NaN as a label": (changed(y="NaN"), MALFORMED),
    "row 19, 1e30 as a label": (changed(y="1e30"), LABEL_TYPE),
    "row 19, true as a label": (changed(y="true"), LABEL_TYPE),
    "row 19, text as a label": (changed(y='"1"'), LABEL_TYPE),
    "row 19, an object as a label": (changed(y='{"31415926":1}'), LABEL_TYPE),
    "row 26, 1 MB and a byte": (
        b" " * (2**20 + 1 - len(GOOD)) + GOOD,
        (Stage.DECODE, Reason.TOO_LARGE),
    ),
    "row 26, 10 MB": (b"[" * 10_000_000, (Stage.DECODE, Reason.TOO_LARGE)),
    "row 30, an id of 1 MB": (
        changed(id='"' + "x" * 1_000_000 + '"'),
        (Stage.SCHEMA, Reason.WRONG_LENGTH),
    ),
    "row 30, a bare control character": (changed(id='"a\nb"'), MALFORMED),
}


def decode(*values: bytes | None, schema: Schema = SCHEMA, keep: bool = False) -> Decoded:
    return JsonDecoder(schema, keep_unknown_labels=keep).decode(records_of(values))


def one(value: bytes, schema: Schema = SCHEMA) -> EventBatch:
    """Decode one event that must be accepted."""
    decoded = decode(value, schema=schema)
    assert decoded.rejections == ()
    return decoded.batch


def assert_same_columns(batch: EventBatch, other: EventBatch) -> None:
    for name in ("X", "y", "labelled", "time_ms", "partitions", "offsets"):
        left, right = getattr(batch, name), getattr(other, name)
        assert (left.dtype, left.shape) == (right.dtype, right.shape), name
        assert left.tobytes() == right.tobytes(), name
    assert (batch.ids, batch.keys) == (other.ids, other.keys)


@pytest.mark.parametrize(("value", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_in_a_batch_does_not_stop_the_others(value: bytes, why: Refusal) -> None:
    decoded = decode(GOOD, value, GOOD)
    (rejection,) = decoded.rejections
    assert (rejection.stage, rejection.reason) == why
    assert rejection.row == 1
    assert decoded.batch.rows.tolist() == [0, 2]
    assert decoded.batch.offsets.tolist() == [0, 2]
    assert decoded.batch.X.tolist() == [[1.5, 2.0]] * 2
    assert decoded.skipped == {}
    assert MARK not in rejection.detail
    assert rejection.detail.isprintable()
    assert 0 < len(rejection.detail) < 200


@pytest.mark.parametrize(("value", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_record_alone_gives_an_empty_batch(value: bytes, why: Refusal) -> None:
    decoded = decode(value)
    assert [(r.stage, r.reason) for r in decoded.rejections] == [why]
    assert len(decoded.batch) == 0
    assert decoded.batch.X.shape == (0, 2)


@pytest.mark.parametrize("text", ["5e-324", "-0.0", "1e15", "-1e15", "3"])
def test_bad_inputs_7_and_6_denormals_minus_zero_and_the_bound_itself_are_accepted(
    text: str,
) -> None:
    value = one(feature(text)).X[0, 0]
    assert value == float(text)
    assert math.copysign(1, value) == math.copysign(1, float(text))


def test_bad_input_8_of_duplicate_keys_the_last_wins() -> None:
    batch = one(changed(features='{"a":1,"a":2,"b":3,"a":4}'))
    assert batch.X.tolist() == [[4.0, 3.0]]


def test_bad_input_14_a_tombstone_is_skipped_and_counted() -> None:
    decoded = decode(None, GOOD, None)
    assert decoded.skipped == {SkipReason.TOMBSTONE: 2}
    assert decoded.rejections == ()
    assert decoded.batch.rows.tolist() == [1]


def test_bad_input_14_a_read_of_tombstones_alone_gives_an_empty_batch() -> None:
    decoded = decode(None, None)
    assert len(decoded.batch) == 0
    assert decoded.skipped == {SkipReason.TOMBSTONE: 2}


@pytest.mark.parametrize("value", [changed(y="null"), b'{"id":"e","ts":7,"features":[1.5,2]}'])
def test_bad_input_21_an_event_without_a_label_is_kept_as_unlabelled(value: bytes) -> None:
    batch = one(value)
    assert batch.labelled.tolist() == [False]
    assert batch.y.tolist() == [-1]


def test_bad_input_18_an_unknown_label_may_be_kept_as_unlabelled() -> None:
    decoded = decode(changed(y="5"), GOOD, changed(y="1.5"), keep=True)
    assert decoded.batch.labelled.tolist() == [False, True]
    assert [(r.row, r.reason) for r in decoded.rejections] == [(2, Reason.WRONG_TYPE)]


@pytest.mark.parametrize(
    ("ts", "time_ms"),
    [("0", 0), ("-5", -5), ("4102444800000", 4_102_444_800_000), ("9" * 30, 2**62)],
)
def test_bad_input_25_strange_times_are_taken_within_64_bits(ts: str, time_ms: int) -> None:
    assert one(changed(ts=ts)).time_ms.tolist() == [time_ms]


@pytest.mark.parametrize("text", [r"a\u0000b", "\u202eabc", r"a\n{\"level\":\"error\"}"])
def test_bad_input_30_control_characters_in_an_id_are_kept_as_they_came(text: str) -> None:
    batch = one(changed(id=f'"{text}"'))
    assert batch.ids == [json.loads(f'"{text}"')]


def test_an_extra_field_beside_the_features_is_ignored() -> None:
    assert_same_columns(one(changed(beside='[{"x":1}]')), one(GOOD))


def test_a_value_of_the_largest_size_is_parsed() -> None:
    assert one(b" " * (2**20 - len(GOOD)) + GOOD).ids == ["e"]


def test_features_come_as_objects_in_any_order_and_as_arrays_in_one_read() -> None:
    decoded = decode(
        changed(features='{"b":2,"a":1}'),
        changed(features="[3,4]"),
        changed(features='{"a":5,"b":6}'),
    )
    assert decoded.batch.X.tolist() == [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    assert decoded.batch.X.flags.c_contiguous


def test_arrays_alone_make_the_same_matrix() -> None:
    assert decode(changed(features="[1,2]"), changed(features="[3,4]")).batch.X.tolist() == [
        [1.0, 2.0],
        [3.0, 4.0],
    ]


FLAT = Schema(features=("a", "b"), features_in="", id="id", label="y", classes=("no", "yes"))


def test_flat_rows_hold_features_and_label_side_by_side_and_more_is_ignored() -> None:
    batch = one(b'{"b":2,"id":9,"more":{"x":[]},"y":"yes","a":1}', FLAT)
    assert batch.X.tolist() == [[1.0, 2.0]]
    assert batch.y.tolist() == [1]
    assert batch.ids == [9]


def test_bad_input_16_a_flat_row_without_a_feature_is_refused() -> None:
    decoded = decode(b'{"a":1,"id":9}', b'{"a":1,"b":2,"id":9}', schema=FLAT)
    assert [(r.stage, r.reason) for r in decoded.rejections] == [
        (Stage.SCHEMA, Reason.MISSING_FIELD)
    ]
    assert "`b`" in decoded.rejections[0].detail
    assert len(decoded.batch) == 1


@pytest.mark.parametrize("value", [b'{"only":3}', b'{"features":{"only":3}}', b'{"features":[3]}'])
def test_one_feature_makes_a_matrix_of_one_column(value: bytes) -> None:
    schema = Schema(features=("only",), features_in="features" if b"features" in value else "")
    assert one(value, schema).X.tolist() == [[3.0]]


@pytest.mark.parametrize(
    ("classes", "labels", "indices"),
    [((-1, 3), [b"3", b"-1"], [1, 0]), (("b", "é"), [b'"b"', '"é"'.encode()], [0, 1])],
)
def test_labels_become_indices_into_the_classes(
    classes: Any, labels: list[bytes], indices: list[int]
) -> None:
    schema = Schema(features=("a",), features_in="", label="y", classes=classes)
    batch = decode(*(b'{"a":1,"y":%s}' % label for label in labels), schema=schema).batch
    assert batch.y.tolist() == indices
    assert batch.y.dtype == np.int64
    assert batch.labelled.all()


def test_a_label_that_is_a_number_is_the_target_itself() -> None:
    schema = Schema(features=("a",), features_in="", label="y")
    batch = decode(b'{"a":1,"y":2}', b'{"a":1,"y":-0.5}', b'{"a":1}', schema=schema).batch
    assert batch.y.dtype == np.float64
    assert batch.y[:2].tolist() == [2.0, -0.5]
    assert np.isnan(batch.y[2])
    assert batch.labelled.tolist() == [True, True, False]


@pytest.mark.parametrize("text", [b"1e30", b"-1e30", b"1e999", b"9" * 400])
def test_bad_input_19_a_target_beyond_the_bound_is_refused_at_its_label(text: bytes) -> None:
    schema = Schema(features=("a",), features_in="", label="y")
    decoded = decode(b'{"a":1,"y":%s}' % text, b'{"a":1,"y":1}', schema=schema)
    assert [(r.row, r.stage, r.reason) for r in decoded.rejections] == [
        (0, Stage.LABEL, Reason.OUT_OF_RANGE)
    ]
    assert decoded.batch.y.tolist() == [1.0]


@pytest.mark.parametrize("text", [b"true", b'"1"'])
def test_bad_input_19_a_target_that_is_no_number_is_refused(text: bytes) -> None:
    schema = Schema(features=("a",), features_in="", label="y")
    decoded = decode(b'{"a":1,"y":%s}' % text, schema=schema)
    assert [(r.stage, r.reason) for r in decoded.rejections] == [LABEL_TYPE]


def test_without_an_id_topic_partition_and_offset_make_it() -> None:
    decoder = JsonDecoder(replace(SCHEMA, id=None))
    batch = decoder.decode(records_of([GOOD, b"", GOOD], partition=3, first=17)).batch
    assert batch.ids == ["events/3/17", "events/3/19"]


def test_without_a_time_the_records_own_is_taken() -> None:
    decoder = JsonDecoder(replace(SCHEMA, time=None))
    assert decoder.decode(records_of([b"", GOOD, GOOD], first=4)).batch.time_ms.tolist() == [
        5000,
        6000,
    ]


@pytest.mark.parametrize("number", [0, -5, 2**64 - 1, 2**70])
def test_bad_input_4_an_id_that_is_a_number_keeps_every_digit(number: int) -> None:
    assert one(changed(id=str(number))).ids == [number]


@pytest.mark.parametrize("name", ["length", "out of range", "unknown field"])
def test_a_features_name_does_not_change_the_reason(name: str) -> None:
    schema = Schema(features=(name, "b"))
    value = json.dumps({"features": {name: "x", "b": 1}}).encode()
    assert [r.reason for r in decode(value, schema=schema).rejections] == [Reason.WRONG_TYPE]


def test_a_record_with_two_faults_is_refused_once() -> None:
    decoded = decode(changed(features="[1e30,1e30]", y="5"))
    assert [(r.stage, r.reason) for r in decoded.rejections] == [RANGE]
    assert "`a`" in decoded.rejections[0].detail


def test_rejections_come_in_the_order_of_the_records() -> None:
    decoded = decode(changed(y="5"), b"", feature("1e30"), b"{", changed(y="5"))
    assert [r.row for r in decoded.rejections] == [0, 1, 2, 3, 4]


def test_keys_stay_with_their_events() -> None:
    values = [GOOD, b"", None, GOOD, feature("1e30"), GOOD]
    keys = [b"0", b"1", b"2", b"3", b"4", None]
    batch = JsonDecoder(SCHEMA).decode(records_of(values, keys=keys)).batch
    assert batch.keys == [b"0", b"3", None]


good_values = st.builds(
    lambda a, b, y, as_array: changed(
        features=f"[{a!r},{b!r}]" if as_array else f'{{"b":{b!r},"a":{a!r}}}', y=y, id=f'"{a!r}"'
    ),
    st.floats(-1e15, 1e15),
    st.floats(-1e15, 1e15),
    st.sampled_from(["0", "1", "null"]),
    st.booleans(),
)
# Not the deeply nested ones: hypothesis raises the limit of recursion that refuses them.
bad_values = st.sampled_from([v for v, _ in BAD.values() if len(v) < 2_000] + [None])


@given(
    st.lists(st.tuples(st.booleans(), good_values, bad_values), max_size=12),
    st.lists(st.integers(1, 5), max_size=4),
)
def test_bad_records_and_cuts_leave_the_columns_of_the_good_ones_as_they_are(
    drawn: list[tuple[bool, bytes, bytes | None]], sizes: list[int]
) -> None:
    values = [good if is_good else bad for is_good, good, bad in drawn]
    is_good = np.array([each for each, _, _ in drawn], dtype=np.bool_)
    keys = [str(i).encode() for i in range(len(values))]
    decoder = JsonDecoder(SCHEMA)
    whole = records_of(values, keys=keys)
    alone = decoder.decode(_take(whole, is_good)).batch
    parts, start = [], 0
    for size in (*sizes, max(1, len(values))):
        place = np.arange(len(values))
        parts.append(decoder.decode(_take(whole, (place >= start) & (place < start + size))))
        start += size
    assert_same_columns(_concatenated([part.batch for part in parts]), alone)
    refused = sum(len(p.rejections) + sum(p.skipped.values()) for p in parts)
    assert refused == np.count_nonzero(~is_good)


def _take(records: Records, keep: Any) -> Records:
    rows = np.flatnonzero(keep).tolist()
    return replace(
        records,
        values=[records.values[i] for i in rows],
        keys=[records.keys[i] for i in rows],
        partitions=records.partitions[keep],
        offsets=records.offsets[keep],
        time_ms=records.time_ms[keep],
    )


def _concatenated(batches: list[EventBatch]) -> EventBatch:
    names = ("X", "y", "labelled", "time_ms", "partitions", "offsets", "rows")
    columns: dict[str, Any] = {n: np.concatenate([getattr(b, n) for b in batches]) for n in names}
    ids = [each for batch in batches for each in batch.ids]
    return EventBatch(ids=ids, keys=[key for batch in batches for key in batch.keys], **columns)
