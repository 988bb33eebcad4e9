from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from learners.compiled import CompiledLearner
from learners.events import EventBatch, Floats
from learners.factory import make_learner
from learners.guard import Guard
from learners.learner import Learner
from learners.model_spec import StepSpec
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    batch_of,
    cut,
    learn_in_parts,
)

TOLERANCE = 1e-9  # relative to max(1, |value|)


@dataclass(frozen=True)
class Case:
    scaler: dict[str, Any] | None
    classifier: dict[str, Any]
    n_classes: int
    batch: EventBatch
    sizes: list[int]

    def learner(self, guard: Guard | None = None) -> Learner:
        first = [] if self.scaler is None else [StepSpec("StandardScaler", self.scaler)]
        steps = [*first, StepSpec("SGDClassifier", self.classifier)]
        n_features = self.batch.X.shape[1]
        learner = make_learner(steps, tuple(range(self.n_classes)), n_features, 1, guard or Guard())
        assert isinstance(learner, CompiledLearner)
        return learner


@st.composite
def classifiers(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "loss": draw(st.sampled_from(["log_loss", "hinge", "modified_huber", "perceptron"])),
        "learning_rate": draw(st.sampled_from(["constant", "optimal", "invscaling"])),
        "penalty": draw(st.sampled_from(["none", "l2"])),
        # 1e5 makes the weights' scale vanish, where scikit-learn folds it in at once.
        "alpha": draw(st.sampled_from([1e-7, 1e-4, 0.01, 1.0, 99.9999999999, 1e5])),
        "eta0": draw(st.sampled_from([1e-4, 0.01, 1.0])),
        "power_t": draw(st.sampled_from([0.1, 0.5, 1.0])),
        "fit_intercept": draw(st.booleans()),
    }


