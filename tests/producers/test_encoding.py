"""Predictions as JSON records."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learners.events import EventBatch, Predictions
from producers.encoding import BY_KEY, PredictionEncoder
from tests.batches import batch_of

COUNT = 4
VALUES = np.array([0, 1, 1, 0])
PROBABILITIES = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875], [1.0, 0.0]])


def batch(**changed: Any) -> EventBatch:
    whole = batch_of(np.zeros((COUNT, 1)))
    fields = {"partitions": np.array([5, 0, 7, 3]), "offsets": np.array([10, 11, 2**40, 13])}
    return replace(whole, **{**fields, **changed})


def predictions(values: Any = VALUES, probabilities: Any = PROBABILITIES) -> Predictions:
    return Predictions(values, probabilities, np.arange(COUNT) + 100, np.ones(COUNT, np.bool_))


def decoded(encoder: PredictionEncoder, events: EventBatch, said: Predictions) -> list[Any]:
    return [msgspec.json.decode(value) for _, value, _ in encoder.encode(events, said)]


def test_each_event_gives_one_record_of_exactly_these_fields_in_order() -> None:
    records = list(PredictionEncoder(("down", "up"), 4).encode(batch(), predictions()))
    assert records[0][1] == (
        b'{"id":0,"prediction":"down","probability":0.75,"model_version":100,'
        b'"partition":5,"offset":10}'
    )
    said = [msgspec.json.decode(value) for _, value, _ in records]
    assert [each["id"] for each in said] == [0, 1, 2, 3]
    assert [each["prediction"] for each in said] == ["down", "up", "up", "down"]
    assert [each["probability"] for each in said] == [0.75, 0.5, 0.875, 1.0]
    assert [each["model_version"] for each in said] == [100, 101, 102, 103]
    assert [each["offset"] for each in said] == [10, 11, 2**40, 13]


def test_classes_that_are_numbers_are_said_as_such() -> None:
    said = decoded(PredictionEncoder((-1, 7), 1), batch(), predictions())
    assert [each["prediction"] for each in said] == [-1, 7, 7, -1]


@pytest.mark.parametrize("values", [np.array([0.5, -1.0, 1e300, 0.0]), np.array([2, 0, 1, 2])])
def test_numbers_and_clusters_have_no_probability(values: Any) -> None:
    said = decoded(PredictionEncoder(None, 1), batch(), predictions(values, None))
    assert [each["prediction"] for each in said] == values.tolist()
    assert all("probability" not in each for each in said)


def test_a_class_without_a_probability_leaves_it_out() -> None:
    said = decoded(PredictionEncoder(("down", "up"), 1), batch(), predictions(probabilities=None))
    assert [each["prediction"] for each in said] == ["down", "up", "up", "down"]
    assert all("probability" not in each for each in said)


def test_an_event_with_a_key_keeps_it_and_one_without_goes_by_its_source_partition() -> None:
    events = batch(keys=[None, b"k", None, b""])
    records = list(PredictionEncoder(("down", "up"), 4).encode(events, predictions()))
    assert [key for key, _, _ in records] == [None, b"k", None, b""]
    assert [partition for _, _, partition in records] == [1, BY_KEY, 3, BY_KEY]


@given(st.lists(st.one_of(st.integers(-(2**70), 2**70), st.text()), min_size=4, max_size=4))
def test_bad_input_30_ids_come_back_as_they_came_whatever_they_hold(ids: list[str | int]) -> None:
    said = decoded(PredictionEncoder(("down", "up"), 1), batch(ids=ids), predictions())
    assert [each["id"] for each in said] == ids


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_probability_comes_back_bit_for_bit(chances: list[float]) -> None:
    column = np.array(chances)
    said = decoded(
        PredictionEncoder(("down", "up"), 1),
        batch(),
        predictions(np.ones(4, np.int64), np.column_stack([1 - column, column])),
    )
    assert [each["probability"] for each in said] == chances


def test_no_events_give_no_records() -> None:
    nothing = np.zeros(COUNT, np.bool_)
    encoder = PredictionEncoder(("down", "up"), 1)
    assert list(encoder.encode(batch().take(nothing), predictions().take(nothing))) == []
