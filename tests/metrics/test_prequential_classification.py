"""Scores of class predictions: against scikit-learn, and at the edges."""

import warnings
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


def predictions_of(values: Sequence[int], probabilities: Any = None) -> Predictions:
    n = len(values)
    return Predictions(
        np.array(values, dtype=np.int64), probabilities, np.arange(n), np.ones(n, dtype=bool)
    )


def facts_of(
    scores: Scores, truth: Sequence[int], predicted: Sequence[int], probabilities: Any = None
) -> ScoreFacts:
    y = np.array(truth, dtype=np.int64)
    scores.update(y, predictions_of(predicted, probabilities), np.ones(len(y), dtype=bool))
    return scores.facts()


def no_change_hits(truth: Sequence[int]) -> list[bool]:
    return [a == b for a, b in zip([0, *truth], truth, strict=False)]


def majority_hits(truth: Sequence[int], n_classes: int) -> list[bool]:
    return [
        int(np.argmax(np.bincount(truth[:i], minlength=n_classes))) == label
        for i, label in enumerate(truth)
    ]


def expected_scores(y: Any, values: Any, probabilities: Any, weight: Any) -> dict[str, float]:
    labels = range(probabilities.shape[1])
    with warnings.catch_warnings():
        # scikit-learn warns of classes that were predicted but never occurred.
        warnings.simplefilter("ignore")
        return {
            "accuracy": sk.accuracy_score(y, values, sample_weight=weight),
            "balanced_accuracy": sk.balanced_accuracy_score(y, values, sample_weight=weight),
            "macro_f1": sk.f1_score(y, values, average="macro", sample_weight=weight),
            "kappa": sk.cohen_kappa_score(y, values, sample_weight=weight),
            "log_loss": sk.log_loss(y, probabilities, labels=labels, sample_weight=weight),
        }


@st.composite
def streams(draw: st.DrawFn) -> tuple[Any, Any, Any]:
    """Labels, predictions and probabilities (zeros and ones among them) of 2 to 4 classes."""
    n_classes = draw(st.integers(2, 4))
    label = st.integers(0, n_classes - 1)
    pairs = draw(st.lists(st.tuples(label, label), min_size=1, max_size=60))
    y, values = np.array(pairs, dtype=np.int64).T
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    parts = rng.integers(0, 3, (len(y), n_classes)).astype(np.float64)
    parts[np.arange(len(y)), rng.integers(0, n_classes, len(y))] += 1.0
    return y, values, parts / parts.sum(axis=1, keepdims=True)


@given(stream=streams(), window=st.integers(1, 70), fading=st.sampled_from([0.9, 0.99, 1.0]))
@settings(max_examples=120, deadline=None)
def test_each_view_agrees_with_scikit_learn_on_its_events(
    stream: tuple[Any, Any, Any], window: int, fading: float
) -> None:
    y, values, probabilities = stream
    n = len(y)
    facts = facts_of(
        make_scores(Task.CLASSIFICATION, probabilities.shape[1], window, fading),
        y,
        values,
        probabilities,
    )
    weights = {
        View.CUMULATIVE: np.ones(n),
        View.WINDOW: (np.arange(n) >= n - window).astype(np.float64),
        View.FADING: fading ** np.arange(n - 1, -1, -1.0),
    }
    no_change, majority = no_change_hits(y.tolist()), majority_hits(y, probabilities.shape[1])
    for view, weight in weights.items():
        kept = weight > 0
        expected = expected_scores(y[kept], values[kept], probabilities[kept], weight[kept])
        if len(set(y[kept]) | set(values[kept])) == 1:
            del expected["kappa"]  # chance is never wrong
        baseline = np.average(no_change, weights=weight)
        if not all(np.array(no_change)[kept]):
            expected["kappa_t"] = (expected["accuracy"] - baseline) / (1 - baseline)
        assert facts.scores[view] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        assert facts.baselines[view] == pytest.approx(
            {
                Baseline.NO_CHANGE: baseline,
                Baseline.MAJORITY: np.average(majority, weights=weight),
            }
        )
    assert (facts.scored, facts.correct) == (n, int((y == values).sum()))


def test_counts_are_python_ints() -> None:
    facts = facts_of(make_scores(Task.CLASSIFICATION, 2), [0, 1, 1], [0, 1, 0])
    assert (facts.scored, facts.correct) == (3, 2)
    assert type(facts.scored) is int
    assert type(facts.correct) is int


@pytest.mark.parametrize("fading", [0.6, 0.999])
def test_a_hundred_classes_fade_as_a_few_do(fading: float) -> None:
    rng = np.random.default_rng(7)
    n = 700  # more than the 347 events after which 0.6 is scaled back, twice
    y = rng.integers(0, 100, n)
    values = np.where(rng.random(n) < 0.6, y, rng.integers(0, 100, n))
    facts = facts_of(make_scores(Task.CLASSIFICATION, 100, 50, fading), y.tolist(), values.tolist())
    weight = fading ** np.arange(n - 1, -1, -1.0)
    kept = weight / weight.sum() > np.finfo(np.float64).eps
    assert facts.scores[View.FADING]["accuracy"] == pytest.approx(
        sk.accuracy_score(y, values, sample_weight=weight)
    )
    assert facts.scores[View.FADING]["kappa"] == pytest.approx(
        sk.cohen_kappa_score(y[kept], values[kept], sample_weight=weight[kept])
    )
    assert facts.scores[View.FADING]["macro_f1"] == pytest.approx(
        sk.f1_score(y[kept], values[kept], average="macro", sample_weight=weight[kept])
    )


