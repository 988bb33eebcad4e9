from typing import Any

import numpy as np
import pytest

from learners.compiled import CompiledLearner
from learners.factory import make_learner
from learners.model_spec import ModelSpecError, StepSpec
from tests.batches import batch_of

SCALER = StepSpec("StandardScaler", {})
SGD = StepSpec("SGDClassifier", {})


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([SCALER, StepSpec("SGDClassifier", {"loss": "log_loss"})], "compiled"),
        ([StepSpec("SGDClassifier", {})], "compiled"),
        ([SCALER, SCALER, StepSpec("SGDClassifier", {})], "compiled"),
        ([StepSpec("SGDClassifier", {"average": True, "penalty": "l1"})], "compiled"),
        ([StepSpec("SGDClassifier", {"learning_rate": "pa1", "penalty": "none"})], "compiled"),
        ([StepSpec("MinMaxScaler", {}), StepSpec("Perceptron", {})], "compiled"),
        ([StepSpec("MLPClassifier", {})], "general"),
        ([SCALER, StepSpec("MLPClassifier", {})], "general"),
    ],
)
def test_a_pipeline_is_compiled_where_each_step_has_a_kernel(
    steps: list[StepSpec], path: str
) -> None:
    assert make_learner(steps, (0, 1), 3).path == path


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ([StepSpec("SGDClassifier", {})], "compiled"),
        ([StepSpec("MaxAbsScaler", {}), StepSpec("SGDClassifier", {})], "compiled"),
        ([StepSpec("StandardScaler", {"with_mean": False}), SGD], "compiled"),
        ([StepSpec("MaxAbsScaler", {}), StepSpec("MLPClassifier", {})], "general"),
    ],
)
def test_rows_in_csr_are_compiled_where_each_step_has_a_kernel_for_them(
    steps: list[StepSpec], path: str
) -> None:
    assert make_learner(steps, (0, 1), 3, sparse=True).path == path


@pytest.mark.parametrize("scaler", ["StandardScaler", "MinMaxScaler"])
def test_a_step_that_takes_no_csr_is_named(scaler: str) -> None:
    with pytest.raises(ModelSpecError) as caught:
        make_learner([StepSpec(scaler, {}), SGD], (0, 1), 3, sparse=True)
    assert (caught.value.key, caught.value.value) == ("model.steps[0].use", scaler)
    assert "sparse" in caught.value.problem


def test_a_longer_stride_takes_the_general_path() -> None:
    learner = make_learner([StepSpec("SGDClassifier", {})], (0, 1), 3, stride=10)
    assert (learner.path, learner.stride) == ("general", 10)


@pytest.mark.parametrize(
    ("use", "classes"),
    [
        ("SGDClassifier", None),
        ("SGDClassifier", (1,)),
        ("SGDClassifier", ("a", "a", "b")),
        ("SGDRegressor", (0, 1)),
        ("MiniBatchKMeans", (0, 1)),
    ],
)
def test_classes_that_do_not_fit_the_predictor_are_named(use: str, classes: Any) -> None:
    with pytest.raises(ModelSpecError, match=r"^schema\.classes = ") as caught:
        make_learner([StepSpec(use, {})], classes, 3)
    assert caught.value.key == "schema.classes"


@pytest.mark.parametrize(
    ("steps", "key"),
    [
        ([SCALER, StepSpec("SGDClassifier", {"class_weight": {"7": 1.0}})], "model.steps[1].use"),
        ([StepSpec("GaussianNB", {"priors": [1.0]})], "model.steps[0].use"),
        ([StepSpec("MiniBatchNMF", {"init": "nndsvd"}), SGD], "model.steps[0].use"),
    ],
)
def test_what_scikit_learn_finds_only_while_it_learns_is_told_before(
    steps: list[StepSpec], key: str
) -> None:
    with pytest.raises(ModelSpecError) as caught:
        make_learner(steps, (0, 1), 3)
    assert caught.value.key == key
    assert "\n" not in str(caught.value)


def test_a_stride_below_one_is_refused() -> None:
    with pytest.raises(ModelSpecError, match=r"^learning\.stride = 0"):
        make_learner([StepSpec("SGDClassifier", {})], (0, 1), 3, stride=0)


def test_class_weights_written_as_text_are_those_of_numbers() -> None:
    step = StepSpec("SGDClassifier", {"class_weight": {"0": 5.0, "1": 1.0}})
    learner = make_learner([step], (0, 1), 1)
    assert isinstance(learner, CompiledLearner)
    assert learner.pipeline[-1].class_weight == {0: 5.0, 1: 1.0}


def test_undeclared_order_of_classes_does_not_matter() -> None:
    step = StepSpec("SGDClassifier", {"loss": "log_loss", "eta0": 1.0, "learning_rate": "constant"})
    learner = make_learner([step], ("b", "a"), 1)
    batch = batch_of(np.ones((20, 1)), np.ones(20, np.int64))  # index 1 is "b"
    assert learner.test_then_train(batch).values[-1] == 1
