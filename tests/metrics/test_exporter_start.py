"""What a scrape shows before anything has happened."""

import math

import pytest

from learners.learner import Task
from learners.rejections import Reason, SkipReason, Stage
from metrics.exporter import Exporter
from metrics.facts import RebalanceEvent, RollbackReason, TransactionResult, View
from metrics.names import REJECTIONS_BEFORE_LEARNING, Kind, Metric
from tests.metrics.scrape import Scrape

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


@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("task", list(Task))
def test_every_metric_is_there_with_its_type_and_meaning_from_the_start(
    task: Task, *, partitioned: bool
) -> None:
    families = Scrape(task, partitioned=partitioned).families()
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
    transactions = {(str(result),): 0.0 for result in TransactionResult}
    assert scrape.series("transactions") == transactions
    assert scrape.series("rollbacks") == {(str(reason),): 0.0 for reason in RollbackReason}
    detectors = ("adwin", "ddm", "eddm", "hddm_a", "hddm_w", "page_hinkley")
    assert scrape.series("drift_detections") == {(name,): 0.0 for name in detectors}
    for name in ("records_consumed", "uncheckpointed_records", "paused", "model_version"):
        assert scrape.series(name) == {(): 0.0}


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


def test_versions_and_stride_are_shown() -> None:
    scrape = Scrape()
    assert scrape.value("stride_rows") == 10
    (sample,) = scrape.families()["streamfit_build_info"].samples
    assert sample.value == 1
    assert sample.labels["version"] == "1.2.3"
    assert set(sample.labels) == {"version", "python", "scikit_learn"}


def test_two_exporters_in_one_registry_are_refused() -> None:
    scrape = Scrape()
    with pytest.raises(ValueError, match="Duplicated"):
        Exporter(scrape.registry, task=Task.REGRESSION, topic="t", stride=1, version="1")
