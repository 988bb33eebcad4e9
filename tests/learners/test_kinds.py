"""Features that are no numbers: what columns they are hashed to, in every format that has them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.feature_extraction import FeatureHasher
from sklearn.feature_extraction.text import HashingVectorizer

from learners.decoding import Decoded, EventDecoder
from learners.events import EventBatch, Floats
from learners.formats import Format
from learners.rejections import Reason, Stage
from learners.schema import Kind, Schema
from tests.records import records_of

NUMBER, CATEGORY, TEXT = Kind.NUMBER, Kind.CATEGORY, Kind.TEXT
SCHEMA = Schema(
    features=("city", "price", "title", "size", "shop"),
    kinds=(CATEGORY, NUMBER, TEXT, NUMBER, CATEGORY),
    label="y",
    classes=(0, 1),
    n_hashed=2**10,
)
Row = Sequence[Any]
ROWS: list[Row] = [
    ("Rome", 1.5, "Small red chairs, small price", 0.0, 3),
    ("Oslo", -2.0, "", -0.0, "3"),
    ("", 0.0, "a I !? \u00e9t\u00e9 na\u00efve", 5e-324, "x=y"),
]


def decode(rows: Sequence[Row], schema: Schema = SCHEMA, **more: Any) -> Decoded:
    values = [json.dumps({"features": [*row], "y": 1} | more).encode() for row in rows]
    return EventDecoder(schema).decode(records_of(values))


def matrix(rows: Sequence[Row], schema: Schema = SCHEMA) -> csr_array:
    decoded = decode(rows, schema)
    assert decoded.rejections == ()
    return decoded.batch.X


def dense(X: Any) -> Floats:
    return np.asarray(X.toarray())


def expected(rows: Sequence[Row]) -> Floats:
    """Hash by scikit-learn's own classes, one row and one feature at a time."""
    hasher = FeatureHasher(2**10, input_type="dict", alternate_sign=False)
    words = HashingVectorizer(n_features=2**10, alternate_sign=False)
    hashed = [
        dense(hasher.transform([{"city": str(row[0]), "shop": str(row[4])}]))
        + dense(words.transform([row[2]]))
        for row in rows
    ]
    numbers = [[row[1], row[3]] for row in rows]
    return np.hstack([np.array(numbers), np.vstack(hashed)])


def assert_in_order(X: csr_array) -> None:
    assert isinstance(X, csr_array)
    assert (X.dtype, X.indices.dtype, X.indptr.dtype) == (np.float64, np.int32, np.int32)
    assert (X.data != 0).all()
    for i in range(X.shape[0]):
        columns = X.indices[X.indptr[i] : X.indptr[i + 1]]
        assert (np.diff(columns) > 0).all()


def test_numbers_stand_first_and_all_else_is_hashed_as_scikit_learn_does() -> None:
    X = matrix(ROWS)
    assert_in_order(X)
    assert X.shape == (3, SCHEMA.n_features) == (3, 2 + 2**10)
    np.testing.assert_array_equal(dense(X), expected(ROWS))


rows_of_any_kind = st.tuples(
    st.text(st.characters(codec="utf-8"), max_size=4) | st.integers(-9, 9),
    st.floats(-1e15, 1e15),
    st.lists(st.sampled_from(["red", "Red", "chair", "a", "!", "\n"]), max_size=5).map(" ".join),
    st.floats(-1e15, 1e15),
    st.sampled_from(["", "a", 3]),
)


@given(st.lists(rows_of_any_kind, min_size=1, max_size=4))
def test_whatever_the_events_the_columns_are_scikit_learns(rows: list[Row]) -> None:
    X = matrix(rows)
    assert_in_order(X)
    np.testing.assert_array_equal(dense(X), expected(rows))


def test_an_event_has_the_same_columns_alone_and_among_others() -> None:
    whole = matrix(ROWS)
    for i, row in enumerate(ROWS):
        np.testing.assert_array_equal(dense(matrix([row])), dense(whole[i : i + 1]))


def test_json_arrays_and_messagepack_give_the_same_columns() -> None:
    arrays = [json.dumps([1, *row]).encode() for row in ROWS]
    names = SCHEMA.features
    maps = [
        msgspec.msgpack.encode({"features": dict(zip(names, row, strict=True)), "y": 1})
        for row in ROWS
    ]
    for form, values in ((Format.JSON_ARRAY, arrays), (Format.MSGPACK, maps)):
        batch = EventDecoder(SCHEMA, form).decode(records_of(values)).batch
        np.testing.assert_array_equal(dense(batch.X), expected(ROWS))


