from typing import Any

import numpy as np
import pytest
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from learners.events import Bools, Floats, Ints
from learners.factory import make_learner
from learners.general import GeneralLearner
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

LOG_LOSS = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.1}


def learner_of(
    *steps: tuple[str, dict[str, Any]],
    classes: tuple[str, ...] | None = None,
    stride: int = 1,
    max_weight: float = 1e12,
) -> GeneralLearner:
    pipeline = build_pipeline([StepSpec(use, params) for use, params in steps])
    return GeneralLearner(pipeline, classes, stride, Guard(max_weight))


def stream(n: int, seed: int = 0) -> tuple[Floats, Ints, Bools]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, 3)) + y[:, None], y, rng.random(n) < 0.7


def test_strides_are_learned_in_one_call_each_with_transformers_row_by_row() -> None:
    X, y, labelled = stream(50)
    learner = learner_of(
        ("StandardScaler", {}), ("SGDClassifier", LOG_LOSS), classes=("n", "p"), stride=7
    )
    predictions = learner.test_then_train(batch_of(X, y, labelled))

    scaler = StandardScaler()
    model = SGDClassifier(**LOG_LOSS, shuffle=False, random_state=0)
    rows: list[Floats] = []
    labels: list[str] = []
    for i, x in enumerate(X):
        z = scaler.partial_fit([x]).transform([x])
        expected = model.predict_proba(z)[0] if hasattr(model, "coef_") else [0.5, 0.5]
        assert predictions.probabilities is not None
        np.testing.assert_array_equal(predictions.probabilities[i], expected)
        if labelled[i]:
            rows.append(z[0])
            labels.append("np"[y[i]])
        if len(rows) == 7:
            model.partial_fit(np.array(rows), labels, classes=["n", "p"])
            rows, labels = [], []
    np.testing.assert_array_equal(learner.pipeline[-1].coef_, model.coef_)
    assert learner.model_version == labelled.sum()
    assert len(learner.state.open_labels) == len(labels)


def test_numbers_are_predicted_as_scikit_learn_does_row_by_row() -> None:
    X, _, _ = stream(30)
    y = X @ [1.0, 2.0, 3.0]
    predictions = learner_of(("SGDRegressor", {})).test_then_train(batch_of(X, y))
    model = SGDRegressor(shuffle=False, random_state=0)
    assert predictions.values[0] == 0.0
    assert predictions.probabilities is None
    for i in range(29):
        model.partial_fit(X[i : i + 1], y[i : i + 1])
        assert predictions.values[i + 1] == model.predict(X[i + 1 : i + 2])[0]


def test_gaussian_naive_bayes_predicts_from_its_first_row_and_stays_scikit_learns_own() -> None:
    X, y, _ = stream(20)
    X[:, 0] += 5.0 * y
    X[:, 1] = 4.0  # its variance stays 0
    learner = learner_of(("GaussianNB", {}), classes=("n", "p"))
    predictions = learner.test_then_train(batch_of(X, y))
    assert predictions.accepted.all()
    assert predictions.probabilities is not None
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1.0)
    model = GaussianNB()
    for i in range(20):
        model.partial_fit(X[i : i + 1], y[i : i + 1], classes=[0, 1])
    np.testing.assert_array_equal(learner.pipeline[-1].var_, model.var_)
    assert np.mean(predictions.values[5:] == y[5:]) > 0.9


def test_gaussian_naive_bayes_takes_rows_that_are_all_alike() -> None:
    batch = batch_of(np.ones((4, 2)), np.array([0, 1, 0, 0]))
    predictions = learner_of(("GaussianNB", {}), classes=("n", "p")).test_then_train(batch)
    assert predictions.accepted.all()
    assert predictions.probabilities is not None
    np.testing.assert_allclose(predictions.probabilities[-1], [2 / 3, 1 / 3])


@pytest.mark.parametrize(("stride", "first"), [(1, 4), (3, 6)])
def test_clusters_start_from_enough_rows_in_one_call(stride: int, first: int) -> None:
    X, _, _ = stream(12)
    learner = learner_of(("MiniBatchKMeans", {"n_clusters": 4}), stride=stride)
    predictions = learn_in_parts(learner, batch_of(X), [1, 2, 4])
    model = MiniBatchKMeans(4, random_state=0, reassignment_ratio=0).partial_fit(X[:first])
    assert predictions.values[:first].tolist() == [0] * first
    assert predictions.values[first] == model.predict(X[first : first + 1])[0]
    for start in range(first, 12, stride):
        model.partial_fit(X[start : start + stride])
    np.testing.assert_array_equal(learner.pipeline[-1].cluster_centers_, model.cluster_centers_)


def test_a_row_too_large_for_a_cluster_is_guilty_before_clusters_start() -> None:
    X = np.array([[1.0], [2.0], [1e9], [3.0], [4.0]])
    learner = learner_of(("MiniBatchKMeans", {"n_clusters": 4}), max_weight=1e6)
    predictions = learn_in_parts(learner, batch_of(X), [1] * 5)
    assert predictions.accepted.tolist() == [True, True, False, True, True]
    assert sorted(learner.pipeline[-1].cluster_centers_.ravel()) == [1.0, 2.0, 3.0, 4.0]


