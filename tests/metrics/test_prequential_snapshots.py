"""What snapshots of scores refuse, and what their settings refuse."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from learners.events import Predictions
from learners.learner import Task
from metrics.facts import View
from metrics.prequential import Scores, make_scores

TASKS = [Task.CLASSIFICATION, Task.REGRESSION, Task.UNSUPERVISED]


def trained(task: Task) -> Scores:
    scores = make_scores(task, 2, window=3)
    y = np.array([0, 1, 1, 0, 1])
    every = np.ones(5, dtype=bool)
    scores.update(y, Predictions(y[::-1].copy(), None, np.arange(5), every), every)
    return scores


def spoiled(task: Task, field: str, change: Callable[[Any], Any]) -> bytes:
    document = json.loads(trained(task).snapshot())
    document[field] = change(document[field])
    return json.dumps(document).encode()


def with_bytes(change: Callable[[bytes], bytes]) -> Callable[[str], str]:
    return lambda text: b64encode(change(b64decode(text))).decode()


def number_at(position: int, value: int, dtype: str) -> Callable[[str], str]:
    def change(data: bytes) -> bytes:
        array = np.frombuffer(data, dtype=dtype).copy()
        array[position] = value
        return array.tobytes()

    return with_bytes(change)


@pytest.mark.parametrize("task", TASKS)
def test_a_snapshot_restored_elsewhere_gives_the_same_facts_and_snapshot(task: Task) -> None:
    scores, other = trained(task), make_scores(task, 2, window=3)
    other.restore(scores.snapshot())
    assert other.facts() == scores.facts()
    assert other.snapshot() == scores.snapshot()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("other", TASKS)
def test_a_snapshot_of_another_task_is_refused(task: Task, other: Task) -> None:
    scores = make_scores(task, 2, window=3)
    snapshot = trained(other).snapshot()
    if task is other:
        scores.restore(snapshot)
        return
    with pytest.raises(ValueError, match="cannot be read"):
        scores.restore(snapshot)


@pytest.mark.parametrize("snapshot", [b"", b"{", b"[]", b"{}", b"\xff"])
@pytest.mark.parametrize("task", TASKS)
def test_what_is_no_snapshot_is_refused(task: Task, snapshot: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        make_scores(task, 2).restore(snapshot)


@pytest.mark.parametrize(
    ("task", "field", "change", "message"),
    [
        (Task.CLASSIFICATION, "n_classes", lambda _: 3, "n_classes 3, these scores have 2"),
        (Task.CLASSIFICATION, "window", lambda _: 4, "window 4, these scores have 3"),
        (Task.CLASSIFICATION, "fading", lambda _: 0.5, "fading 0.5, these scores have 0.999"),
        (Task.REGRESSION, "window", lambda _: 4, "window 4, these scores have 3"),
        (Task.REGRESSION, "fading", lambda _: 0.5, "fading 0.5, these scores have 0.999"),
        (Task.CLASSIFICATION, "confusion", with_bytes(lambda b: b[:-8]), "confusion .* 24 bytes"),
        (Task.CLASSIFICATION, "ring_log_loss", with_bytes(lambda b: b + b), "48 bytes"),
        (Task.REGRESSION, "ring", with_bytes(lambda b: b[:-1]), "ring .* 95 bytes"),
        (Task.REGRESSION, "sums", lambda _: "", "sums .* 0 bytes"),
        (Task.CLASSIFICATION, "confusion", number_at(0, 7, "i8"), "number of events differ"),
        (Task.CLASSIFICATION, "ring_cells", number_at(1, 4, "i4"), "window holds a class"),
        (Task.CLASSIFICATION, "ring_cells", number_at(1, -1, "i4"), "window holds a class"),
        (Task.CLASSIFICATION, "tallies", number_at(1, 2, "i8"), "baselines predict a class"),
        (Task.CLASSIFICATION, "tallies", number_at(2, -1, "i8"), "baselines predict a class"),
        (Task.REGRESSION, "sums", number_at(0, -1, "i8"), "negative"),
    ],
)
def test_a_snapshot_that_does_not_fit_is_refused_and_changes_nothing(
    task: Task, field: str, change: Callable[[Any], Any], message: str
) -> None:
    scores = make_scores(task, 2, window=3)
    before = scores.snapshot()
    with pytest.raises(ValueError, match=message):
        scores.restore(spoiled(task, field, change))
    assert scores.snapshot() == before


def test_what_is_no_number_survives_a_snapshot() -> None:
    scores = make_scores(Task.REGRESSION, 0, window=2)
    every = np.ones(1, dtype=bool)
    infinite = Predictions(np.array([np.inf]), None, np.arange(1), every)
    scores.update(np.array([1.0]), infinite, every)
    other = make_scores(Task.REGRESSION, 0, window=2)
    other.restore(scores.snapshot())
    assert other.facts() == scores.facts()
    assert other.facts().scores == {view: {} for view in View}


def test_a_model_without_labels_has_no_scores() -> None:
    facts = trained(Task.UNSUPERVISED).facts()
    assert (facts.scored, facts.correct) == (0, 0)
    assert facts.scores == {view: {} for view in View}
    assert facts.baselines == {view: {} for view in View}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": 0}, "window is 0"),
        ({"fading": 0.0}, "fading is 0.0"),
        ({"fading": 1.5}, "fading is 1.5"),
        ({"fading": float("nan")}, "fading is nan"),
        ({"n_classes": 0}, "n_classes is 0"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_scores(Task.CLASSIFICATION, **{"n_classes": 2, **arguments})
