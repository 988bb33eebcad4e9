import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.mapping import ColumnMapping, EventFields, encode_rows
from producers.rows import DatasetError, Row


@dataclass
class Table:
    columns: tuple[str, ...]
    rows: list[Row]

    @property
    def total(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def encode(mapping: ColumnMapping, **row: Any) -> tuple[bytes | None, Any]:
    key, value = mapping.bind(tuple(row))(tuple(row.values()))
    assert value is not None
    return key, msgspec.json.decode(value)


def test_the_row_form_of_the_exercise_becomes_an_event() -> None:
    mapping = ColumnMapping(id="ID", label="TARGET")
    key, event = encode(mapping, ID=7, Feature1=0.5, Feature2=1, Feature3=None, TARGET="UP")
    assert key == b"7"
    assert event == {
        "id": 7,
        "features": {"Feature1": 0.5, "Feature2": 1, "Feature3": None},
        "label": "UP",
    }


def test_fields_are_called_as_the_target_asks() -> None:
    fields = EventFields(id="uid", time="at", label="truth", features_in="x")
    mapping = ColumnMapping(id="a", time="b", label="c", fields=fields)
    _, event = encode(mapping, a="e1", b=1_700_000_000_000, c=1, d=2)
    assert event == {"uid": "e1", "at": 1_700_000_000_000, "x": {"d": 2}, "truth": 1}


def test_without_a_field_for_the_id_it_is_the_key_alone() -> None:
    fields = EventFields(id=None, time=None, label=None)
    key, event = encode(ColumnMapping(id="a", fields=fields), a="e1", d=2)
    assert (key, event) == (b"e1", {"features": {"d": 2}})


def test_flat_rows_have_their_features_beside_the_other_fields() -> None:
    mapping = ColumnMapping(id="id", label="y", fields=EventFields(label="y", features_in=""))
    _, event = encode(mapping, id="e1", a=1, y=0)
    assert event == {"id": "e1", "a": 1, "y": 0}


def test_named_features_come_in_the_order_named_and_others_stay_out() -> None:
    _, event = encode(ColumnMapping(features=("b", "a")), a=1, b=2, c=3)
    assert list(event["features"].items()) == [("b", 2), ("a", 1)]


def test_the_time_may_be_a_feature_too() -> None:
    _, event = encode(ColumnMapping(time="t", features=("t", "a")), t=5, a=1)
    assert event == {"ts": 5, "features": {"t": 5, "a": 1}}


@pytest.mark.parametrize("features", [{"a": 1.5}, [1.5, 2]])
def test_a_column_that_holds_all_features_is_taken_as_it_is(features: Any) -> None:
    _, event = encode(ColumnMapping(label="label"), features=features, label=1)
    assert event == {"features": features, "label": 1}


def test_without_an_id_there_is_no_key() -> None:
    assert encode(ColumnMapping(), a=1) == (None, {"features": {"a": 1}})
    assert encode(ColumnMapping(id="id"), id=None, a=1)[0] is None


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        (ColumnMapping(label="nope"), r"no column 'nope'; the columns are id, a, b, label"),
        (ColumnMapping(features=("a", "nope")), "no column 'nope'"),
        (ColumnMapping(label="label", features=("a", "label")), "only learn to copy it"),
        (ColumnMapping(features=("a", "a")), "two values"),
        (ColumnMapping(features=()), "no column is left"),
        (ColumnMapping(id="a", fields=EventFields(features_in="")), "would be called 'id'"),
        (
            ColumnMapping(id="id", label="label", fields=EventFields(id="x", label="x")),
            "would be called 'x'",
        ),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused(mapping: ColumnMapping, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        mapping.bind(("id", "a", "b", "label"))


@pytest.mark.parametrize(
    "time",
    [
        1_700_000_000_000,
        1_700_000_000_000.0,
        "1700000000000",
        Decimal(1_700_000_000_000),
        np.int64(1_700_000_000_000),
        "2023-11-14T22:13:20",
        "2023-11-14 22:13:20Z",
        "2023-11-14T23:13:20+01:00",
        datetime(2023, 11, 14, 22, 13, 20),  # noqa: DTZ001 - databases give such
        datetime(2023, 11, 14, 23, 13, 20, tzinfo=timezone(timedelta(hours=1))),
        np.datetime64("2023-11-14T22:13:20.000000000"),
    ],
)
def test_a_time_is_ms_since_1970_utc_however_it_is_written(time: Any) -> None:
    _, event = encode(ColumnMapping(time="t"), t=time, a=1)
    assert event["ts"] == 1_700_000_000_000
    assert type(event["ts"]) is int


@pytest.mark.parametrize("time", ["yesterday", True, float("nan"), [], b"2023-11-14"])
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(DatasetError, match="time"):
        encode(ColumnMapping(time="t"), t=time, a=1)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (1, 1),
        ("UP", "UP"),
        ("1", "1"),
        (1.0, 1),
        (1.5, 1.5),
        (True, 1),
        (None, None),
        (Decimal("2.00"), 2),
        (np.int8(3), 3),
        (np.str_("UP"), "UP"),
        (float("nan"), None),
    ],
)
def test_a_label_stays_a_whole_number_or_text(label: Any, expected: Any) -> None:
    _, event = encode(ColumnMapping(label="y"), a=1, y=label)
    assert (event["label"], type(event["label"])) == (expected, type(expected))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), 1.5),
        (Decimal("NaN"), None),
        (float("inf"), None),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.bool_(True), 1),
        (False, 0),
        (date(1970, 1, 2), 86_400_000),
        (datetime(1970, 1, 2, tzinfo=UTC), 86_400_000),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (np.array([1.5, 2.5]), [1.5, 2.5]),
        ({"a": Decimal("NaN")}, {"a": None}),
    ],
)
def test_values_of_databases_become_plain_json(value: Any, expected: Any) -> None:
    _, event = encode(ColumnMapping(), a=value)
    assert event["features"]["a"] == expected