def test_flat_rows_hold_words_too() -> None:
    value = json.dumps({**dict(zip(SCHEMA.features, ROWS[0], strict=True)), "y": 0}).encode()
    batch = EventDecoder(replace(SCHEMA, features_in="")).decode(records_of([value])).batch
    np.testing.assert_array_equal(dense(batch.X), expected(ROWS[:1]))


def test_a_word_of_one_text_is_not_the_same_word_of_another() -> None:
    schema = Schema(("title", "body"), kinds=(TEXT, TEXT), n_hashed=2**10)
    title, body = matrix([("red chair", "")], schema), matrix([("", "red chair")], schema)
    assert set(title.indices).isdisjoint(body.indices)
    both = matrix([("red chair", "red chair")], schema)
    assert_in_order(both)
    np.testing.assert_array_equal(dense(both), dense(title + body))


def test_texts_alone_make_a_matrix_without_numbers() -> None:
    schema = Schema(("title",), kinds=(TEXT,), n_hashed=16)
    X = matrix([("one two",), ("",)], schema)
    assert X.shape == (2, 16)
    assert X.nnz == 2


def test_numbered_categories_are_the_same_as_text_or_number_and_have_no_size() -> None:
    schema = Schema(("shop",), kinds=(CATEGORY,), n_hashed=2**10)
    X = matrix([(3,), ("3",), (-(2**60),)], schema)
    assert X.data.tolist() == [1.0, 1.0, 1.0]
    assert X.indices[0] == X.indices[1] != X.indices[2]


BAD: dict[str, tuple[Row, Reason]] = {
    "a number for a text": (("Rome", 1.5, 2, 0, "x"), Reason.WRONG_TYPE),
    "null for a text": (("Rome", 1.5, None, 0, "x"), Reason.WRONG_TYPE),
    "null for a category": ((None, 1.5, "red", 0, "x"), Reason.WRONG_TYPE),
    "half a category": ((0.5, 1.5, "red", 0, "x"), Reason.WRONG_TYPE),
    "true for a category": ((True, 1.5, "red", 0, "x"), Reason.WRONG_TYPE),
    "a list for a category": ((["a"], 1.5, "red", 0, "x"), Reason.WRONG_TYPE),
    "text for a number": (("Rome", "1.5", "red", 0, "x"), Reason.WRONG_TYPE),
    "a number beyond the bound": (("Rome", 1e30, "red", 0, "x"), Reason.OUT_OF_RANGE),
    "one feature too few": (("Rome", 1.5, "red", 0), Reason.WRONG_LENGTH),
}


@pytest.mark.parametrize(("row", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_event_leaves_the_rows_of_the_others_as_they_are(row: Row, reason: Reason) -> None:
    decoded = decode([ROWS[0], row, ROWS[1]])
    assert [(r.row, r.stage, r.reason) for r in decoded.rejections] == [(1, Stage.SCHEMA, reason)]
    assert decoded.batch.rows.tolist() == [0, 2]
    assert_in_order(decoded.batch.X)
    np.testing.assert_array_equal(dense(decoded.batch.X), expected(ROWS[:2]))


def test_the_number_that_is_out_of_bounds_is_named() -> None:
    (rejection,) = decode([("Rome", 1.0, "red", -1e30, "x")]).rejections
    assert "`size`" in rejection.detail


def test_a_read_of_nothing_good_gives_a_matrix_without_rows() -> None:
    decoded = decode([("Rome",)])
    assert decoded.batch.X.shape == (0, SCHEMA.n_features)
    assert_in_order(decoded.batch.X)


def test_a_text_longer_than_a_record_may_be_is_refused() -> None:
    schema = replace(SCHEMA, max_bytes=1000)
    long = ("Rome", 1.5, "red " * 300, 0, "x")
    assert [r.reason for r in decode([ROWS[0], long], schema).rejections] == [Reason.TOO_LARGE]


def test_events_of_a_batch_are_taken_and_cut_with_their_rows() -> None:
    decoded = decode(ROWS)
    batch: EventBatch = decoded.batch.take(np.array([True, False, True]))
    assert_in_order(batch.X)
    np.testing.assert_array_equal(dense(batch.X), expected([ROWS[0], ROWS[2]]))
    np.testing.assert_array_equal(dense(decoded.head(1).batch.X), expected(ROWS[:1]))


def test_a_schema_knows_its_columns() -> None:
    assert (SCHEMA.numbers, SCHEMA.is_sparse) == (("price", "size"), True)
    plain = Schema(("a", "b"))
    assert (plain.n_features, plain.is_sparse, plain.numbers) == (2, False, ("a", "b"))
