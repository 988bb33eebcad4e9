import warnings
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn import config_context

from learners.compiled import CompiledLearner, has_kernels
from learners.kernels.kernel import Matrix, SparseRows
from learners.kernels.naive_bayes_arithmetic import pairwise_sum
from learners.kernels.registry import predictor_kernel
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from learners.scikit_rows import for_prediction
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    batch_of,
    cut,
    learn_in_parts,
)
from tests.learners.naive_bayes_cases import (
    ALL,
    IN_CSR,
    Case,
    assert_close_models,
    assert_same_prediction,
    cases,
)

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Let scikit-learn take the logarithm of the number of rows of a class that never came."""
    with np.errstate(all="ignore"), config_context(skip_parameter_validation=True):
        yield


@settings(FEW, max_examples=150)
@given(cases(ALL))
def test_naive_bayes_equals_scikit_learn_called_row_by_row(case: Case) -> None:
    learner = case.compiled()
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    assert predictions.probabilities is not None
    reference = case.model()
    for i in range(len(case.batch)):
        x = np.asarray(case.batch.X)[i : i + 1]
        if hasattr(reference, "classes_"):
            smoothed = for_prediction(reference)
            assert_same_prediction(
                predictions.values[i],
                predictions.probabilities[i],
                smoothed.predict(x)[0],
                smoothed.predict_proba(x)[0],
            )
        if case.batch.labelled[i]:
            reference.partial_fit(x, case.batch.y[[i]], classes=case.classes)
    assert predictions.accepted.all()
    assert_close_models(learner.pipeline[-1], reference)


@settings(FEW, max_examples=150)
@given(cases(ALL, guilty=True))
def test_the_rows_that_the_general_path_refuses_are_the_guilty_ones(case: Case) -> None:
    expected_learner, learner = case.general(), case.compiled()
    expected = expected_learner.test_then_train(case.batch)
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    np.testing.assert_array_equal(predictions.accepted, expected.accepted)
    np.testing.assert_array_equal(predictions.model_version, expected.model_version)
    assert_close_models(learner.pipeline[-1], expected_learner.pipeline[-1])


@FEW
@given(cases(ALL, guilty=True), st.lists(st.integers(1, 20), max_size=6))
def test_cuts_and_stops_of_naive_bayes_leave_everything_bit_for_bit_the_same(
    case: Case, other_sizes: list[int]
) -> None:
    whole = case.compiled()
    expected = learn_in_parts(whole, case.batch, case.sizes)
    stopped = case.compiled()
    parts = []
    for part in cut(case.batch, other_sizes):
        parts.append(stopped.test_then_train(part))
        snapshot = stopped.snapshot()
        stopped = case.compiled()
        stopped.restore(snapshot)
    clean = case.compiled()
    kept = learn_in_parts(clean, case.batch.take(expected.accepted), other_sizes)
    assert kept.accepted.all()
    assert_same_predictions(kept, expected.take(expected.accepted))
    np.testing.assert_array_equal(
        np.concatenate([part.accepted for part in parts]), expected.accepted
    )
    assert_same_numbers(stopped.pipeline, whole.pipeline)
    assert_same_numbers(clean.pipeline, whole.pipeline)


def sparse_rows(
    X: csr_array, y: NDArray[Any], labelled: NDArray[Any], n_classes: int
) -> SparseRows:
    """Give rows in CSR, with other ones before them in the same arrays."""
    before = np.arange(3)
    matrix = Matrix(
        indptr=(X.indptr + 3).astype(np.int32),
        indices=np.concatenate((before, X.indices)).astype(np.int32),
        data=np.concatenate((before - 1.0, X.data)),
        n_features=X.shape[1],
    )
    values = np.zeros(len(y), np.int64)
    return SparseRows(matrix, y, labelled, values, np.zeros((len(y), n_classes)))


def run_in_csr(case: Case, model: Any, start: int, stop: int) -> SparseRows:
    kernel = predictor_kernel(model)
    assert kernel is not None
    assert kernel.run_sparse is not None
    rows = sparse_rows(
        csr_array(np.asarray(case.batch.X)[start:stop]),
        case.batch.y[start:stop],
        case.batch.labelled[start:stop],
        case.n_classes,
    )
    assert kernel.run_sparse(model, rows, np.inf) == stop - start
    return rows


@settings(FEW, max_examples=80)
@given(cases(IN_CSR, most_features=70))
def test_naive_bayes_in_csr_equals_scikit_learn_fed_csr(case: Case) -> None:
    reference = case.model()
    X = csr_array(case.batch.X)
    reference.partial_fit(X[:1], case.batch.y[:1], classes=case.classes)
    whole, parted = deepcopy(reference), deepcopy(reference)
    rows = run_in_csr(case, whole, 1, len(case.batch))
    for i in range(1, len(case.batch)):
        x = X[i : i + 1]
        label, expected = reference.predict(x)[0], reference.predict_proba(x)[0]
        assert_same_prediction(rows.values[i - 1], rows.probabilities[i - 1], label, expected)
        if case.batch.labelled[i]:
            reference.partial_fit(x, case.batch.y[[i]])
    assert_close_models(whole, reference)
    start = 1
    for size in (*case.sizes, len(case.batch)):
        stop = min(start + size, len(case.batch))
        part = run_in_csr(case, parted, start, stop)
        expected_part = rows.probabilities[start - 1 : stop - 1]
        assert part.probabilities.tobytes() == expected_part.tobytes()
        start = stop
    assert_same_numbers([parted], [whole])


@settings(FEW, max_examples=80)
@given(cases(IN_CSR, guilty=True))
def test_guilty_rows_in_csr_are_those_that_scikit_learn_fed_csr_refuses(case: Case) -> None:
    X = csr_array(case.batch.X)
    model = case.model()
    model.partial_fit(X[:1], case.batch.y[:1], classes=case.classes)
    kernel = predictor_kernel(model)
    assert kernel is not None
    assert kernel.run_sparse is not None
    for i in range(1, len(case.batch)):
        tried, reference = deepcopy(model), deepcopy(model)
        rows = sparse_rows(X[i : i + 1], case.batch.y[[i]], np.ones(1, np.bool_), case.n_classes)
        taken = kernel.run_sparse(tried, rows, 1e12) == 1
        assert taken == scikit_learn_takes(reference, X[i : i + 1], case.batch.y[[i]])
        if taken:
            model = tried


def scikit_learn_takes(model: Any, x: csr_array, y: NDArray[Any]) -> bool:
    if not np.isfinite(model.predict_proba(x)).all():
        return False
    try:
        model.partial_fit(x, y)
    except ValueError:
        return False
    counts = [model.feature_count_, getattr(model, "feature_all_", np.zeros(1))]
    finite = all(np.isfinite(array).all() for array in counts)
    return finite and not np.isnan(model.feature_log_prob_).any()


@pytest.mark.parametrize(
    "step",
    [
        StepSpec("MultinomialNB", {"alpha": 0.0}),
        StepSpec("MultinomialNB", {"alpha": [0.0, 1.0]}),
        StepSpec("ComplementNB", {"alpha": 0}),
        StepSpec("BernoulliNB", {"alpha": 1e-3}),
        StepSpec("BernoulliNB", {"alpha": [1.0, 1.0]}),
        StepSpec("CategoricalNB", {"alpha": 0.0, "min_categories": 3}),
    ],
)
def test_what_cannot_be_equalled_has_no_kernel(step: StepSpec) -> None:
    assert not has_kernels(build_pipeline([step]))


@pytest.mark.parametrize("use", ["MultinomialNB", "ComplementNB"])
def test_without_force_alpha_too_small_a_smoothing_is_raised_as_in_scikit_learn(use: str) -> None:
    step = StepSpec(use, {"alpha": 0.0, "force_alpha": False})
    X = np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 1.0], [2.0, 2.0, 0.0], [1.0, 1.0, 0.0]])
    batch = batch_of(X, np.array([0, 1, 0, 1]))
    learner = CompiledLearner(build_pipeline([step]), (0, 1))
    reference = build_pipeline([step])[-1]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "alpha too small", UserWarning)
        learner.test_then_train(batch)
        for i in range(4):
            reference.partial_fit(X[i : i + 1], [i % 2], classes=(0, 1))
    assert_close_models(learner.pipeline[-1], reference)


@given(st.integers(0, 1200), st.integers(0, 2**32 - 1))
@FEW
def test_sums_are_those_of_numpy_bit_for_bit(size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=size) * 10.0 ** rng.integers(-8, 9, size)
    assert pairwise_sum(numbers) == numbers.sum() == numbers[None].sum(axis=1)[0]


def test_a_guilty_row_leaves_the_table_of_categories_as_it_was() -> None:
    learner = CompiledLearner(
        build_pipeline([StepSpec("CategoricalNB", {"min_categories": 3})]), (0, 1)
    )
    learner.test_then_train(batch_of(np.zeros((2, 2)), np.array([0, 1])))
    before = [count.copy() for count in learner.pipeline[-1].category_count_]
    batch = batch_of(np.array([[1.0, 3.0], [-1.0, 0.0], [2.9, 1.0]]), np.array([0, 1, 1]))
    predictions = learner.test_then_train(batch)
    assert predictions.accepted.tolist() == [False, False, True]
    after = learner.pipeline[-1].category_count_
    before[0][1, 2] += 1.0
    before[1][1, 1] += 1.0
    np.testing.assert_array_equal(after, before)