@pytest.mark.parametrize("value", [object(), 1j, {1, object()}, "\ud800"])
def test_a_value_without_a_form_in_json_is_refused(value: Any) -> None:
    with pytest.raises(DatasetError, match="no form in JSON"):
        encode(ColumnMapping(), a=value)


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1),
        st.none() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
        min_size=1,
    )
)
def test_any_row_of_numbers_and_text_becomes_json_without_nan(row: dict[str, Any]) -> None:
    _, event = encode(ColumnMapping(), **row)  # msgspec's decoder refuses NaN and Infinity
    assert list(event["features"]) == list(row)
    for name, value in event["features"].items():
        finite = not isinstance(row[name], float) or math.isfinite(row[name])
        assert value == (row[name] if finite else None)


def test_repeats_send_all_rows_again_with_ids_that_stay_unique() -> None:
    table = Table(("id", "a"), [(1, 0.5), ("e2", 1.5), (None, 2.5)])
    keys = [key for key, _ in encode_rows(table, ColumnMapping(id="id"), repeat=3)]
    assert keys == [b"1", b"e2", None, b"1-1", b"e2-1", None, b"1-2", b"e2-2", None]


def test_the_number_of_a_bad_row_is_told_and_rows_before_it_are_given() -> None:
    table = Table(("t", "a"), [(1, 0.5), ("yesterday", 1.5)])
    records = encode_rows(table, ColumnMapping(time="t"))
    assert next(records) == (None, b'{"ts":1,"features":{"a":0.5}}')
    with pytest.raises(DatasetError, match="row 2: 'yesterday' is no time"):
        next(records)


def test_a_mapping_that_does_not_fit_is_refused_before_the_first_row() -> None:
    with pytest.raises(DatasetError, match="no column 'nope'"):
        encode_rows(Table(("a",), []), ColumnMapping(id="nope"))
