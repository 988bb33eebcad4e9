"""What a scrape shows after which facts, read back with the client library's own parser."""

import math
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from learners.learner import Task
from learners.rejections import Reason, SkipReason, Stage
from metrics.exporter import Exporter
from metrics.facts import (
    Baseline,
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    ScoreFacts,
    State,
    View,
)
from metrics.names import REJECTIONS_BEFORE_LEARNING, Kind, Metric

BATCH = BatchFacts(
    consumed=10,
    decoded=7,
    learned=4,
    unlabelled=2,
    poisoned=1,
    predicted=6,
    rejected={("decode", "malformed"): 1, ("label", "unknown_label"): 1},
    skipped={"tombstone": 1},
    dead_letters={"decode": 1, "label": 1, "learn": 1},
    seconds={"decode": 0.0002, "step": 0.00004, "produce": 0.002},
    latency_seconds=0.02,
    model_version=4,
    next_offsets={0: 10},
)
REPORT = replace(
    BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 4, {}),
    lag={0: 5, 1: 0},
    lag_seconds={0: 1.5, 1: 0.0},
)
EPOCH = EpochFacts(
    ok=True,
    epoch=3,
    time_s=1_700_000_000.0,
    seconds={"flush": 0.001, "save": 0.01, "commit": 0.006},
    checkpoint_bytes=5000,
    committed={0: 10, 1: 20},
)
SCORES = {
    Task.CLASSIFICATION: {
        "prequential_accuracy",
        "prequential_balanced_accuracy",
        "prequential_macro_f1",
        "prequential_kappa",
        "prequential_kappa_t",
        "prequential_log_loss",
    },
    Task.REGRESSION: {"prequential_mae", "prequential_rmse", "prequential_r2"},
    Task.UNSUPERVISED: set(),
}


class Scrape:
    """An exporter, and what it shows."""

    def __init__(self, task: Task = Task.CLASSIFICATION) -> None:
        self.registry = CollectorRegistry()
        self.exporter = Exporter(
            self.registry, task=task, topic="events", stride=10, version="1.2.3"
        )

    def families(self) -> dict[str, Family]:
        text = generate_latest(self.registry).decode()
        return {family.name: family for family in text_string_to_metric_families(text)}

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """Values of a counter or gauge by their label values, in the order of the definition."""
        labels = Metric[name.upper()].value.labels
        samples = self.families()[f"streamfit_{name}"].samples
        return {tuple(s.labels[label] for label in labels): s.value for s in samples}

    def value(self, name: str, *labels: str) -> float:
        return self.series(name)[labels]

    def total(self, name: str) -> float:
        return sum(self.series(name).values())


