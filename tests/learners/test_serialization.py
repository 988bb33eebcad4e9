import pickle
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from learners.factory import make_learner
from learners.general import GeneralLearner
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from learners.serialization import ModelFormatError, dump_pipeline, load_pipeline
from tests.batches import assert_same_numbers, assert_same_predictions, batch_of, learn_in_parts

CLASSES = ("a", "b", "c")
PREDICTORS: list[tuple[str, dict[str, Any]]] = [
    ("SGDClassifier", {"loss": "log_loss"}),
    ("SGDClassifier", {"loss": "modified_huber", "average": 7}),
    ("SGDClassifier", {"penalty": "elasticnet", "class_weight": {"a": 2.0}}),
    ("SGDClassifier", {"learning_rate": "pa1", "penalty": "none"}),
    ("Perceptron", {}),
    ("GaussianNB", {}),
    ("BernoulliNB", {}),
    ("MultinomialNB", {}),
    ("ComplementNB", {}),
    ("CategoricalNB", {"min_categories": 2}),
    ("MLPClassifier", {"hidden_layer_sizes": [4]}),
    ("MLPClassifier", {"hidden_layer_sizes": [4], "solver": "sgd"}),
    ("SGDRegressor", {}),
    ("SGDRegressor", {"average": True}),
    ("MLPRegressor", {"hidden_layer_sizes": [4]}),
    ("MiniBatchKMeans", {"n_clusters": 3}),
    ("SGDOneClassSVM", {}),
]
SCALERS = ["StandardScaler", "MinMaxScaler", "MaxAbsScaler"]


def learner_of(scaler: str, use: str, params: dict[str, Any]) -> GeneralLearner:
    steps = [StepSpec(scaler, {}), StepSpec(use, params)]
    if use in ("MultinomialNB", "ComplementNB", "CategoricalNB"):
        steps[0] = StepSpec("MinMaxScaler", {"clip": True})
    is_classifier = use.endswith(("Classifier", "NB", "Perceptron"))
    learner = make_learner(steps, CLASSES if is_classifier else None, 3, stride=2)
    assert isinstance(learner, GeneralLearner)
    return learner


@pytest.mark.parametrize(("use", "params"), PREDICTORS)
def test_a_learner_restored_goes_on_bit_for_bit_as_if_never_stopped(
    use: str, params: dict[str, Any]
) -> None:
    rng = np.random.default_rng(3)
    X = (rng.random((21, 3)) > 0.4).astype(float) if use == "CategoricalNB" else rng.random((21, 3))
    y = rng.integers(0, 3, 21)
    batch = batch_of(X, y if not use.endswith("Regressor") else y.astype(float))
    scaler = SCALERS[len(use) % 3]
    never_stopped = learner_of(scaler, use, params)
    expected = learn_in_parts(never_stopped, batch)

    first = learner_of(scaler, use, params)
    middle = np.arange(21) < 11  # 11 rows: a stride is open
    first.test_then_train(batch.take(middle))
    second = learner_of(scaler, use, params)
    second.restore(first.snapshot())
    assert_same_numbers(second.pipeline, first.pipeline)
    predictions = second.test_then_train(batch.take(~middle))

    assert_same_predictions(predictions, expected.take(~middle))
    assert_same_numbers(second.pipeline, never_stopped.pipeline)
    assert second.model_version == never_stopped.model_version == 21


def test_loaded_arrays_can_be_written_to_and_lie_in_rows() -> None:
    pipeline = make_pipeline(StandardScaler().partial_fit(np.eye(3)))
    for array in vars(load_pipeline(dump_pipeline(pipeline))[0]).values():
        if isinstance(array, np.ndarray):
            assert array.flags.writeable
            assert array.flags.c_contiguous


def test_an_unfitted_pipeline_comes_back() -> None:
    pipeline = build_pipeline([StepSpec("StandardScaler", {}), StepSpec("SGDClassifier", {})])
    assert repr(load_pipeline(dump_pipeline(pipeline))) == repr(pipeline)


def test_a_stored_model_opens_without_streamfit_and_predicts_real_labels() -> None:
    learner = learner_of("StandardScaler", "SGDClassifier", {"loss": "log_loss"})
    X = np.eye(3)
    for _ in range(20):
        learner.test_then_train(batch_of(X, np.array([0, 1, 2])))
    opened = skops.io.loads(learner.snapshot().model)
    assert opened.predict(X).tolist() == ["a", "b", "c"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zip at all",
        pickle.dumps({"a": 1}),
        dump_pipeline(make_pipeline(StandardScaler()))[:-200],
        skops.io.dumps([1, 2]),
        skops.io.dumps(make_pipeline(FunctionTransformer(np.testing.assert_equal))),
    ],
    ids=["nothing", "text", "pickle", "cut", "no pipeline", "a function"],
)
def test_anything_but_a_listed_model_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFormatError):
        load_pipeline(data)
