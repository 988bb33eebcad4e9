"""How what became of I/O batches is shown as metrics."""

from collections.abc import Mapping

from prometheus_client import Histogram

from learners.rejections import SkipReason, Stage
from metrics.facts import BatchFacts
from metrics.names import REJECTIONS_BEFORE_LEARNING, STAGES, Metric
from metrics.series import Registered


class BatchSeries:
    """The series that each batch moves, looked up beforehand, and 0 from the start.

    Parameters
    ----------
    metrics : Registered
        Where they are shown.
    """

    def __init__(self, metrics: Registered) -> None:
        counters = metrics.counters
        self._consumed = counters[Metric.RECORDS_CONSUMED]
        self._decoded = counters[Metric.RECORDS_DECODED]
        self._learned = counters[Metric.RECORDS_LEARNED]
        self._unlabelled = counters[Metric.RECORDS_UNLABELLED]
        self._poisoned = counters[Metric.RECORDS_POISONED]
        self._predicted = counters[Metric.PREDICTIONS]
        self._rejected = counters[Metric.RECORDS_REJECTED]
        self._skipped = counters[Metric.RECORDS_SKIPPED]
        self._dead_letters = counters[Metric.DEAD_LETTERS]
        for stage, reason in REJECTIONS_BEFORE_LEARNING:
            self._rejected.labels(stage, reason)
        for skip_reason in SkipReason:
            self._skipped.labels(skip_reason)
        for stage in Stage:
            self._dead_letters.labels(stage)
        self._batch_records = metrics.histograms[Metric.BATCH_RECORDS]
        self._latency = metrics.histograms[Metric.END_TO_END_LATENCY_SECONDS]

    def update(self, facts: BatchFacts) -> None:
        """Add up one batch; a report without records adds nothing."""
        if not facts.consumed:
            return
        if facts.read:
            self._batch_records.observe(facts.read)
        self._consumed.inc(facts.consumed)
        self._decoded.inc(facts.decoded)
        self._learned.inc(facts.learned)
        self._unlabelled.inc(facts.unlabelled)
        self._poisoned.inc(facts.poisoned)
        self._predicted.inc(facts.predicted)
        self._count_refused(facts)
        if facts.latency_seconds is not None:
            self._latency.observe(facts.latency_seconds)

    def _count_refused(self, facts: BatchFacts) -> None:
        # Most batches have none of these, so looking their series up here costs nothing.
        for (stage, reason), count in facts.rejected.items():
            self._rejected.labels(stage, reason).inc(count)
        for skip_reason, count in facts.skipped.items():
            self._skipped.labels(skip_reason).inc(count)
        for stage, count in facts.dead_letters.items():
            self._dead_letters.labels(stage).inc(count)


class Durations:
    """The time spent in each stage, of batches and of epochs.

    Parameters
    ----------
    metrics : Registered
        Where it is shown.
    """

    def __init__(self, metrics: Registered) -> None:
        self._family = metrics.histograms[Metric.STAGE_DURATION_SECONDS]
        self._stages: dict[str, Histogram] = {name: self._family.labels(name) for name in STAGES}

    def update(self, seconds: Mapping[str, float]) -> None:
        """Take one duration for each of some stages."""
        for stage, duration in seconds.items():
            series = self._stages.get(stage)
            if series is None:  # an observer must not raise, not even at a stage unknown to it
                series = self._stages[stage] = self._family.labels(stage)
            series.observe(duration)
