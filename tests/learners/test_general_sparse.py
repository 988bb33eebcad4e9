"""Rows in CSR by scikit-learn's own calls: the same as scikit-learn fed with them one by one."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array
from sklearn.base import clone
from sklearn.naive_bayes import MultinomialNB

from learners.events import EventBatch, Features, Floats
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.learner import LearnerSnapshot
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from learners.rows import from_plain, to_plain
from learners.serialization import ModelFormatError
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    batch_of,
    learn_in_parts,
)

N_FEATURES = 40
CLASSES = ("n", "p")
LOG_LOSS = ("SGDClassifier", {"loss": "log_loss", "penalty": "none", "average": True})
WITHOUT_MEAN = ("StandardScaler", {"with_mean": False})
Steps = tuple[tuple[str, dict[str, Any]], ...]
CLASSIFIERS: dict[str, Steps] = {
    "a linear model": (LOG_LOSS,),
    "a scaled linear model": (WITHOUT_MEAN, ("MaxAbsScaler", {}), LOG_LOSS),
    "a perceptron": (("Perceptron", {}),),
    "multinomial Bayes": (("MultinomialNB", {}),),
    "Bernoulli Bayes": (("BernoulliNB", {}),),
    "complement Bayes": (("MaxAbsScaler", {}), ("ComplementNB", {})),
    "a neural network": (("MLPClassifier", {"hidden_layer_sizes": [3]}),),
}


def learner_of(steps: Steps, stride: int = 1, max_weight: float = 1e12) -> GeneralLearner:
    pipeline = build_pipeline([StepSpec(use, params) for use, params in steps])
    is_classifier = hasattr(pipeline[-1], "predict_proba") or steps[-1][0] == "Perceptron"
    return GeneralLearner(pipeline, CLASSES if is_classifier else None, stride, Guard(max_weight))


def sparse_batch(X: Floats, y: Any, labelled: Any = None) -> EventBatch:
    return replace(batch_of(X, y, labelled), X=csr_array(X))


def dense(X: Any) -> Floats:
    return np.asarray(X.toarray())


def stream(n: int = 30) -> EventBatch:
    rng = np.random.default_rng(1)
    X = dense(random_array((n, N_FEATURES), density=0.2, rng=rng))
    X[3] = 0.0  # nothing is stored of it
    y = (X[:, :5].sum(axis=1) > X[:, 5:10].sum(axis=1)).astype(np.int64)
    return sparse_batch(X, y, rng.random(n) < 0.8)


@pytest.mark.parametrize("steps", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
def test_rows_in_csr_are_learned_as_scikit_learn_learns_them_one_by_one(steps: Steps) -> None:
    batch, learner = stream(), learner_of(steps)
    predictions = learner.test_then_train(batch)
    *transformers, model = [clone(step) for _, step in learner_of(steps).pipeline.steps]
    started = False
    for i in range(len(batch)):
        z: Features = batch.X[i : i + 1]
        for transformer in transformers:
            z = transformer.partial_fit(z).transform(z)
        if started:
            assert CLASSES[predictions.values[i]] == model.predict(z)[0]
            if predictions.probabilities is not None:
                expected = model.predict_proba(z)[0]
                np.testing.assert_array_equal(predictions.probabilities[i], expected)
        if batch.labelled[i]:
            model.partial_fit(z, [CLASSES[batch.y[i]]], classes=np.array(CLASSES))
            started = True
    assert predictions.accepted.all()
    assert learner.model_version == batch.labelled.sum()
    learned = [step for _, step in learner.pipeline.steps]
    if steps[-1][0] == "MLPClassifier":  # keeps a history of losses, which a learner cuts
        del model.loss_curve_[:-1]
    assert_same_numbers(learned, [*transformers, model])


@pytest.mark.parametrize(
    "steps",
    [
        *CLASSIFIERS.values(),
        (("SGDRegressor", {}),),
        (("SGDOneClassSVM", {}),),
        (("MiniBatchKMeans", {"n_clusters": 3}),),
    ],
    ids=lambda steps: str(steps[-1][0]),
)
@pytest.mark.parametrize("stride", [1, 7])
def test_cuts_and_snapshots_in_an_open_stride_change_nothing_of_rows_in_csr(
    steps: Steps, stride: int
) -> None:
    batch = stream()
    if steps[-1][0] == "SGDRegressor":
        batch = replace(batch, y=batch.y.astype(np.float64))
    whole, cut, other = (learner_of(steps, stride) for _ in range(3))
    expected = whole.test_then_train(batch)
    assert expected.accepted.all()
    assert_same_predictions(learn_in_parts(cut, batch, [1, 4, 6]), expected)
    place = np.arange(len(batch))
    first = learner_of(steps, stride)
    first.test_then_train(batch.take(place < 11))
    other.restore(first.snapshot())
    rest = other.test_then_train(batch.take(place >= 11))
    assert_same_predictions(rest, expected.take(place >= 11))
    assert_same_numbers(other.pipeline, whole.pipeline)
    assert other.snapshot().state == whole.snapshot().state


@pytest.mark.parametrize("stride", [1, 5])
def test_guilty_rows_in_csr_are_as_if_they_had_never_come(stride: int) -> None:
    batch = stream()
    steps: Steps = (("SGDRegressor", {}),)
    bad = np.isin(np.arange(len(batch)), [0, 7, 8, 29])
    X = dense(batch.X)
    X[bad, 2] = 1e200
    dirty = sparse_batch(X, X[:, 0] * 2.0 + 1.0, batch.labelled | bad)
    expected = learner_of(steps, stride)
    clean = expected.test_then_train(dirty.take(~bad))
    for sizes in ([], [1] * len(batch), [9, 2]):
        learner = learner_of(steps, stride)
        predictions = learn_in_parts(learner, dirty, sizes)
        np.testing.assert_array_equal(predictions.accepted, ~bad)
        assert_same_predictions(predictions.take(~bad), clean)
        assert_same_numbers(learner.pipeline, expected.pipeline)
        assert learner.snapshot().state == expected.snapshot().state


def test_a_negative_count_in_csr_is_the_events_fault_and_no_others() -> None:
    X = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0], [0.0, 1.0]])
    learner = learner_of((("MultinomialNB", {}),))
    predictions = learner.test_then_train(sparse_batch(X, np.array([0, 1, 0, 1])))
    assert predictions.accepted.tolist() == [True, True, False, True]
    model = MultinomialNB()
    for x, y in ((X[0], "n"), (X[1], "p"), (X[3], "p")):
        model.partial_fit(csr_array(x[None, :]), [y], classes=CLASSES)
    np.testing.assert_array_equal(learner.pipeline[-1].feature_count_, model.feature_count_)


def test_a_row_in_csr_too_large_for_a_cluster_is_guilty_before_clusters_start() -> None:
    X = np.diag([1.0, 2.0, 1e9, 3.0, 4.0])
    learner = learner_of((("MiniBatchKMeans", {"n_clusters": 4}),), max_weight=1e6)
    predictions = learn_in_parts(learner, sparse_batch(X, np.zeros(5)), [1] * 5)
    assert predictions.accepted.tolist() == [True, True, False, True, True]


def test_events_in_csr_are_not_changed_by_transformers_that_work_in_place() -> None:
    batch = stream()
    before = batch.X.copy()
    learner_of((("MaxAbsScaler", {"copy": False}), LOG_LOSS)).test_then_train(batch)
    assert (before != batch.X).nnz == 0


@pytest.mark.parametrize("row", [np.array([[0.1, -0.0, 5e-324]]), csr_array([[0.0, 0.1, 1e300]])])
def test_a_row_of_an_open_stride_comes_back_from_json_bit_for_bit(row: Features) -> None:
    back = from_plain(json.loads(json.dumps(to_plain(row))))
    assert type(back) is type(row)
    assert back.shape == row.shape
    assert np.asarray(back.data).tobytes() == np.asarray(row.data).tobytes()


@pytest.mark.parametrize(
    "row",
    [
        {"n_features": 3, "indices": [3], "data": [1.0]},
        {"n_features": 3, "indices": [-1], "data": [1.0]},
        {"n_features": 3, "indices": [0, 1], "data": [1.0]},
        {"n_features": 3, "indices": [0]},
        {"n_features": 3, "indices": ["a"], "data": [1.0]},
        3,
    ],
)
def test_an_open_row_that_is_no_row_is_refused(row: Any) -> None:
    learner = learner_of((LOG_LOSS,), stride=5)
    learner.test_then_train(stream(4))
    snapshot = learner.snapshot()
    state = json.loads(snapshot.state) | {"open_rows": [row], "open_labels": [0]}
    with pytest.raises(ModelFormatError):
        learner.restore(LearnerSnapshot(snapshot.model, json.dumps(state).encode()))
