"""Scores of numeric predictions: against scikit-learn, and at the edges."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from learners.events import Predictions
from learners.learner import Task
from metrics.facts import Baseline, ScoreFacts, View
from metrics.prequential import Scores, make_scores


def facts_of(scores: Scores, truth: Sequence[float], predicted: Sequence[float]) -> ScoreFacts:
    every = np.ones(len(truth), dtype=bool)
    values = np.array(predicted, dtype=np.float64)
    scores.update(
        np.array(truth, dtype=np.float64),
        Predictions(values, None, np.arange(len(truth)), every),
        every,
    )
    return scores.facts()


def expected_scores(y: Any, values: Any, weight: Any) -> dict[str, float]:
    expected = {
        "mae": sk.mean_absolute_error(y, values, sample_weight=weight),
        "rmse": sk.root_mean_squared_error(y, values, sample_weight=weight),
    }
    if len(set(y)) > 1:
        expected["r2"] = sk.r2_score(y, values, sample_weight=weight)
    return expected


@given(
    pairs=st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=60),
    shift=st.sampled_from([0.0, 0.1, 1e6]),
    window=st.integers(1, 70),
    fading=st.sampled_from([0.9, 0.99, 1.0]),
)
@settings(max_examples=120, deadline=None)
def test_each_view_agrees_with_scikit_learn_on_its_events(
    pairs: list[tuple[int, int]], shift: float, window: int, fading: float
) -> None:
    y, values = np.array(pairs, dtype=np.float64).T + shift
    n = len(y)
    facts = facts_of(make_scores(Task.REGRESSION, 0, window, fading), y, values)
    means = np.cumsum([0.0, *y[:-1]]) / np.maximum(np.arange(n), 1)
    weights = {
        View.CUMULATIVE: np.ones(n),
        View.WINDOW: (np.arange(n) >= n - window).astype(np.float64),
        View.FADING: fading ** np.arange(n - 1, -1, -1.0),
    }
    for view, weight in weights.items():
        kept = weight > 0
        assert facts.scores[view] == pytest.approx(
            expected_scores(y[kept], values[kept], weight[kept]), rel=1e-6, abs=1e-8
        )
        assert facts.baselines[view] == pytest.approx(
            {
                Baseline.NO_CHANGE: np.average(np.abs(y - [0.0, *y[:-1]]), weights=weight),
                Baseline.RUNNING_MEAN: np.average(np.abs(y - means), weights=weight),
            },
            rel=1e-9,
            abs=1e-9,
        )
    assert (facts.scored, facts.correct) == (n, 0)


def test_before_the_first_event_every_view_is_there_and_empty() -> None:
    facts = make_scores(Task.REGRESSION, 0).facts()
    assert (facts.scored, facts.correct) == (0, 0)
    assert facts.scores == {view: {} for view in View}
    assert facts.baselines == {view: {} for view in View}


def test_r2_is_left_out_where_all_labels_are_equal() -> None:
    facts = facts_of(make_scores(Task.REGRESSION, 0, window=7), [0.1] * 20, [0.3] * 20)
    for view in View:
        assert facts.scores[view] == pytest.approx({"mae": 0.2, "rmse": 0.2})


def test_an_enormous_error_leaves_the_window_without_a_trace() -> None:
    scores = make_scores(Task.REGRESSION, 0, window=3)
    facts = facts_of(scores, [1.0, 2.0, 3.0, 4.0], [1e200, 2.5, 3.5, 4.5])
    assert facts.scores[View.WINDOW] == {"mae": 0.5, "rmse": 0.5, "r2": 0.625}


def test_scores_that_are_too_large_for_a_number_are_left_out() -> None:
    facts = facts_of(make_scores(Task.REGRESSION, 0), [1.0, 2.0], [1e200, -1e200])
    for view in View:
        assert facts.scores[view] == pytest.approx({"mae": 1e200})


def test_columns_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        facts_of(make_scores(Task.REGRESSION, 0), [1.0, 2.0], [1.0])
