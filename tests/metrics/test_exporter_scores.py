"""How scores and baselines are shown, and how what was scored is counted."""

import math

import numpy as np
import pytest

from learners.events import Predictions
from learners.learner import Task
from metrics.facts import Baseline, ScoreFacts, State, View
from metrics.prequential import make_scores
from tests.metrics.scrape import BATCH, Scrape


def score_facts(scored: int, correct: int, **scores: float) -> ScoreFacts:
    return ScoreFacts(
        scored=scored,
        correct=correct,
        scores=dict.fromkeys(View, scores),
        baselines={view: {Baseline.NO_CHANGE: 0.8, Baseline.MAJORITY: 0.6} for view in View},
    )


def test_scores_are_shown_by_view() -> None:
    scrape = Scrape()
    scrape.exporter.scores(
        ScoreFacts(
            10,
            9,
            {View.CUMULATIVE: {"accuracy": 0.9, "kappa_t": -0.5}, View.WINDOW: {"accuracy": 0.7}},
            {View.WINDOW: {Baseline.NO_CHANGE: 0.8}},
        )
    )
    assert scrape.value("prequential_accuracy", "cumulative") == 0.9
    assert scrape.value("prequential_accuracy", "window") == 0.7
    assert scrape.value("prequential_kappa_t", "cumulative") == -0.5
    assert math.isnan(scrape.value("prequential_accuracy", "fading"))
    assert scrape.value("baseline_accuracy", "no_change", "window") == 0.8
    assert math.isnan(scrape.value("baseline_accuracy", "majority", "window"))


def test_a_score_that_is_no_longer_defined_is_undefined_again() -> None:
    scrape = Scrape()
    scrape.exporter.scores(score_facts(10, 9, kappa=0.3))
    scrape.exporter.scores(score_facts(11, 9))
    assert math.isnan(scrape.value("prequential_kappa", "window"))


def test_a_score_the_exporter_does_not_know_does_no_harm() -> None:
    scrape = Scrape()
    scrape.exporter.scores(score_facts(10, 9, brier=0.1, accuracy=0.9))
    assert scrape.value("prequential_accuracy", "fading") == 0.9


def test_scored_events_count_from_zero_after_a_restart() -> None:
    scrape = Scrape()
    scrape.exporter.state(State.RESTORING)
    scrape.exporter.scores(score_facts(1000, 800))
    assert scrape.value("prequential_scored") == 0
    scrape.exporter.scores(score_facts(1100, 890))
    assert scrape.value("prequential_scored") == 100
    assert scrape.value("prequential_correct") == 90


def test_what_others_scored_before_a_restore_is_not_counted() -> None:
    scrape = Scrape()
    scrape.exporter.scores(score_facts(0, 0))
    scrape.exporter.scores(score_facts(100, 80))
    scrape.exporter.state(State.RESTORING)
    scrape.exporter.scores(score_facts(5000, 4000))
    scrape.exporter.scores(score_facts(5010, 4005))
    assert scrape.value("prequential_scored") == 110
    assert scrape.value("prequential_correct") == 85


def test_a_total_that_goes_back_lowers_no_counter() -> None:
    scrape = Scrape()
    for scored, correct in ((0, 0), (100, 80), (60, 50), (70, 55)):
        scrape.exporter.scores(score_facts(scored, correct))
    assert scrape.value("prequential_scored") == 110
    assert scrape.value("prequential_correct") == 85


def test_a_standby_shows_no_model_since_another_member_may_have_it() -> None:
    scrape = Scrape()
    scrape.exporter.state(State.RUNNING)
    scrape.exporter.batch(BATCH)
    scrape.exporter.scores(score_facts(0, 0))
    scrape.exporter.scores(score_facts(100, 80, accuracy=0.8))
    scrape.exporter.state(State.STANDBY)
    assert scrape.value("model_version") == 0
    assert math.isnan(scrape.value("prequential_accuracy", "window"))
    assert math.isnan(scrape.value("baseline_accuracy", "no_change", "window"))
    scrape.exporter.scores(score_facts(5000, 4000, accuracy=0.9))
    assert scrape.value("prequential_scored") == 100
    assert scrape.value("prequential_accuracy", "window") == 0.9


def test_scores_survive_a_restart_while_counters_begin_at_zero() -> None:
    scores = make_scores(Task.CLASSIFICATION, 2)
    all_of_them = np.ones(4, dtype=np.bool_)
    said = Predictions(np.array([0, 1, 1, 1]), None, np.arange(4), all_of_them)
    truth = np.array([0, 1, 0, 1])
    before = Scrape()
    before.exporter.scores(scores.facts())
    scores.update(truth, said, all_of_them)
    before.exporter.scores(scores.facts())
    restored = make_scores(Task.CLASSIFICATION, 2)
    restored.restore(scores.snapshot())
    after = Scrape()
    after.exporter.state(State.RESTORING)
    after.exporter.scores(restored.facts())
    assert before.value("prequential_scored") == 4
    assert after.value("prequential_scored") == 0
    for name in ("prequential_accuracy", "prequential_kappa_t", "baseline_accuracy"):
        assert after.series(name) == pytest.approx(before.series(name), nan_ok=True), name
    assert after.value("prequential_accuracy", "cumulative") == 0.75
