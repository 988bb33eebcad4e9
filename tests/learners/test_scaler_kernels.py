from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from learners.events import Floats
from learners.guard import Guard
from learners.model_spec import StepSpec
from tests.batches import batch_of, learn_in_parts
from tests.kernel_cases import Case
from tests.kernel_comparison import assert_close_numbers, assert_close_predictions

MODEL = StepSpec("SGDRegressor", {"loss": "huber"})


def assert_equals_scikit_learn(
    X: Floats, use: str, params: dict[str, Any], *, sparse: bool = False, target: float = 1.0
) -> None:
    batch = batch_of(X, target * np.linspace(-1.0, 1.0, len(X)))
    if sparse:
        batch = replace(batch, X=csr_array(X))
    case = Case([StepSpec(use, params), MODEL], None, batch, [2, 1], Guard())
    learner, general = case.compiled(), case.general()
    with np.errstate(all="ignore"):
        predictions = learn_in_parts(learner, batch, case.sizes)
        assert_close_predictions(case, predictions, general.test_then_train(batch))
    assert_close_numbers(learner.pipeline, general.pipeline)


@pytest.mark.parametrize("use", ["MinMaxScaler", "MaxAbsScaler", "StandardScaler"])
@pytest.mark.parametrize("size", [1e-16, 1e-15, 1e-14, 1.0])
def test_a_range_within_the_rounding_error_counts_as_none(use: str, size: float) -> None:
    assert_equals_scikit_learn(size * np.array([[1.0], [2.0], [0.5], [2.1], [-1.0]]), use, {})


@pytest.mark.parametrize("shift", [1e6, -1e9])
def test_features_far_from_zero_keep_their_digits(shift: float) -> None:
    X = shift + np.random.default_rng(0).normal(size=(50, 3))
    assert_equals_scikit_learn(X, "StandardScaler", {})


@pytest.mark.parametrize("sparse", [False, True])
def test_a_mean_that_overflows_makes_its_row_guilty(sparse: bool) -> None:  # noqa: FBT001 - pytest passes it by name
    X = np.array([[1e308], [1e308], [1e308]])
    params = {"with_mean": False}
    # Weights of 0 stay 0, so that the model takes every row.
    assert_equals_scikit_learn(X, "StandardScaler", params, sparse=sparse, target=0.0)


@pytest.mark.parametrize("use", ["MinMaxScaler", "MaxAbsScaler"])
def test_a_range_that_overflows_makes_its_row_guilty(use: str) -> None:
    X = np.array([[1.5e308], [-1.5e308], [1.0], [2.0]])
    assert_equals_scikit_learn(X, use, {})


@pytest.mark.parametrize("use", ["MaxAbsScaler", "StandardScaler"])
def test_columns_that_come_late_in_csr_are_scaled_as_scikit_learn_does(use: str) -> None:
    X = np.zeros((12, 4))
    X[[1, 3, 8, 11], [0, 1, 2, 0]] = [3.0, 1e6, -2.0, 5.0]
    params = {"with_mean": False} if use == "StandardScaler" else {"clip": True}
    assert_equals_scikit_learn(X, use, params, sparse=True)
