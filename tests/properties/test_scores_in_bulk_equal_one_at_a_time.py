"""Scores do not depend on how events were cut into batches, nor on stops in between."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.events import Predictions
from learners.learner import Task
from metrics.prequential import Scores, make_scores

# The small factors make the fading confusion matrix be scaled back every few events.
FADINGS = st.sampled_from([1e-9, 0.01, 0.5, 0.9, 0.999, 1.0])


@st.composite
def streams(draw: st.DrawFn, task: Task, n_classes: int) -> tuple[Any, Predictions, Any]:
    """Labels, predictions and which are labelled, of up to 90 events."""
    n = draw(st.integers(0, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labelled = rng.random(n) < draw(st.sampled_from([0.0, 0.5, 1.0]))
    accepted = rng.random(n) < draw(st.sampled_from([0.9, 1.0]))
    if task is Task.REGRESSION:
        scale = draw(st.sampled_from([1e-3, 1.0, 1e12]))
        y = np.where(labelled, rng.normal(scale, 1.0, n), np.nan)
        return y, Predictions(rng.normal(scale, 1.0, n), None, np.arange(n), accepted), labelled
    y = np.where(labelled, rng.integers(0, n_classes, n), -1)
    probabilities = rng.dirichlet(np.full(n_classes, 0.1), n) if draw(st.booleans()) else None
    values = rng.integers(0, n_classes, n)
    return y, Predictions(values, probabilities, np.arange(n), accepted), labelled


def feed(scores: Scores, stream: tuple[Any, Predictions, Any], start: int, stop: int) -> None:
    y, predictions, labelled = stream
    here = np.zeros(len(y), dtype=bool)
    here[start:stop] = True
    scores.update(y[here], predictions.take(here), labelled[here])


@given(data=st.data(), window=st.integers(1, 12), fading=FADINGS)
@settings(max_examples=150, deadline=None)
def test_cuts_and_restarts_leave_no_trace_in_the_scores(
    data: st.DataObject, window: int, fading: float
) -> None:
    task = data.draw(st.sampled_from([Task.CLASSIFICATION, Task.REGRESSION]))
    n_classes = data.draw(st.sampled_from([1, 2, 3, 7]))
    stream = data.draw(streams(task, n_classes))
    n = len(stream[0])
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    whole, pieces, single = (make_scores(task, n_classes, window, fading) for _ in range(3))
    feed(whole, stream, 0, n)
    for start, stop in zip([0, *cuts], [*cuts, n], strict=True):
        feed(pieces, stream, start, stop)
        if data.draw(st.booleans()):
            taken = pieces.snapshot()
            pieces = make_scores(task, n_classes, window, fading)
            pieces.restore(taken)
    for i in range(n):
        feed(single, stream, i, i + 1)
    assert pieces.snapshot() == single.snapshot() == whole.snapshot()
    assert pieces.facts() == single.facts() == whole.facts()


@given(data=st.data(), fading=FADINGS)
@settings(max_examples=50, deadline=None)
def test_events_that_do_not_count_are_as_if_they_had_never_come(
    data: st.DataObject, fading: float
) -> None:
    task = data.draw(st.sampled_from([Task.CLASSIFICATION, Task.REGRESSION]))
    y, predictions, labelled = data.draw(streams(task, 3))
    counted = labelled & predictions.accepted
    everything, only_counted = (make_scores(task, 3, 5, fading) for _ in range(2))
    everything.update(y, predictions, labelled)
    only_counted.update(y[counted], predictions.take(counted), labelled[counted])
    assert everything.snapshot() == only_counted.snapshot()
    assert everything.facts().scored == counted.sum()