@st.composite
def cases(draw: st.DrawFn, *, guilty: bool = False) -> Case:
    n_classes = draw(st.integers(2, 5))
    n_features = draw(st.integers(1, 6))
    n_rows = draw(st.integers(2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shift = rng.choice([0.0, 0.0, 1e6, -1e6], n_features)
    scale = 10.0 ** rng.integers(-6, 7, n_features)
    X = rng.normal(size=(n_rows, n_features)) * scale + shift
    X[:, rng.random(n_features) < 0.2] = draw(st.sampled_from([0.0, 3.0, 1e6 + 0.1]))
    if guilty:
        # Where terms of a dot product are infinite, its value depends on the order of adding them.
        largest = 1e308 if n_features == 1 else 1e290
        X[rng.random(n_rows) < 0.15] = draw(st.sampled_from([1e30, 1e155, largest]))
    return Case(
        scaler=draw(
            st.none()
            | st.fixed_dictionaries({"with_mean": st.booleans(), "with_std": st.booleans()})
        ),
        classifier=draw(classifiers()),
        n_classes=n_classes,
        batch=batch_of(X, rng.integers(0, n_classes, n_rows), rng.random(n_rows) < 0.8),
        sizes=draw(st.lists(st.integers(1, 20), max_size=6)),
    )


class RowByRow:
    """scikit-learn itself, called with one row at a time."""

    def __init__(self, case: Case) -> None:
        parameters = dict(case.classifier)
        parameters["penalty"] = None if parameters["penalty"] == "none" else "l2"
        self.scaler = None if case.scaler is None else StandardScaler(**case.scaler)
        self.model = SGDClassifier(**parameters, shuffle=False, random_state=0)
        self.classes = np.arange(case.n_classes)

    def predict(self, x: Floats) -> tuple[Floats, int, Floats | None]:
        """Let the scaler learn a row; give what the classifier says of it."""
        z = x if self.scaler is None else self.scaler.partial_fit(x).transform(x)
        if not hasattr(self.model, "coef_"):
            proba = np.full(len(self.classes), 1.0 / len(self.classes))
            return z, 0, proba if hasattr(self.model, "predict_proba") else None
        label = int(self.model.predict(z)[0])
        if not hasattr(self.model, "predict_proba"):
            return z, label, None
        return z, label, self.model.predict_proba(z)[0]

    def learn(self, z: Floats, label: int) -> None:
        self.model.partial_fit(z, [label], classes=self.classes)

    def margin(self, z: Floats) -> float:
        decision = np.sort(np.atleast_1d(self.model.decision_function(z)[0]))
        return float(abs(decision[0]) if len(decision) == 1 else decision[-1] - decision[-2])


def assert_close(value: Any, expected: Any) -> None:
    np.testing.assert_array_less(
        np.abs(value - expected), TOLERANCE * np.maximum(1.0, np.abs(expected)) + 1e-300
    )


FEW = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@FEW
@given(cases())
def test_the_compiled_path_equals_scikit_learn_called_row_by_row(case: Case) -> None:
    learner = case.learner(Guard(max_weight=np.inf))
    predictions = learn_in_parts(learner, case.batch, case.sizes)
    reference = RowByRow(case)
    with config_context(skip_parameter_validation=True):
        for i in range(len(case.batch)):
            z, label, probabilities = reference.predict(case.batch.X[i : i + 1].copy())
            if predictions.values[i] != label:
                assert reference.margin(z) < TOLERANCE
            if probabilities is not None:
                assert predictions.probabilities is not None
                assert_close(predictions.probabilities[i], probabilities)
            if case.batch.labelled[i]:
                reference.learn(z, int(case.batch.y[i]))
    assert predictions.accepted.all()
    assert isinstance(learner, CompiledLearner)
    model = learner.pipeline[-1]
    assert hasattr(model, "coef_") == case.batch.labelled.any()
    if hasattr(model, "coef_"):
        assert_close(model.coef_, reference.model.coef_)
        assert_close(model.intercept_, reference.model.intercept_)
        assert model.t_ == reference.model.t_
    if reference.scaler is not None:
        for name in ("mean_", "var_", "scale_"):
            mine, theirs = getattr(learner.pipeline[0], name), getattr(reference.scaler, name)
            assert (mine is None) == (theirs is None)
            if theirs is not None:
                assert_close(mine, theirs)
        assert learner.pipeline[0].n_samples_seen_ == reference.scaler.n_samples_seen_


def scikit_learn_takes(case: Case, rows: list[int]) -> bool:
    """Tell whether scikit-learn learns these rows and stays within the guard's limit."""
    reference = RowByRow(case)
    try:
        for i in rows:
            z, _, probabilities = reference.predict(case.batch.X[i : i + 1].copy())
            if probabilities is not None and np.isnan(probabilities).any():
                return False
            if case.batch.labelled[i]:
                reference.learn(z, int(case.batch.y[i]))
    except ValueError:
        return False
    moments = [getattr(reference.scaler, name, None) for name in ("mean_", "var_", "scale_")]
    weights = [getattr(reference.model, name, 0.0) for name in ("coef_", "intercept_")]
    return all(np.isfinite(array).all() for array in moments if array is not None) and all(
        np.all(np.abs(array) <= Guard().max_weight) for array in weights
    )


@settings(FEW, max_examples=30)
@given(cases(guilty=True))
def test_the_rows_that_scikit_learn_cannot_take_are_the_guilty_ones(case: Case) -> None:
    predictions = learn_in_parts(case.learner(), case.batch, case.sizes)
    taken: list[int] = []
    with np.errstate(all="ignore"), config_context(skip_parameter_validation=True):
        for i in range(len(case.batch)):
            expected = scikit_learn_takes(case, [*taken, i])
            assert predictions.accepted[i] == expected
            if expected:
                taken.append(i)


@settings(FEW, max_examples=40)
@given(cases(guilty=True), st.lists(st.integers(1, 20), max_size=6), st.sampled_from([1.0, 1e12]))
def test_cuts_stops_and_guilty_rows_leave_everything_else_bit_for_bit_the_same(
    case: Case, other_sizes: list[int], max_weight: float
) -> None:
    guard = Guard(max_weight=max_weight)
    whole = case.learner(guard)
    expected = learn_in_parts(whole, case.batch)

    stopped = case.learner(guard)
    parts = []
    for part in cut(case.batch, other_sizes):
        parts.append(stopped.test_then_train(part))
        snapshot = stopped.snapshot()
        stopped = case.learner(guard)
        stopped.restore(snapshot)

    clean = case.learner(guard)
    kept = learn_in_parts(clean, case.batch.take(expected.accepted), case.sizes)

    assert kept.accepted.all()
    assert_same_predictions(kept, expected.take(expected.accepted))
    values = np.concatenate([part.values for part in parts])
    np.testing.assert_array_equal(values, expected.values)
    accepted = np.concatenate([part.accepted for part in parts])
    np.testing.assert_array_equal(accepted, expected.accepted)
    for learner in (stopped, clean):
        assert learner.model_version == whole.model_version
        assert isinstance(learner, CompiledLearner)
        assert isinstance(whole, CompiledLearner)
        assert_same_numbers(learner.pipeline, whole.pipeline)