def test_a_predictor_without_labels_learns_every_event() -> None:
    X, y, labelled = stream(30)
    learner = learner_of(("StandardScaler", {}), ("SGDOneClassSVM", {"nu": 0.1}))
    predictions = learner.test_then_train(batch_of(X, y, labelled))
    assert predictions.model_version.tolist() == list(range(30))
    assert set(predictions.values.tolist()) <= {-1, 1}
    assert predictions.values[0] == 1


def test_only_rows_with_unknown_categories_are_guilty() -> None:
    X = np.array([[0.0], [1.0], [2.0], [1.0], [-1.0], [0.0]])
    y = np.array([0, 1, 1, 1, 0, 0])
    learner = learner_of(("CategoricalNB", {"min_categories": 2}), classes=("n", "p"))
    predictions = learner.test_then_train(batch_of(X, y, np.arange(6) != 4))
    assert predictions.accepted.tolist() == [True, True, False, True, False, True]
    assert predictions.model_version.tolist() == [0, 1, 2, 2, 3, 3]
    assert learner.pipeline[-1].category_count_[0].tolist() == [[2.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize("stride", [1, 2, 5, 16])
def test_guilty_rows_are_as_if_they_had_never_come_in_any_stride(stride: int) -> None:
    X, _, labelled = stream(60)
    y = X.sum(axis=1)
    bad = np.isin(np.arange(60), [0, 7, 8, 33, 59])
    labelled |= bad
    X[bad] = [1e200, -1e200, 1.0]
    batch = batch_of(X, y, labelled)
    expected = learner_of(("SGDRegressor", {}), stride=stride)
    clean = expected.test_then_train(batch.take(~bad))
    assert clean.accepted.all()
    for sizes in ([], [1] * 60, [9, 2, 30]):
        learner = learner_of(("SGDRegressor", {}), stride=stride)
        predictions = learn_in_parts(learner, batch, sizes)
        np.testing.assert_array_equal(predictions.accepted, ~bad)
        assert_same_predictions(predictions.take(~bad), clean)
        assert_same_numbers(learner.pipeline, expected.pipeline)
        assert learner.state.open_labels == expected.state.open_labels


def test_a_weight_above_the_limit_is_as_guilty_as_one_that_is_not_finite() -> None:
    X = np.array([[1.0], [50.0], [1.0]])
    y = np.array([3.0, 4.0, 5.0])
    learner = learner_of(("SGDRegressor", {"eta0": 0.1}), max_weight=10.0)
    assert learner.test_then_train(batch_of(X, y)).accepted.tolist() == [True, False, True]


def test_a_transformer_that_overflows_makes_its_row_guilty_though_it_has_no_label() -> None:
    X = np.array([[1.0], [1e200], [2.0], [3.0]])
    learner = learner_of(("StandardScaler", {}), ("SGDRegressor", {}))
    batch = batch_of(X, np.ones(4), np.array([True, False, True, True]))
    assert learner.test_then_train(batch).accepted.tolist() == [True, False, True, True]
    assert learner.pipeline[0].n_samples_seen_ == 3


def test_large_features_alone_are_not_guilty() -> None:
    X, y, labelled = stream(10)
    learner = learner_of(
        ("StandardScaler", {}), ("SGDClassifier", LOG_LOSS), classes=("n", "p"), max_weight=100.0
    )
    assert learner.test_then_train(batch_of(X * 1e12, y, labelled)).accepted.all()
    assert learner.pipeline[0].var_.max() > 1e20


def test_events_are_not_changed_by_transformers_that_work_in_place() -> None:
    X, y, labelled = stream(10)
    batch = batch_of(X.copy(), y, labelled)
    learner = learner_of(
        ("StandardScaler", {"copy": False}), ("SGDClassifier", LOG_LOSS), classes=("n", "p")
    )
    learner.test_then_train(batch)
    np.testing.assert_array_equal(batch.X, X)


def test_a_neural_network_does_not_grow_with_the_stream() -> None:
    X, y, _ = stream(20)
    learner = learner_of(("MLPClassifier", {"hidden_layer_sizes": [3]}), classes=("n", "p"))
    learner.test_then_train(batch_of(X, y))
    assert len(learner.pipeline[-1].loss_curve_) == 1


def test_the_general_path_gives_what_the_compiled_one_gives_on_elec2() -> None:
    batch = elec2(300)
    parameters = {**LOG_LOSS, "eta0": 0.005, "penalty": "none"}
    steps = [StepSpec("StandardScaler", {}), StepSpec("SGDClassifier", parameters)]
    general = GeneralLearner(build_pipeline(steps), ("DOWN", "UP"))
    compiled = make_learner(steps, ("DOWN", "UP"), 8)
    assert (general.path, compiled.path) == ("general", "compiled")
    one, other = general.test_then_train(batch), compiled.test_then_train(batch)
    np.testing.assert_array_equal(one.values, other.values)
    assert one.probabilities is not None
    assert other.probabilities is not None
    np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-9)
