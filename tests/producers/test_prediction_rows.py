"""Predictions written by compiled code: byte for byte what msgspec writes, one by one."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from consumers.demo.embedded import EmbeddedBroker
from learners.events import EventBatch, Headers, Predictions
from learners.slices import Slices
from learners.tokens import Tokens
from producers.encoding import BY_KEY, PredictionEncoder, PredictionRecords
from producers.outputs import Outputs
from producers.prediction_rows import PredictionRows, _written
from producers.sink import KafkaSink
from tests.batches import batch_of

CLASSES = ("down", "up")
# Printable ASCII but for the quote and the backslash: what Tokens promise.
LETTERS = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"\\')
IDS = st.one_of(
    st.text(LETTERS, max_size=40),
    st.integers(0, 1024).map(lambda size: (LETTERS * 12)[:size]),
    st.integers(-(10**18) + 1, 10**18 - 1),
)
INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 9, 10, -1, -(2**63), 2**63 - 1])
FLOATS = st.floats() | st.sampled_from(
    [math.nan, math.inf, -math.inf, -0.0, 1e22, 1e16, 5e-324, 2.2e-308, 1.7976931348623157e308]
)
LABELS = st.one_of(
    st.lists(st.text(), min_size=1, max_size=4),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
)


def tokens(ids: Sequence[str | int]) -> Tokens:
    """Put ids into a buffer in which other things stand too."""
    text, starts, ends = bytearray(b"{"), [], []
    for each in ids:
        text += b'"id": '
        starts.append(len(text))
        text += msgspec.json.encode(each)
        ends.append(len(text))
        text += b"}\n"
    return Tokens(
        np.frombuffer(text, np.uint8), np.array(starts, np.int64), np.array(ends, np.int64)
    )


def batch(ids: Sequence[str | int], **changed: Any) -> EventBatch:
    return replace(batch_of(np.zeros((len(ids), 1))), ids=ids, **changed)


def said(values: Any, probabilities: Any, model_version: Any) -> Predictions:
    return Predictions(values, probabilities, model_version, np.ones(len(values), np.bool_))


def chances_of(column: Sequence[float], values: NDArray[np.int64], n_classes: int) -> Any:
    """Give probabilities of all classes, of which those of the predicted ones are given."""
    probabilities = np.full((len(values), n_classes), 0.5)
    probabilities[np.arange(len(values)), values] = column
    return probabilities


def assert_same_bytes(
    classes: Sequence[int | str] | None, events: EventBatch, predictions: Predictions
) -> None:
    encoder = PredictionEncoder(classes, 3)
    expected = encoder.encode(events, predictions)
    written = encoder.encode(replace(events, ids=tokens(events.ids)), predictions)
    assert isinstance(written.values, Slices)
    assert written.values.ends.max(initial=0) <= len(written.values.buffer)
    assert list(written.values) == expected.values
    assert list(written) == list(expected)


@st.composite
def columns(draw: st.DrawFn, max_size: int = 12) -> dict[str, Any]:
    """Give the ids of some events, and three columns of integers."""
    ids = draw(st.lists(IDS, max_size=max_size))
    of_this_size = st.lists(INT64, min_size=len(ids), max_size=len(ids))
    names = ("partitions", "offsets", "model_version")
    return {"ids": ids} | {name: np.array(draw(of_this_size), np.int64) for name in names}


@settings(deadline=None)  # the first one compiles
@given(columns(), LABELS, st.data())
def test_classes_are_written_as_msgspec_writes_them(
    these: dict[str, Any], classes: list[Any], data: st.DataObject
) -> None:
    versions, count = these.pop("model_version"), len(these["ids"])
    indices = data.draw(st.lists(st.integers(0, len(classes) - 1), min_size=count, max_size=count))
    values = np.array(indices, np.int64)
    column = data.draw(st.none() | st.lists(FLOATS, min_size=count, max_size=count))
    chances = None if column is None else chances_of(column, values, len(classes))
    assert_same_bytes(classes, batch(**these), said(values, chances, versions))


@settings(deadline=None)  # the first one compiles
@given(columns(), st.data())
def test_numbers_are_written_as_msgspec_writes_them(
    these: dict[str, Any], data: st.DataObject
) -> None:
    versions, count = these.pop("model_version"), len(these["ids"])
    values = np.array(data.draw(st.lists(FLOATS, min_size=count, max_size=count)), np.float64)
    assert_same_bytes(None, batch(**these), said(values, None, versions))


@settings(deadline=None)  # the first one compiles
@given(columns(), st.data())
def test_clusters_are_written_as_msgspec_writes_them(
    these: dict[str, Any], data: st.DataObject
) -> None:
    versions, count = these.pop("model_version"), len(these["ids"])
    values = np.array(data.draw(st.lists(INT64, min_size=count, max_size=count)), np.int64)
    assert_same_bytes(None, batch(**these), said(values, None, versions))


@pytest.mark.parametrize("count", [0, 1, 2, 3_000])
def test_a_batch_may_have_any_number_of_events(count: int) -> None:
    random = np.random.default_rng(count)
    values = random.integers(0, 2, count)
    chances = chances_of(random.random(count).tolist(), values, 2)
    ids = [f"id-{i}" if i % 3 else -i for i in range(count)]
    versions = random.integers(-(2**63), 2**63 - 1, count)
    assert_same_bytes(CLASSES, batch(ids), said(values, chances, versions))


@pytest.mark.parametrize("digits", range(1, 20))
def test_an_integer_of_any_length_is_written(digits: int) -> None:
    powers = [10 ** (digits - 1), 10 ** (digits - 1) - 1, 1 - 10 ** (digits - 1)]
    offsets = np.array([min(power, 2**63 - 1) for power in powers])
    ids = [int(power) % 10**18 for power in powers]
    nothing = said(np.zeros(3, np.int64), None, -offsets)
    assert_same_bytes(CLASSES, batch(ids, offsets=offsets), nothing)


def test_the_longest_rows_fill_the_buffer_and_no_more() -> None:
    least = np.full(50, -(2**63))
    values = np.arange(50) % 2
    ids = [LETTERS[i:] for i in range(50)]
    predictions = said(values, chances_of([0.1 + 0.2] * 50, values, 2), least)
    assert_same_bytes(CLASSES, batch(ids, partitions=least, offsets=least), predictions)
    columns = values, predictions.of_predicted_class(), least, least, least
    written = PredictionRows(CLASSES).write(tokens(ids), *columns)
    assert written.ends[-1] == len(written.buffer)


def test_what_no_json_number_can_say_becomes_null() -> None:
    values = np.array([math.nan, math.inf, -math.inf])
    rows = PredictionRows(None).write(
        tokens(["a", "b", 3]), values, None, *(np.arange(3) for _ in range(3))
    )
    assert rows[0] == (b'{"id":"a","prediction":null,"model_version":0,"partition":0,"offset":0}')
    assert [msgspec.json.decode(row)["prediction"] for row in rows] == [None] * 3


def test_columns_need_not_be_contiguous() -> None:
    offsets = np.arange(8)[::-2]
    events = batch([1, 2, 3, 4], offsets=offsets)
    twice = tokens([1, 0, 2, 0, 3, 0, 4, 0])[::2]
    encoder = PredictionEncoder(CLASSES, 1)
    predictions = said(np.array([0, 1, 0, 1]), None, offsets * -7)
    written = encoder.encode(replace(events, ids=twice), predictions)
    assert list(written.values) == encoder.encode(events, predictions).values


def test_columns_of_different_lengths_are_refused() -> None:
    three, four = np.arange(3), np.arange(4)
    rows = PredictionRows(("a", "b", "c", "d"))
    for columns in ((four, None, three, three, three), (three, np.zeros(4), three, three, three)):
        with pytest.raises(ValueError, match=r"3 ids, but columns of \["):
            rows.write(tokens([1, 2, 3]), *columns)


def test_a_class_that_is_not_there_is_refused() -> None:
    one = np.zeros(1, np.int64)
    with pytest.raises(IndexError):
        PredictionRows(CLASSES).write(tokens(["a"]), one + 2, None, one, one, one)


def test_all_kinds_of_predictions_share_one_compiled_copy() -> None:
    three, tenths = np.arange(3), np.array([0.1, 0.2, 0.3])
    kinds: list[tuple[Any, Any, Any]] = [
        (("a", "b", "c"), three, tenths),
        ((1, 2, 3), three, None),
        (None, three, None),
        (None, tenths, None),
    ]
    for classes, values, chances in kinds:
        PredictionRows(classes).write(tokens("abc"), values, chances, three, three, three)
    none = three[:0]
    PredictionRows(None).write(tokens(""), none, None, none, none, none)
    assert len(_written.signatures) == 1  # type: ignore[attr-defined]  # numba ships no types


def test_records_in_one_buffer_are_handed_over_in_runs_of_a_partition() -> None:
    events = batch(tokens(range(5)), keys=[None, None, b"k", None, None])
    values = np.array([0, 1, 0, 1, 0])
    records = PredictionEncoder(CLASSES, 3).encode(
        replace(events, partitions=np.array([3, 0, 0, 4, 4])), said(values, None, np.arange(5))
    )
    assert list(records.partitions) == [0, 0, BY_KEY, 1, 1]
    runs = [(partition, list(records.values[rows])) for partition, rows in records.runs()]
    assert [partition for partition, _ in runs] == [0, BY_KEY, 1]
    assert [value for _, part in runs for value in part] == list(records.values)
    assert [msgspec.json.decode(value)["id"] for _, value, _ in records] == [0, 1, 2, 3, 4]


def test_records_in_one_buffer_arrive_at_a_broker_in_order_but_for_those_too_large() -> None:
    count, large = 200, 120
    ids = [LETTERS * 20 if i == large else i for i in range(count)]
    values = np.arange(count) % 2
    records = PredictionEncoder(CLASSES, 1).encode(
        batch(tokens(ids)), said(values, None, np.arange(count))
    )
    with EmbeddedBroker() as broker:
        for topic in ("predictions", "letters"):
            broker.create_topic(topic, 1)
        config = {"bootstrap.servers": broker.bootstrap_servers}
        sink = KafkaSink(config, Outputs("predictions", "letters", 1, max_bytes=1_000))
        assert sink.predictions(records) == [large]
        sink.flush(30.0)
        sink.close()
        consumer = Consumer({**config, "group.id": "reader"})
        consumer.assign([TopicPartition("predictions", 0, 0)])
        found = consumer.consume(count - 1, 30.0)
        consumer.close()
    assert [m.value() for m in found] == [v for i, v in enumerate(records.values) if i != large]


def test_records_with_headers_are_written_one_by_one() -> None:
    headers: list[Headers] = [[("a", b"1")], []]
    encoder = PredictionEncoder(CLASSES, 1)
    predictions = said(np.array([0, 1]), None, np.arange(2))
    as_tokens = encoder.encode(batch(tokens(["x", 7])), predictions, headers)
    as_list = encoder.encode(batch(["x", 7]), predictions, headers)
    assert list(as_tokens.with_headers()) == list(as_list.with_headers())


def test_values_in_one_buffer_are_a_sequence_of_bytes() -> None:
    words = [b"one", b"", b"three", b"x"]
    ends = np.cumsum([len(word) for word in words])
    starts = ends - [len(word) for word in words]
    values = Slices(np.frombuffer(b"".join(words), np.uint8), starts, ends)
    assert list(values) == words
    assert [values[at] for at in range(4)] == words
    assert (len(values), values[-1], b"three" in values) == (4, b"x", True)
    for part in (slice(1, 3), slice(2, None), slice(None, None, -1), slice(4, None)):
        assert list(values[part]) == words[part]
    with pytest.raises(IndexError):
        values[4]
    assert list(PredictionRecords([None] * 4, values, [0] * 4)) == [
        (None, word, 0) for word in words
    ]


@given(st.lists(IDS))
def test_tokens_are_the_ids_that_they_hold(ids: list[str | int]) -> None:
    held = tokens(ids)
    assert list(held) == ids
    assert list(held[1:]) == ids[1:]
    positions = np.arange(len(ids))[::-2]
    assert list(held.take(positions)) == ids[::-2]
    assert len(held) == len(ids)
