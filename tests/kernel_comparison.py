"""What it means that a kernel equals scikit-learn: nine digits, and labels but for ties."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.events import Predictions
from learners.scikit_rows import for_prediction, transform_row
from tests.batches import numbers_of
from tests.kernel_cases import Case

TOLERANCE = 1e-9  # relative to max(1, |value|)


def assert_close(value: Any, expected: Any, name: str = "") -> None:
    one, other = np.asarray(value), np.asarray(expected)
    assert (one.dtype, one.shape) == (other.dtype, other.shape), name
    if one.dtype.kind != "f":
        np.testing.assert_array_equal(one, other, name)
        return
    # The logarithm of what has not come yet is -inf.
    finite = np.isfinite(other)
    np.testing.assert_array_equal(one[~finite], other[~finite], name)
    limit = TOLERANCE * np.maximum(1.0, np.abs(other[finite])) + 1e-300
    np.testing.assert_array_less(np.abs(one[finite] - other[finite]), limit, name)


def assert_close_numbers(one: Any, other: Any) -> None:
    """Compare all that two fitted pipelines keep: types, dtypes, shapes and values."""
    for step, expected in zip(one, other, strict=True):
        mine, theirs = numbers_of(step), numbers_of(expected)
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            assert type(mine[name]) is type(value), name
            pairs = zip(mine[name], value, strict=True) if isinstance(value, list) else None
            for a, b in pairs or [(mine[name], value)]:
                assert_close(a, b, name)


def margin(case: Case, row: int) -> float:
    """Tell by how much the best prediction of a row is better than the next."""
    learner = case.general()
    learner.test_then_train(case.batch.take(np.arange(len(case.batch)) < row))
    *transformers, model = [step for _, step in learner.pipeline.steps]
    z = transform_row(transformers, case.batch.X[row : row + 1].copy())
    if hasattr(model, "decision_function"):
        scores: NDArray[Any] = np.atleast_1d(model.decision_function(z)[0])
    elif hasattr(model, "predict_joint_log_proba"):
        scores = for_prediction(model).predict_joint_log_proba(z)[0]
    else:
        scores = -model.transform(z)[0]
    if len(scores) == 1:
        return float(abs(scores[0]))
    best, next_best = np.sort(scores)[::-1][:2]
    return float((best - next_best) / max(1.0, abs(best)))


def assert_close_predictions(case: Case, predictions: Predictions, expected: Predictions) -> None:
    np.testing.assert_array_equal(predictions.accepted, expected.accepted)
    np.testing.assert_array_equal(predictions.model_version, expected.model_version)
    assert (predictions.probabilities is None) == (expected.probabilities is None)
    if expected.probabilities is not None:
        assert_close(predictions.probabilities, expected.probabilities)
    if expected.values.dtype.kind == "f":
        assert_close(predictions.values, expected.values)
        return
    for row in np.flatnonzero(predictions.values != expected.values):
        assert margin(case, int(row)) < TOLERANCE
