"""Every kernel of the registry against scikit-learn called row by row.

A new kernel needs no line here: what it is given follows from what scikit-learn says it takes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from learners.kernels.registry import all_kernels
from learners.outcome import joined
from learners.scikit_rows import for_prediction, transform_row
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    cut,
    learn_in_parts,
    numbers_of,
)
from tests.kernel_cases import Case, Subject, cases, subjects

TOLERANCE = 1e-9  # relative to max(1, |value|)
FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


@pytest.fixture(params=subjects(), ids=lambda subject: subject.name, scope="module")
def subject(request: pytest.FixtureRequest) -> Subject:
    one: Subject = request.param
    return one


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


def assert_close_predictions(case: Case, predictions: Any, expected: Any) -> None:
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


def test_each_kernel_is_held_against_scikit_learn() -> None:
    assert {id(subject.kernel) for subject in subjects()} == set(map(id, all_kernels()))


@FEW
@given(data=st.data())
def test_a_kernel_equals_scikit_learn_called_row_by_row(
    subject: Subject, data: st.DataObject
) -> None:
    case = data.draw(cases(subject))
    learner, general = case.compiled(), case.general()
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    expected = general.test_then_train(case.batch)
    assert_close_predictions(case, predictions, expected)
    assert_close_numbers(learner.pipeline, general.pipeline)


@settings(FEW, max_examples=25)
@given(data=st.data())
def test_the_rows_that_scikit_learn_cannot_take_are_the_guilty_ones(
    subject: Subject, data: st.DataObject
) -> None:
    case = data.draw(cases(subject, guilty=True))
    learner, general = case.compiled(), case.general()
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    expected = general.test_then_train(case.batch)
    assert_close_predictions(case, predictions, expected)
    assert_close_numbers(learner.pipeline, general.pipeline)


@settings(FEW, max_examples=12)
@given(data=st.data())
def test_cuts_stops_and_guilty_rows_leave_everything_else_bit_for_bit_the_same(
    subject: Subject, data: st.DataObject
) -> None:
    case = data.draw(cases(subject, guilty=True))
    whole = case.compiled()
    expected = learn_in_parts(whole, case.batch)

    stopped = case.compiled()
    parts = []
    for part in cut(case.batch, case.sizes):
        parts.append(stopped.test_then_train(part))
        snapshot = stopped.snapshot()
        stopped = case.compiled()
        stopped.restore(snapshot)

    clean = case.compiled()
    kept = learn_in_parts(clean, case.batch.take(expected.accepted), case.sizes)

    assert kept.accepted.all()
    assert_same_predictions(kept, expected.take(expected.accepted))
    for name in ("values", "accepted", "model_version"):
        together = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(together, getattr(expected, name))
    for learner in (stopped, clean):
        assert learner.model_version == whole.model_version
        assert_same_numbers(learner.pipeline, whole.pipeline)


@settings(FEW, max_examples=12)
@given(data=st.data())
def test_scikit_learn_goes_on_where_a_kernel_stopped(subject: Subject, data: st.DataObject) -> None:
    case = data.draw(cases(subject))
    first, rest = cut(case.batch, [len(case.batch) // 2])
    compiled, general, whole = case.compiled(), case.general(), case.general()
    predictions = [compiled.test_then_train(first)]
    general.restore(compiled.snapshot())
    predictions.append(general.test_then_train(rest))
    expected = whole.test_then_train(case.batch)
    assert_close_predictions(case, joined(predictions), expected)
    assert_close_numbers(general.pipeline, whole.pipeline)