def test_before_the_first_event_every_view_is_there_and_empty() -> None:
    facts = make_scores(Task.CLASSIFICATION, 3).facts()
    assert (facts.scored, facts.correct) == (0, 0)
    assert facts.scores == {view: {} for view in View}
    assert facts.baselines == {view: {} for view in View}


def test_a_batch_without_labels_changes_nothing() -> None:
    scores = make_scores(Task.CLASSIFICATION, 2)
    before = scores.snapshot()
    scores.update(np.array([-1, -1]), predictions_of([0, 1]), np.zeros(2, dtype=bool))
    scores.update(np.empty(0, dtype=np.int64), predictions_of([]), np.empty(0, dtype=bool))
    assert scores.snapshot() == before


def test_log_loss_is_left_out_where_there_are_no_probabilities() -> None:
    facts = facts_of(make_scores(Task.CLASSIFICATION, 2), [0, 1], [0, 0])
    assert all("log_loss" not in facts.scores[view] for view in View)
    assert all("accuracy" in facts.scores[view] for view in View)


@pytest.mark.parametrize("said", [0.0, np.nan])
def test_a_probability_of_zero_or_nan_given_to_the_truth_costs_much_but_stays_finite(
    said: float,
) -> None:
    scores = make_scores(Task.CLASSIFICATION, 2)
    facts = facts_of(scores, [0], [1], np.array([[said, 1.0]]))
    for view in View:
        assert facts.scores[view]["log_loss"] == pytest.approx(-np.log(np.finfo(np.float64).eps))


def test_kappas_are_left_out_where_their_reference_is_never_wrong() -> None:
    facts = facts_of(make_scores(Task.CLASSIFICATION, 2), [0, 0, 0], [0, 0, 0])
    for view in View:
        assert facts.scores[view].keys() == {"accuracy", "balanced_accuracy", "macro_f1"}


def test_a_model_that_repeats_the_last_label_has_kappa_t_zero() -> None:
    truth = [0, 0, 1, 1, 0, 1, 1, 1, 0]
    facts = facts_of(make_scores(Task.CLASSIFICATION, 2, window=4), truth, [0, *truth[:-1]])
    for view in View:
        assert facts.scores[view]["kappa_t"] == pytest.approx(0.0, abs=1e-12)


def test_baselines_begin_with_the_first_class_and_ties_go_to_the_lowest() -> None:
    # no-change says 0 0 2 1; majority says 0 0 0 0: of 2 and 1, once each, 1 is the lowest
    truth = [0, 2, 1, 1]
    facts = facts_of(make_scores(Task.CLASSIFICATION, 3), truth, truth)
    assert facts.baselines[View.CUMULATIVE] == {Baseline.NO_CHANGE: 0.5, Baseline.MAJORITY: 0.25}
    # majority says 0, then 2, then 1 (a tie with 2)
    facts = facts_of(make_scores(Task.CLASSIFICATION, 3), [2, 1, 1], [2, 1, 1])
    assert facts.baselines[View.CUMULATIVE][Baseline.MAJORITY] == pytest.approx(1 / 3)


def test_a_class_that_has_faded_away_no_longer_counts_as_one_that_occurred() -> None:
    facts = facts_of(make_scores(Task.CLASSIFICATION, 2, 10, 0.5), [1] + [0] * 99, [0] * 100)
    assert facts.scores[View.CUMULATIVE]["balanced_accuracy"] == 0.5
    assert facts.scores[View.FADING] == {
        "accuracy": 1.0,
        "balanced_accuracy": 1.0,
        "macro_f1": 1.0,
    }


@pytest.mark.parametrize(("label", "predicted"), [(2, 0), (-1, 0), (0, 2), (0, -1)])
def test_a_class_that_is_not_declared_is_refused_and_nothing_of_its_batch_is_counted(
    label: int, predicted: int
) -> None:
    scores = make_scores(Task.CLASSIFICATION, 2)
    before = scores.snapshot()
    with pytest.raises(ValueError, match="row 1 has the label"):
        facts_of(scores, [0, label], [0, predicted])
    assert scores.snapshot() == before


def test_columns_that_do_not_fit_together_are_refused() -> None:
    scores = make_scores(Task.CLASSIFICATION, 2)
    with pytest.raises(ValueError, match="differ in length"):
        facts_of(scores, [0, 1], [0])
    with pytest.raises(ValueError, match="probabilities have the shape"):
        facts_of(scores, [0, 1], [0, 1], np.ones((2, 3)))


def test_read_only_and_strided_columns_are_taken() -> None:
    y = np.array([0, 9, 1, 9], dtype=np.int64)
    y.flags.writeable = False
    values = predictions_of([0, 1])
    scores = make_scores(Task.CLASSIFICATION, 2)
    scores.update(y[::2], values, np.ones(2, dtype=bool))
    read_only = y[:1]
    scores.update(read_only, predictions_of([1]), np.ones(1, dtype=bool))
    assert (scores.facts().scored, scores.facts().correct) == (3, 2)
