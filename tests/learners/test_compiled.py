from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from learners.compiled import CompiledLearner, has_kernels
from learners.factory import make_learner
from learners.guard import Guard
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    batch_of,
    elec2,
    learn_in_parts,
)

STEPS = [
    StepSpec("StandardScaler", {}),
    StepSpec(
        "SGDClassifier",
        {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.005, "penalty": "none"},
    ),
]


def test_elec2_ends_at_its_known_accuracy_however_it_is_cut() -> None:
    batch = elec2()
    learner = make_learner(STEPS, ("DOWN", "UP"), 8)
    assert learner.path == "compiled"
    predictions = learn_in_parts(learner, batch, [512] * 88)
    assert np.mean(predictions.values == batch.y) == pytest.approx(0.8190, abs=0.0005)
    assert learner.model_version == len(batch) == 45_312


def test_rows_that_cannot_start_a_model_are_left_out_until_one_can() -> None:
    X = np.array([[1.0, 2.0]] + [[1e308, -1e308]] * 40 + [[1.0, 2.0], [3.0, 4.0]])
    learner = make_learner(STEPS[1:], (0, 1), 2)
    batch = batch_of(X, np.ones(43, np.int64), np.arange(43) > 0)
    predictions = learner.test_then_train(batch)
    np.testing.assert_array_equal(np.flatnonzero(~predictions.accepted), np.arange(1, 41))
    assert predictions.model_version[-2:].tolist() == [0, 1]


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
def test_a_row_that_no_class_wants_belongs_to_all_alike_as_in_scikit_learn(loss: str) -> None:
    pipeline = build_pipeline([StepSpec("SGDClassifier", {"loss": loss})])
    learner = CompiledLearner(pipeline, (0, 1, 2))
    learner.test_then_train(batch_of(np.eye(3), np.arange(3)))
    pipeline[-1].coef_[:] = 0.0
    pipeline[-1].intercept_[:] = -1000.0
    probabilities = learner.test_then_train(batch_of(np.eye(3))).probabilities
    np.testing.assert_array_equal(probabilities, np.full((3, 3), 1 / 3))
    np.testing.assert_array_equal(probabilities, pipeline.predict_proba(np.eye(3)))


def test_a_pipeline_without_kernels_is_refused() -> None:
    pipeline = build_pipeline([StepSpec("MaxAbsScaler", {}), StepSpec("MLPRegressor", {})])
    assert not has_kernels(pipeline)
    with pytest.raises(ValueError, match="has no kernel"):
        CompiledLearner(pipeline)


def test_a_pipeline_may_have_kernels_for_dense_rows_only() -> None:
    pipeline = build_pipeline([StepSpec("MinMaxScaler", {}), StepSpec("SGDClassifier", {})])
    assert has_kernels(pipeline)
    assert not has_kernels(pipeline, sparse=True)


def test_rows_in_csr_never_reach_kernels_for_dense_ones() -> None:
    learner = make_learner([StepSpec("MinMaxScaler", {}), StepSpec("SGDClassifier", {})], (0, 1), 2)
    batch = batch_of(np.eye(2), np.arange(2))
    learner.test_then_train(batch)
    with pytest.raises(ValueError, match="no kernel for rows in CSR"):
        learner.test_then_train(replace(batch, X=csr_array(batch.X)))


def test_a_predictor_without_labels_is_compiled_though_no_event_has_one() -> None:
    X = np.random.default_rng(0).normal(size=(30, 3))
    steps = [StepSpec("MiniBatchKMeans", {"n_clusters": 4})]
    whole, parts = make_learner(steps, None, 3), make_learner(steps, None, 3)
    assert whole.path == "compiled"
    expected = whole.test_then_train(batch_of(X))
    assert_same_predictions(learn_in_parts(parts, batch_of(X), [1] * 30), expected)


def test_a_guilty_row_in_csr_leaves_wide_weights_bit_for_bit_as_they_were() -> None:
    steps = [StepSpec("MaxAbsScaler", {}), StepSpec("SGDRegressor", {"penalty": "l1"})]
    rng = np.random.default_rng(0)
    X = random_array((40, 5_000), density=0.001, rng=rng, format="csr")
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    bad = np.isin(np.arange(40), [0, 17, 18, 39])
    y = np.where(bad, 1e300, rng.normal(size=40))
    batch = replace(batch_of(np.zeros((40, 1)), y), X=X)
    guard = Guard(max_weight=100.0)
    learner, clean = (make_learner(steps, None, 5_000, 1, guard, sparse=True) for _ in range(2))
    assert isinstance(learner, CompiledLearner)
    assert isinstance(clean, CompiledLearner)
    np.testing.assert_array_equal(learner.test_then_train(batch).accepted, ~bad)
    assert clean.test_then_train(batch.take(~bad)).accepted.all()
    assert_same_numbers(learner.pipeline, clean.pipeline)


def test_events_of_another_width_never_reach_compiled_code() -> None:
    learner = make_learner(STEPS, (0, 1), 2)
    learner.test_then_train(batch_of(np.eye(2), np.arange(2)))
    with pytest.raises(ValueError, match="the model has 2 features, not 3"):
        learner.test_then_train(batch_of(np.eye(3), np.zeros(3, np.int64)))
