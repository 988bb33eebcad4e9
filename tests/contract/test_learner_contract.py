from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from learners.compiled import CompiledLearner
from learners.events import EventBatch
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.learner import Learner, LearnerSnapshot, Task
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from learners.serialization import ModelFormatError, load_pipeline
from tests.batches import (
    assert_same_numbers,
    assert_same_predictions,
    batch_of,
    cut,
    learn_in_parts,
)

SCALER = StepSpec("StandardScaler", {})
LOG_LOSS = StepSpec("SGDClassifier", {"loss": "log_loss"})
CLASSES = ("a", "b", "c")


def compiled(guard: Guard) -> Learner:
    return CompiledLearner(build_pipeline([SCALER, LOG_LOSS]), CLASSES, guard)


def compiled_without_probabilities(guard: Guard) -> Learner:
    steps = [StepSpec("SGDClassifier", {"loss": "hinge", "penalty": "none"})]
    return CompiledLearner(build_pipeline(steps), CLASSES, guard)


def general(guard: Guard) -> Learner:
    return GeneralLearner(build_pipeline([SCALER, LOG_LOSS]), CLASSES, 1, guard)


def general_in_strides(guard: Guard) -> Learner:
    return GeneralLearner(build_pipeline([SCALER, LOG_LOSS]), CLASSES, 5, guard)


def regression(guard: Guard) -> Learner:
    return GeneralLearner(build_pipeline([SCALER, StepSpec("SGDRegressor", {})]), None, 1, guard)


def clusters(guard: Guard) -> Learner:
    steps = [SCALER, StepSpec("MiniBatchKMeans", {"n_clusters": 3})]
    return GeneralLearner(build_pipeline(steps), None, 1, guard)


class Subject(NamedTuple):
    new: Callable[[], Learner]
    batch: EventBatch
    limited: Callable[[Guard], Learner]


@pytest.fixture(
    params=[
        compiled,
        compiled_without_probabilities,
        general,
        general_in_strides,
        regression,
        clusters,
    ]
)
def subject(request: pytest.FixtureRequest) -> Subject:
    rng = np.random.default_rng(1)
    make: Callable[[Guard], Learner] = request.param
    y = rng.integers(0, 3, 40)
    X = rng.normal(size=(40, 4)) + y[:, None]
    task = make(Guard()).task
    labels: Any = y.astype(float) if task is Task.REGRESSION else y
    return Subject(lambda: make(Guard()), batch_of(X, labels, rng.random(40) < 0.8), make)


def assert_same_snapshots(one: LearnerSnapshot, other: LearnerSnapshot) -> None:
    # The bytes of a model name its objects by where they were in memory.
    assert one.state == other.state
    assert_same_numbers(load_pipeline(one.model), load_pipeline(other.model))


def learned(subject: Subject) -> Any:
    """Tell which events the learner learns."""
    unsupervised = subject.new().task is Task.UNSUPERVISED
    return np.ones(40, np.bool_) if unsupervised else subject.batch.labelled


def test_the_first_event_is_predicted_by_an_empty_model(subject: Subject) -> None:
    predictions = subject.new().test_then_train(subject.batch)
    assert predictions.values[0] == 0
    assert predictions.model_version[0] == 0
    if predictions.probabilities is not None:
        np.testing.assert_array_equal(predictions.probabilities[0], [1 / 3] * 3)


def test_the_model_version_counts_the_events_learned_before(subject: Subject) -> None:
    learner = subject.new()
    predictions = learner.test_then_train(subject.batch)
    learns = learned(subject).astype(int)
    np.testing.assert_array_equal(predictions.model_version, np.cumsum(learns) - learns)
    assert learner.model_version == learns.sum()


def test_labels_change_nothing_before_their_own_event_is_predicted(subject: Subject) -> None:
    other = replace(subject.batch, y=subject.batch.y.copy())
    other.y[20:] = other.y[20:][::-1]
    one = subject.new().test_then_train(subject.batch)
    two = subject.new().test_then_train(other)
    first = np.arange(40) <= 20
    assert_same_predictions(one.take(first), two.take(first))


def test_labels_of_unlabelled_events_are_never_looked_at(subject: Subject) -> None:
    other = replace(subject.batch, y=subject.batch.y.copy())
    other.y[~other.labelled] = -1
    assert_same_predictions(
        subject.new().test_then_train(subject.batch), subject.new().test_then_train(other)
    )


@pytest.mark.parametrize("sizes", [[1] * 40, [7, 1, 13], [39]])
def test_results_do_not_depend_on_how_events_are_cut(subject: Subject, sizes: list[int]) -> None:
    whole, parts = subject.new(), subject.new()
    expected = whole.test_then_train(subject.batch)
    assert_same_predictions(learn_in_parts(parts, subject.batch, sizes), expected)
    assert_same_snapshots(parts.snapshot(), whole.snapshot())


