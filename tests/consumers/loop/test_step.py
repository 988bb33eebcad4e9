"""Predict, score, learn: what a step counts, and what it leaves out."""

from dataclasses import replace

import numpy as np
import pytest

from consumers.loop.step import Step
from learners.drift.catalogue import spec_of
from learners.drift.monitor import DriftMonitor
from learners.events import EventBatch
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.learner import Task
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from metrics.facts import DriftFacts, View
from metrics.prequential import Scores, make_scores
from tests.batches import batch_of, cut

LINEAR = (StepSpec("StandardScaler", {}), StepSpec("SGDClassifier", {"loss": "log_loss"}))


def step_of(
    *steps: StepSpec, classes: tuple[str, ...] | None = ("down", "up")
) -> tuple[Step, Scores]:
    task = Task.CLASSIFICATION if classes else Task.UNSUPERVISED
    scores = make_scores(task, 2)
    return Step(GeneralLearner(build_pipeline(steps), classes, 1, Guard()), scores), scores


def events(count: int) -> EventBatch:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, count)
    return batch_of(rng.normal(size=(count, 2)) + y[:, None], y)


def test_every_event_is_predicted_and_the_labelled_ones_scored_and_learned() -> None:
    step, scores = step_of(*LINEAR)
    batch = replace(events(20), labelled=np.arange(20) % 4 > 0)
    result = step(batch)
    assert len(result.predictions) == len(result.batch) == 20
    assert result.learned == 15
    assert result.poisoned.tolist() == []
    assert scores.facts().scored == 15


def test_an_event_is_scored_by_what_was_said_before_it_was_learned() -> None:
    step, scores = step_of(*LINEAR)
    # Before anything is learned the first class is said: right, then wrong.
    step(batch_of(np.array([[1.0, 1.0]]), np.array([0])))
    assert scores.facts().scores[View.CUMULATIVE]["accuracy"] == 1.0
    step, scores = step_of(*LINEAR)
    step(batch_of(np.array([[1.0, 1.0]]), np.array([1])))
    assert scores.facts().scores[View.CUMULATIVE]["accuracy"] == 0.0


def test_row_42_a_guilty_row_is_left_out_of_everything_and_named_by_its_place_in_the_read() -> None:
    step, scores = step_of(*LINEAR)
    batch = events(10)
    # The read held more records than the batch: rows are places there.
    batch = replace(batch, rows=np.arange(10) * 2 + 1, X=batch.X.copy())
    batch.X[[4, 9]] = 1e200
    result = step(batch)
    assert result.poisoned.tolist() == [9, 19]
    assert result.learned == 8
    assert result.batch.ids == [0, 1, 2, 3, 5, 6, 7, 8]
    assert len(result.predictions) == 8
    assert result.predictions.model_version.tolist() == list(range(8))
    assert scores.facts().scored == 8


def test_bad_input_32_an_empty_batch_does_nothing() -> None:
    step, scores = step_of(*LINEAR)
    result = step(events(0))
    assert (len(result.predictions), result.learned) == (0, 0)
    assert scores.facts().scored == 0


@pytest.mark.parametrize("labelled", [True, False])
def test_a_model_without_labels_learns_every_event(
    labelled: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    step, _ = step_of(StepSpec("MiniBatchKMeans", {"n_clusters": 2}), classes=None)
    batch = replace(events(6), labelled=np.full(6, labelled))
    assert step(batch).learned == 6


def drifting(count: int = 600) -> EventBatch:
    """Give events whose labels mean nothing in the second half, which is of another partition."""
    batch = events(count)
    late = np.arange(count) >= count // 2
    y = np.where(late, np.random.default_rng(5).integers(0, 2, count), batch.y)
    return replace(batch, y=y, partitions=3 * late)


def watched_step() -> Step:
    learner = GeneralLearner(build_pipeline(LINEAR), ("down", "up"), 1, Guard())
    drift = DriftMonitor([spec_of("ddm", {})])
    return Step(learner, make_scores(Task.CLASSIFICATION, 2), drift)


def test_bad_input_35_a_burst_of_wrong_labels_raises_an_alarm_and_no_event_is_lost() -> None:
    batch = drifting()
    batch = replace(batch, offsets=batch.offsets + 1000)
    result = watched_step()(batch)
    assert result.learned == len(result.predictions) == len(batch)
    (found, *_) = result.drifts
    assert found.detector == "ddm"
    assert found.partition == 3
    assert 1300 < found.offset < 1600
    assert found.model_version == found.offset - 1000


def test_what_is_found_does_not_depend_on_how_a_read_was_cut() -> None:
    batch = drifting()
    whole = watched_step()(batch).drifts
    step = watched_step()
    parts: list[DriftFacts] = []
    for part in cut(batch, [1, 299, 7, 50]):
        parts += step(part).drifts
    assert tuple(parts) == whole
    assert whole


def test_row_42_a_guilty_row_is_no_error_for_the_detectors() -> None:
    batch = drifting()
    guilty = batch.X.copy()
    guilty[5::10] = 1e200
    with_guilty = watched_step()(replace(batch, X=guilty))
    without = watched_step()(batch.take(np.arange(len(batch)) % 10 != 5))
    assert len(with_guilty.poisoned) == 60
    assert with_guilty.drifts == without.drifts
    assert without.drifts


def test_without_detectors_no_change_is_found() -> None:
    step, _ = step_of(*LINEAR)
    assert step(drifting()).drifts == ()
