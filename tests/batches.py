"""Event batches for tests, from matrices alone."""

import csv
import io
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.events import Bools, EventBatch, Floats, Predictions
from learners.learner import Learner

ELEC2 = Path(__file__).parents[1] / "producers" / "data" / "elec2.csv.xz"


def batch_of(X: Floats, y: NDArray[Any] | None = None, labelled: Bools | None = None) -> EventBatch:
    n = len(X)
    numbers = np.arange(n)
    return EventBatch(
        X=np.ascontiguousarray(X, dtype=np.float64),
        y=np.zeros(n, dtype=np.int64) if y is None else y,
        labelled=np.full(n, y is not None) if labelled is None else labelled,
        ids=list(range(n)),
        keys=[None] * n,
        time_ms=numbers,
        partitions=np.zeros(n, dtype=np.int64),
        offsets=numbers,
        rows=numbers,
    )


def cut(batch: EventBatch, sizes: Iterable[int]) -> Iterator[EventBatch]:
    """Cut a batch into parts of these sizes; what is left is the last part."""
    position = np.arange(len(batch))
    start = 0
    for size in (*sizes, len(batch)):
        part = (position >= start) & (position < start + size)
        if part.any() or len(batch) == 0:
            yield batch.take(part)
        start += size


def learn_in_parts(learner: Learner, batch: EventBatch, sizes: Iterable[int] = ()) -> Predictions:
    parts = [learner.test_then_train(part) for part in cut(batch, sizes)]
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    return Predictions(
        values=np.concatenate([part.values for part in parts]),
        probabilities=np.concatenate(probabilities) if probabilities else None,
        model_version=np.concatenate([part.model_version for part in parts]),
        accepted=np.concatenate([part.accepted for part in parts]),
    )


def elec2(n_rows: int | None = None) -> EventBatch:
    """Give the first rows of Elec2; DOWN is class 0, UP is class 1."""
    with lzma.open(ELEC2) as file:
        rows = list(csv.reader(io.TextIOWrapper(file, encoding="ascii")))[1:][:n_rows]
    X = np.array([[float(value) for value in row[:8]] for row in rows])
    return batch_of(X, np.array([int(row[8] == "UP") for row in rows]))


def assert_same_predictions(one: Predictions, other: Predictions) -> None:
    np.testing.assert_array_equal(one.accepted, other.accepted)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.model_version, other.model_version)
    assert (one.probabilities is None) == (other.probabilities is None)
    if one.probabilities is not None and other.probabilities is not None:
        assert one.probabilities.tobytes() == other.probabilities.tobytes()


def numbers_of(estimator: Any) -> dict[str, Any]:
    """Give every fitted number and array of an estimator, by name."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if isinstance(value, (np.ndarray, np.generic, int, float, list))
    }


def assert_same_numbers(one: Any, other: Any) -> None:
    """Compare the steps of two pipelines: types, dtypes, shapes and every bit."""
    for a, b in zip(one, other, strict=True):
        left, right = numbers_of(a), numbers_of(b)
        assert left.keys() == right.keys()
        for name, value in left.items():
            assert type(value) is type(right[name]), name
            for x, y in zip(_arrays(value), _arrays(right[name]), strict=True):
                assert (x.dtype, x.shape) == (y.dtype, y.shape), name
                assert x.tobytes() == y.tobytes(), name


def _arrays(value: Any) -> list[NDArray[Any]]:
    return [np.asarray(item) for item in (value if isinstance(value, list) else [value])]