@pytest.fixture
def often() -> Iterator[None]:
    """Let threads take turns a thousand times as often as usual."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(usual)


def score_facts(scored: int, correct: int, **scores: float) -> ScoreFacts:
    return ScoreFacts(
        scored=scored,
        correct=correct,
        scores=dict.fromkeys(View, scores),
        baselines={view: {Baseline.NO_CHANGE: 0.8, Baseline.MAJORITY: 0.6} for view in View},
    )


@pytest.mark.parametrize("task", list(Task))
def test_every_metric_is_there_with_its_type_and_meaning_from_the_start(task: Task) -> None:
    families = Scrape(task).families()
    for metric in Metric:
        # The text format knows no info type: it shows a gauge under the whole name.
        info = metric.value.kind is Kind.INFO
        family = families[metric.sample_name if info else metric.full_name]
        assert family.type == ("gauge" if info else metric.value.kind)
        assert family.documentation == metric.value.meaning


def test_a_scrape_holds_no_streamfit_metric_that_has_no_name_in_the_list() -> None:
    listed = {m.full_name for m in Metric} | {m.sample_name for m in Metric}
    shown = {name for name in Scrape().families() if name.startswith("streamfit_")}
    assert shown <= listed


def test_memory_and_processor_time_of_the_process_are_shown() -> None:
    families = Scrape().families()
    assert families["process_resident_memory_bytes"].samples[0].value > 0
    assert "process_cpu_seconds" in families


def test_series_with_known_labels_start_at_zero() -> None:
    scrape = Scrape()
    pairs = {(str(stage), str(reason)) for stage, reason in REJECTIONS_BEFORE_LEARNING}
    assert scrape.series("records_rejected") == dict.fromkeys(pairs, 0.0)
    assert scrape.series("records_skipped") == {(str(reason),): 0.0 for reason in SkipReason}
    assert scrape.series("dead_letters") == {(str(stage),): 0.0 for stage in Stage}
    assert scrape.series("rebalances") == {(str(event),): 0.0 for event in RebalanceEvent}
    assert scrape.series("checkpoints") == {("ok",): 0.0, ("failed",): 0.0}
    assert scrape.value("records_consumed") == 0.0


def test_every_reason_but_poisoned_can_be_counted_before_learning() -> None:
    reasons = {reason for _, reason in REJECTIONS_BEFORE_LEARNING}
    assert reasons == set(Reason) - {Reason.POISONED}


def test_all_stages_have_a_histogram_from_the_start() -> None:
    counts = {
        sample.labels["stage"]: sample.value
        for sample in Scrape().families()["streamfit_stage_duration_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert counts == dict.fromkeys(("decode", "step", "produce", "flush", "save", "commit"), 0.0)


def test_partitions_have_no_series_before_anything_is_known_of_them() -> None:
    scrape = Scrape()
    for name in ("consumer_lag_records", "consumer_lag_seconds", "committed_offset"):
        assert scrape.series(name) == {}


@pytest.mark.parametrize("task", list(Task))
def test_only_the_scores_of_the_task_have_series_and_they_start_undefined(task: Task) -> None:
    scrape = Scrape(task)
    for names in SCORES.values():
        for name in names:
            shown = scrape.series(name)
            expected = {(str(view),) for view in View} if name in SCORES[task] else set()
            assert set(shown) == expected
            assert all(math.isnan(value) for value in shown.values())


def test_the_baselines_are_those_of_the_task() -> None:
    def baselines(task: Task, name: str) -> set[str]:
        return {labels[0] for labels in Scrape(task).series(name)}

    assert baselines(Task.CLASSIFICATION, "baseline_accuracy") == {"no_change", "majority"}
    assert baselines(Task.CLASSIFICATION, "baseline_mae") == set()
    assert baselines(Task.REGRESSION, "baseline_mae") == {"no_change", "running_mean"}
    assert baselines(Task.REGRESSION, "baseline_accuracy") == set()


def test_a_batch_adds_to_its_counters() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.batch(BATCH)
    assert scrape.value("records_consumed") == 20
    assert scrape.value("records_decoded") == 14
    assert scrape.value("records_learned") == 8
    assert scrape.value("records_unlabelled") == 4
    assert scrape.value("records_poisoned") == 2
    assert scrape.value("predictions") == 12
    assert scrape.value("records_rejected", "decode", "malformed") == 2
    assert scrape.value("records_skipped", "tombstone") == 2
    assert scrape.value("dead_letters", "learn") == 2
    assert scrape.value("model_version") == 4


def test_durations_fall_into_buckets_that_tell_them_apart() -> None:
    scrape = Scrape()
    scrape.exporter.batch(BATCH)
    scrape.exporter.epoch(EPOCH)
    samples = scrape.families()["streamfit_stage_duration_seconds"].samples
    buckets = {
        (sample.labels["stage"], float(sample.labels["le"])): sample.value
        for sample in samples
        if sample.name.endswith("_bucket")
    }
    assert buckets["step", 2.5e-5] == 0
    assert buckets["step", 5e-5] == 1
    assert buckets["commit", 0.005] == 0
    assert buckets["commit", 0.01] == 1
    assert min(bound for _, bound in buckets) == 1e-5
    assert sorted({bound for _, bound in buckets})[-2] == 10.0


def test_a_report_without_records_is_no_batch() -> None:
    scrape = Scrape()
    scrape.exporter.batch(REPORT)
    samples = scrape.families()["streamfit_batch_records"].samples
    assert next(s.value for s in samples if s.name.endswith("_count")) == 0
    assert scrape.series("consumer_lag_records") == {("events", "0"): 5.0, ("events", "1"): 0.0}
    assert scrape.value("consumer_lag_seconds", "events", "0") == 1.5


@settings(max_examples=30, deadline=None)
@given(
    batches=st.lists(
        st.tuples(*(st.integers(0, 50) for _ in range(3)), *(st.integers(0, 9) for _ in range(4)))
    )
)
def test_the_counters_add_up(batches: list[tuple[int, ...]]) -> None:
    scrape = Scrape()
    for learned, unlabelled, poisoned, skipped, malformed, mistyped, unknown in batches:
        decoded = learned + unlabelled + poisoned
        rejected = {
            ("decode", "malformed"): malformed,
            ("schema", "wrong_type"): mistyped,
            ("label", "unknown_label"): unknown,
        }
        facts = replace(
            BATCH,
            consumed=decoded + skipped + sum(rejected.values()),
            decoded=decoded,
            learned=learned,
            unlabelled=unlabelled,
            poisoned=poisoned,
            rejected=rejected,
            skipped={"tombstone": skipped},
        )
        scrape.exporter.batch(facts)
    consumed, decoded_total = scrape.total("records_consumed"), scrape.total("records_decoded")
    assert consumed == sum(map(sum, batches))
    refused = scrape.total("records_rejected") + scrape.total("records_skipped")
    assert consumed == decoded_total + refused
    fates = ("records_learned", "records_unlabelled", "records_poisoned")
    assert decoded_total == sum(map(scrape.total, fates))


@pytest.mark.usefixtures("often")
def test_the_counters_add_up_in_every_scrape_while_batches_go_by() -> None:
    scrape = Scrape()
    done = threading.Event()
    seen: list[tuple[float, float]] = []

    def scrape_until_done() -> None:
        while not done.is_set():
            found = {family.name: family for family in scrape.registry.collect()}
            consumed, *parts = (
                sum(sample.value for sample in found[f"streamfit_{name}"].samples)
                for name in (
                    *("records_consumed", "records_learned", "records_unlabelled"),
                    *("records_poisoned", "records_rejected", "records_skipped"),
                )
            )
            seen.append((consumed, sum(parts)))

    thread = threading.Thread(target=scrape_until_done)
    thread.start()
    for _ in range(1000):
        scrape.exporter.batch(BATCH)
    done.set()
    thread.join()
    assert [one for one in seen if one[0] != one[1]] == []


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


def test_a_good_epoch_shows_what_was_committed() -> None:
    scrape = Scrape()
    assert math.isnan(scrape.value("checkpoint_last_success_timestamp_seconds"))
    scrape.exporter.epoch(EPOCH)
    assert scrape.value("checkpoints", "ok") == 1
    assert scrape.value("checkpoint_last_success_timestamp_seconds") == 1_700_000_000.0
    assert scrape.value("checkpoint_size_bytes") == 5000
    assert scrape.series("committed_offset") == {("events", "0"): 10.0, ("events", "1"): 20.0}


def test_a_failed_epoch_leaves_the_last_success_as_it_was() -> None:
    scrape = Scrape()
    scrape.exporter.epoch(EPOCH)
    failed = replace(EPOCH, ok=False, time_s=EPOCH.time_s + 60, checkpoint_bytes=0, committed={})
    scrape.exporter.epoch(failed)
    assert scrape.series("checkpoints") == {("ok",): 1.0, ("failed",): 1.0}
    assert scrape.value("checkpoint_last_success_timestamp_seconds") == EPOCH.time_s
    assert scrape.value("checkpoint_size_bytes") == 5000


@pytest.mark.parametrize("event", [RebalanceEvent.REVOKED, RebalanceEvent.LOST])
def test_series_of_partitions_that_went_end(event: RebalanceEvent) -> None:
    scrape = Scrape()
    scrape.exporter.batch(REPORT)
    scrape.exporter.epoch(EPOCH)
    scrape.exporter.rebalance(event, [0, 7])
    for name in ("consumer_lag_records", "consumer_lag_seconds", "committed_offset"):
        assert set(scrape.series(name)) == {("events", "1")}
    assert scrape.value("rebalances", event) == 1


def test_a_partition_that_comes_back_has_series_again() -> None:
    scrape = Scrape()
    scrape.exporter.batch(REPORT)
    scrape.exporter.rebalance(RebalanceEvent.REVOKED, [0])
    scrape.exporter.rebalance(RebalanceEvent.ASSIGNED, [0])
    assert set(scrape.series("consumer_lag_records")) == {("events", "1")}
    scrape.exporter.batch(replace(REPORT, lag={0: 3}))
    assert scrape.value("consumer_lag_records", "events", "0") == 3


def test_exactly_one_state_is_one() -> None:
    scrape = Scrape()
    changes: list[tuple[State, Callable[[], None]]] = [(State.STARTING, lambda: None)]
    changes += [(state, partial(scrape.exporter.state, state)) for state in State]
    for state, change in changes:
        change()
        assert scrape.series("state") == {(str(s),): float(s is state) for s in State}


def test_versions_and_stride_are_shown() -> None:
    scrape = Scrape()
    assert scrape.value("stride_rows") == 10
    (sample,) = scrape.families()["streamfit_build_info"].samples
    assert sample.value == 1
    assert sample.labels["version"] == "1.2.3"
    assert set(sample.labels) == {"version", "python", "scikit_learn"}


def test_a_stage_the_exporter_does_not_know_is_counted_nevertheless() -> None:
    scrape = Scrape()
    scrape.exporter.batch(replace(BATCH, seconds={"encode": 0.1}))
    samples = scrape.families()["streamfit_stage_duration_seconds"].samples
    sums = {s.labels["stage"]: s.value for s in samples if s.name.endswith("_sum")}
    assert sums["encode"] == 0.1


def test_two_exporters_in_one_registry_are_refused() -> None:
    scrape = Scrape()
    with pytest.raises(ValueError, match="Duplicated"):
        Exporter(scrape.registry, task=Task.REGRESSION, topic="t", stride=1, version="1")
