"""What a scrape shows where each partition has a model of its own."""

import math
from dataclasses import replace

import pytest

from learners.learner import Task
from metrics.facts import Baseline, RebalanceEvent, RollbackReason, ScoreFacts, State, View
from metrics.names import Kind, Metric
from tests.metrics.scrape import BATCH, REPORT, Scrape

GONE = [RebalanceEvent.REVOKED, RebalanceEvent.LOST]


def told(partition: int | None, scored: int, accuracy: float = 0.5) -> ScoreFacts:
    return ScoreFacts(
        scored=scored,
        correct=scored // 2,
        scores={view: {"accuracy": accuracy} for view in View},
        baselines={view: {Baseline.NO_CHANGE: 0.8} for view in View},
        partition=partition,
    )


@pytest.fixture
def scrape() -> Scrape:
    return Scrape(partitioned=True)


def models(scrape: Scrape) -> set[str]:
    """Partitions of all series that are of one model."""
    gauges = [m for m in Metric if m.value.per_model and m.value.kind is Kind.GAUGE]
    shown = [labels for gauge in gauges for labels in scrape.series(gauge.name.lower())]
    return {labels[-1] for labels in shown}


@pytest.mark.parametrize("task", list(Task))
def test_no_model_has_series_before_anything_is_known_of_it(task: Task) -> None:
    assert models(Scrape(task, partitioned=True)) == set()


def test_each_model_has_its_own_version_and_scores(scrape: Scrape) -> None:
    for partition in (0, 1):
        scrape.exporter.batch(replace(BATCH, partition=partition, model_version=7 + partition))
        scrape.exporter.scores(told(partition, 10, accuracy=0.6 + partition / 10))
    assert scrape.series("model_version") == {("0",): 7.0, ("1",): 8.0}
    assert scrape.value("prequential_accuracy", "window", "0") == 0.6
    assert scrape.value("prequential_accuracy", "window", "1") == 0.7
    assert math.isnan(scrape.value("prequential_kappa", "window", "1"))
    assert scrape.value("baseline_accuracy", "no_change", "fading", "1") == 0.8
    assert math.isnan(scrape.value("baseline_accuracy", "majority", "fading", "1"))


def test_in_global_scope_no_series_tells_a_partition_of_its_model() -> None:
    scrape = Scrape()
    scrape.exporter.batch(replace(BATCH, partition=3))
    scrape.exporter.scores(told(3, 10))
    assert scrape.series("model_version") == {(): 4.0}
    assert set(scrape.series("prequential_accuracy")) == {(str(view),) for view in View}
    assert scrape.value("prequential_accuracy", "window") == 0.5


@pytest.mark.parametrize("event", GONE)
def test_the_series_of_a_model_end_when_its_partition_goes(
    scrape: Scrape, event: RebalanceEvent
) -> None:
    for partition in (0, 1):
        scrape.exporter.batch(replace(BATCH, partition=partition))
        scrape.exporter.scores(told(partition, 10))
    assert models(scrape) == {"0", "1"}
    scrape.exporter.rebalance(event, [0, 5])
    assert models(scrape) == {"1"}


def test_in_global_scope_the_series_of_the_model_stay_when_partitions_go() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.rebalance(RebalanceEvent.REVOKED, [0])
    assert scrape.series("model_version") == {(): 4.0}
    assert len(scrape.series("prequential_accuracy")) == len(View)


def test_a_report_of_no_model_makes_no_series_and_does_no_harm(scrape: Scrape) -> None:
    scrape.exporter.batch(REPORT)
    scrape.exporter.scores(told(None, 10))
    assert models(scrape) == set()
    assert scrape.value("prequential_scored") == 0
    assert scrape.value("consumer_lag_records", "events", "0") == 5


def test_what_was_scored_adds_up_over_partitions(scrape: Scrape) -> None:
    for total in (0, 10, 30):
        scrape.exporter.scores(told(0, total))
        scrape.exporter.scores(told(1, 1000 + 2 * total))
    assert scrape.value("prequential_scored") == 30 + 60
    assert scrape.value("prequential_correct") == 15 + 30


@pytest.mark.parametrize("event", GONE)
def test_what_others_scored_while_a_partition_was_away_is_not_counted(
    scrape: Scrape, event: RebalanceEvent
) -> None:
    scrape.exporter.scores(told(0, 0))
    scrape.exporter.scores(told(0, 100))
    scrape.exporter.rebalance(event, [0])
    scrape.exporter.rebalance(RebalanceEvent.ASSIGNED, [0])
    scrape.exporter.scores(told(0, 5000))
    scrape.exporter.scores(told(0, 5010))
    assert scrape.value("prequential_scored") == 110


def test_a_partition_that_comes_leaves_the_counts_of_the_others_alone(scrape: Scrape) -> None:
    scrape.exporter.scores(told(0, 0))
    scrape.exporter.rebalance(RebalanceEvent.ASSIGNED, [1])
    scrape.exporter.state(State.RESTORING)
    scrape.exporter.scores(told(1, 700))
    scrape.exporter.scores(told(0, 40))  # learned before the restore, told only now
    assert scrape.value("prequential_scored") == 40


def test_row_13_a_way_back_to_what_others_committed_makes_no_jump(scrape: Scrape) -> None:
    scrape.exporter.scores(told(0, 0))
    scrape.exporter.scores(told(1, 0))
    scrape.exporter.rollback(RollbackReason.FENCED)
    scrape.exporter.state(State.RESTORING)
    scrape.exporter.scores(told(0, 9000))
    scrape.exporter.scores(told(1, 0))
    scrape.exporter.scores(told(0, 9003))
    scrape.exporter.scores(told(1, 4))
    assert scrape.value("prequential_scored") == 7


def test_what_is_scored_again_after_a_way_back_is_counted_again() -> None:
    scrape = Scrape()
    scrape.exporter.scores(told(None, 0))
    scrape.exporter.scores(told(None, 100))
    scrape.exporter.rollback(RollbackReason.DELIVERY)
    scrape.exporter.state(State.RESTORING)
    scrape.exporter.scores(told(None, 60))
    scrape.exporter.scores(told(None, 100))
    assert scrape.value("prequential_scored") == 140