def test_a_learner_restored_after_each_batch_ends_as_one_that_never_stopped(
    subject: Subject,
) -> None:
    whole, stopped = subject.new(), subject.new()
    whole.test_then_train(subject.batch)
    for part in cut(subject.batch, [3, 8, 1, 11]):
        stopped.test_then_train(part)
        snapshot = stopped.snapshot()
        stopped = subject.new()
        stopped.restore(snapshot)
    assert stopped.model_version == whole.model_version
    assert_same_snapshots(stopped.snapshot(), whole.snapshot())
    assert_same_predictions(
        stopped.test_then_train(subject.batch), whole.test_then_train(subject.batch)
    )


def test_a_snapshot_changes_nothing_and_is_not_changed_by_what_comes_after(
    subject: Subject,
) -> None:
    learner, untouched = subject.new(), subject.new()
    halves = list(cut(subject.batch, [20]))
    learner.test_then_train(halves[0])
    untouched.test_then_train(halves[0])
    snapshot = learner.snapshot()
    after = learner.test_then_train(halves[1])
    assert_same_predictions(after, untouched.test_then_train(halves[1]))
    learner.restore(snapshot)
    assert_same_predictions(after, learner.test_then_train(halves[1]))


def test_a_guilty_row_is_as_if_it_had_never_come(subject: Subject) -> None:
    # A first row of any size is fine: there is nothing yet that it is far away from.
    bad = np.isin(np.arange(40), [1, 2, 17, 39])
    batch = replace(subject.batch, labelled=subject.batch.labelled | bad)
    batch.X[bad] = 1e200
    batch.y[bad] = 0  # wrong, since a row that a model is sure of leaves it as it is
    learner, clean = subject.new(), subject.new()
    predictions = learner.test_then_train(batch)
    np.testing.assert_array_equal(predictions.accepted, ~bad)
    expected = clean.test_then_train(batch.take(~bad))
    assert_same_predictions(predictions.take(~bad), expected)
    assert learner.model_version == clean.model_version


def test_no_weight_ever_passes_the_limit(subject: Subject) -> None:
    learner = subject.limited(Guard(max_weight=1e-3))
    accepted = learner.test_then_train(subject.batch).accepted
    model = load_pipeline(learner.snapshot().model)[-1]
    for name in ("coef_", "intercept_", "cluster_centers_"):
        assert np.all(np.abs(getattr(model, name, 0.0)) <= 1e-3)
    assert not accepted.all()
    assert learner.model_version == (accepted & learned(subject)).sum()


def test_an_empty_batch_is_fine_at_any_time(subject: Subject) -> None:
    learner = subject.new()
    nothing = subject.batch.take(np.zeros(40, np.bool_))
    assert len(learner.test_then_train(nothing)) == 0
    learner.test_then_train(subject.batch)
    assert len(learner.test_then_train(nothing)) == 0


def test_a_snapshot_of_another_model_is_refused(subject: Subject) -> None:
    other = GeneralLearner(build_pipeline([StepSpec("GaussianNB", {})]), CLASSES)
    with pytest.raises(ModelFormatError, match="not those of the settings"):
        subject.new().restore(other.snapshot())


def test_a_snapshot_of_other_classes_is_refused() -> None:
    one, other = compiled(Guard()), CompiledLearner(build_pipeline([SCALER, LOG_LOSS]), (1, 2, 3))
    one.test_then_train(batch_of(np.eye(3), np.arange(3)))
    with pytest.raises(ModelFormatError, match="classes are not those of the settings"):
        other.restore(one.snapshot())


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{}",
        b"[]",
        b'{"stride": 3, "model_version": 0, "open_rows": [], "open_labels": []}',
        b'{"stride": %d, "model_version": 0, "open_rows": [[1.0]], "open_labels": []}',
    ],
)
def test_a_damaged_state_is_refused_and_leaves_the_learner_as_it_was(
    subject: Subject, state: bytes
) -> None:
    learner = subject.new()
    learner.test_then_train(subject.batch)
    before = learner.snapshot()
    state = state % learner.stride if b"%d" in state else state
    with pytest.raises(ModelFormatError):
        learner.restore(LearnerSnapshot(subject.new().snapshot().model, state))
    assert_same_snapshots(learner.snapshot(), before)


@pytest.mark.parametrize("steps", [[SCALER, LOG_LOSS], [StepSpec("SGDClassifier", {})]])
@pytest.mark.parametrize("compiled_first", [True, False])
def test_both_paths_go_on_from_each_others_snapshots(
    steps: list[StepSpec],
    compiled_first: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    rng = np.random.default_rng(5)
    batch = batch_of(rng.normal(size=(40, 3)), rng.integers(0, 3, 40))
    halves = list(cut(batch, [20]))
    one: Learner = CompiledLearner(build_pipeline(steps), CLASSES)
    other: Learner = GeneralLearner(build_pipeline(steps), CLASSES)
    if not compiled_first:
        one, other = other, one
    one.test_then_train(halves[0])
    other.restore(one.snapshot())
    expected, predictions = one.test_then_train(halves[1]), other.test_then_train(halves[1])
    np.testing.assert_array_equal(predictions.values, expected.values)
    np.testing.assert_array_equal(predictions.model_version, np.arange(20, 40))
    if expected.probabilities is not None and predictions.probabilities is not None:
        np.testing.assert_allclose(predictions.probabilities, expected.probabilities, atol=1e-9)
