from typing import Any

import pytest

from learners.learner import Task
from learners.pipeline import ModelSpecError, StepSpec, build_pipeline, task_of

LOG_LOSS = StepSpec("SGDClassifier", {"loss": "log_loss"})


def refusal(*steps: StepSpec) -> ModelSpecError:
    with pytest.raises(ModelSpecError) as caught:
        build_pipeline(steps)
    assert "\n" not in str(caught.value)
    return caught.value


def test_steps_are_built_by_their_scikit_learn_names_and_parameters() -> None:
    pipeline = build_pipeline(
        [
            StepSpec("MinMaxScaler", {"feature_range": [-1, 1], "clip": True}),
            StepSpec("SGDClassifier", {"loss": "log_loss", "penalty": "none", "eta0": 0.5}),
        ]
    )
    assert [type(step).__name__ for step in pipeline] == ["MinMaxScaler", "SGDClassifier"]
    assert pipeline[0].feature_range == (-1, 1)
    assert (pipeline[-1].loss, pipeline[-1].penalty, pipeline[-1].eta0) == ("log_loss", None, 0.5)


@pytest.mark.parametrize(
    ("use", "task"),
    [
        ("SGDClassifier", Task.CLASSIFICATION),
        ("MLPRegressor", Task.REGRESSION),
        ("MiniBatchKMeans", Task.UNSUPERVISED),
        ("SGDOneClassSVM", Task.UNSUPERVISED),
    ],
)
def test_the_task_follows_from_the_last_step(use: str, task: Task) -> None:
    assert task_of(build_pipeline([StepSpec(use, {})])) is task


@pytest.mark.parametrize("use", ["SGDClassifier", "SGDRegressor", "MLPClassifier"])
def test_order_and_chance_are_pinned(use: str) -> None:
    model = build_pipeline([StepSpec(use, {})])[-1]
    assert model.shuffle is False
    assert model.random_state == 0
    assert build_pipeline([StepSpec(use, {"random_state": 7})])[-1].random_state == 7


def test_clusters_are_never_thrown_away() -> None:
    assert build_pipeline([StepSpec("MiniBatchKMeans", {})])[-1].reassignment_ratio == 0


@pytest.mark.parametrize(
    ("params", "key", "value"),
    [
        ({"loss": "log"}, "loss", "log"),
        ({"eta0": 0}, "eta0", 0),
        ({"alpha": 0}, "alpha", 0),
        ({"learning_rate": "pa1", "loss": "log_loss"}, "loss", "log_loss"),
        ({"los": "hinge"}, "los", "hinge"),
        ({"shuffle": True}, "shuffle", True),
        ({"early_stopping": True}, "early_stopping", True),
        ({"random_state": None}, "random_state", None),
        ({"random_state": "none"}, "random_state", None),
        ({"class_weight": "balanced"}, "class_weight", "balanced"),
    ],
)
def test_a_parameter_that_cannot_be_is_named_with_its_value(
    params: dict[str, Any], key: str, value: Any
) -> None:
    error = refusal(StepSpec("StandardScaler", {}), StepSpec("SGDClassifier", params))
    assert error.key == f"model.steps[1].{key}"
    assert error.value == value
    assert str(error) == f"{error.key} = {value!r}: {error.problem}; {error.mend}"


def test_allowed_values_are_listed_in_order() -> None:
    mend = refusal(StepSpec("SGDClassifier", {"loss": "log"})).mend
    assert mend.startswith("it must be a str among 'epsilon_insensitive', 'hinge', 'huber'")


@pytest.mark.parametrize(
    ("use", "mend"),
    [
        ("SGDClasifier", "did you mean SGDClassifier?"),
        ("Pipeline", "use for example StandardScaler"),
        ("LogisticRegression", "use for example StandardScaler"),
        ("PassiveAggressiveClassifier", 'SGDClassifier with learning_rate = "pa1" or "pa2"'),
        ("PassiveAggressiveRegressor", 'SGDRegressor with learning_rate = "pa1" or "pa2"'),
        ("SelectFromModel", "use for example StandardScaler"),
        ("Birch", "use MiniBatchKMeans"),
    ],
)
def test_an_estimator_that_cannot_be_used_comes_with_a_better_one(use: str, mend: str) -> None:
    error = refusal(StepSpec(use, {}))
    assert (error.key, error.value) == ("model.steps[0].use", use)
    assert mend in error.mend


def test_a_misspelt_parameter_comes_with_the_right_one() -> None:
    assert refusal(StepSpec("SGDClassifier", {"los": 1})).mend == "did you mean loss?"


def test_a_solver_without_partial_fit_is_refused() -> None:
    error = refusal(StepSpec("MLPClassifier", {"solver": "lbfgs"}))
    assert "has no partial_fit" in error.problem


def test_the_last_step_must_be_a_predictor() -> None:
    error = refusal(StepSpec("StandardScaler", {}))
    assert (error.key, error.value) == ("model.steps[0].use", "StandardScaler")


@pytest.mark.parametrize("after", [StepSpec("StandardScaler", {}), LOG_LOSS])
def test_nothing_comes_after_the_predictor(after: StepSpec) -> None:
    assert refusal(LOG_LOSS, after).key == "model.steps[0].use"


def test_no_steps_at_all_is_an_error() -> None:
    assert refusal().key == "model.steps"


def test_categories_must_be_declared() -> None:
    error = refusal(StepSpec("CategoricalNB", {}))
    assert error.key == "model.steps[0].min_categories"
    assert build_pipeline([StepSpec("CategoricalNB", {"min_categories": 4})])
