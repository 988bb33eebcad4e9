from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from learners.guard import Guard
from learners.model_spec import StepSpec
from tests.batches import batch_of, learn_in_parts
from tests.kernel_cases import Case
from tests.kernel_comparison import assert_close_numbers, assert_close_predictions

CONSTANT = {"learning_rate": "constant", "eta0": 0.01}
# Steps of 0.01 shrink the weights by all but 1e-12 of them, to nothing, or below nothing.
STRONG = [99.9999999999, 100.0, 1e5]


def case_of(use: str, params: dict[str, Any], *, sparse: bool) -> Case:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(40, 5))
    X[rng.random(X.shape) < 0.4] = 0.0
    X[7] = 0.0
    classes = (0, 1, 2) if use in ("SGDClassifier", "Perceptron") else None
    y = rng.integers(0, 3, 40) if classes else rng.normal(size=40)
    batch = batch_of(X, y, rng.random(40) < 0.9)
    if sparse:
        batch = replace(batch, X=csr_array(X))
    return Case([StepSpec(use, params)], classes, batch, [3, 20], Guard())


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize(
    ("use", "params"),
    [
        *(("SGDClassifier", {**CONSTANT, "alpha": alpha}) for alpha in STRONG),
        *(("SGDRegressor", {**CONSTANT, "alpha": alpha, "average": 4}) for alpha in STRONG),
        ("SGDRegressor", {**CONSTANT, "alpha": STRONG[0], "penalty": "elasticnet"}),
        ("SGDRegressor", {**CONSTANT, "alpha": 0.5, "penalty": "l1"}),
        ("SGDClassifier", {"learning_rate": "pa1", "penalty": "elasticnet", "average": 2}),
        ("SGDClassifier", {"learning_rate": "pa2", "penalty": "l2"}),
        ("SGDRegressor", {"learning_rate": "pa1", "loss": "epsilon_insensitive"}),
        ("SGDRegressor", {"learning_rate": "pa2", "loss": "epsilon_insensitive"}),
        ("SGDClassifier", {"learning_rate": "invscaling", "eta0": 1.0, "power_t": 0.1}),
        ("SGDOneClassSVM", {"nu": 1.0, "learning_rate": "constant", "eta0": 1.0}),
        ("SGDOneClassSVM", {"average": 8, "nu": 0.2}),
        ("Perceptron", {"penalty": "l1", "eta0": 0.5}),
    ],
)
def test_rare_branches_equal_scikit_learn(
    use: str,
    params: dict[str, Any],
    sparse: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    case = case_of(use, params, sparse=sparse)
    learner, general = case.compiled(), case.general()
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    assert_close_predictions(case, predictions, general.test_then_train(case.batch))
    assert_close_numbers(learner.pipeline, general.pipeline)


@pytest.mark.parametrize("average", [1, 5, 40])
@pytest.mark.parametrize("classes", [(0, 1), (0, 1, 2)])
def test_averages_are_kept_where_scikit_learn_keeps_them(
    average: int, classes: tuple[int, ...]
) -> None:
    case = case_of("SGDClassifier", {**CONSTANT, "average": average}, sparse=False)
    case = replace(case, classes=classes, batch=replace(case.batch, y=case.batch.y % len(classes)))
    learner, general = case.compiled(), case.general()
    for part in (case.batch, case.batch):
        assert_close_predictions(case, learner.test_then_train(part), general.test_then_train(part))
        assert_close_numbers(learner.pipeline, general.pipeline)
    model = learner.pipeline[-1]
    assert np.shares_memory(model.coef_, model._average_coef) == (average < model.t_)
