"""How what became of I/O batches is shown as metrics."""

from collections.abc import Mapping
from operator import add, attrgetter

from learners.rejections import SkipReason, Stage
from metrics.facts import BatchFacts
from metrics.histograms import Histogram
from metrics.names import DRIFT_DETECTORS, REJECTIONS_BEFORE_LEARNING, STAGES, Metric
from metrics.series import Registered

# What each batch moves, by its name in the facts.
_COUNTED = {
    "consumed": Metric.RECORDS_CONSUMED,
    "decoded": Metric.RECORDS_DECODED,
    "learned": Metric.RECORDS_LEARNED,
    "unlabelled": Metric.RECORDS_UNLABELLED,
    "poisoned": Metric.RECORDS_POISONED,
    "predicted": Metric.PREDICTIONS,
}
_figures = attrgetter(*_COUNTED)


class BatchSeries:
    """The series that each batch moves: added up in plain numbers, shown when asked for.

    Parameters
    ----------
    metrics : Registered
        Where they are shown.
    """

    def __init__(self, metrics: Registered) -> None:
        counters = metrics.counters
        self._each = [counters[metric] for metric in _COUNTED.values()]
        self._sums = self._nothing = (0,) * len(_COUNTED)
        self._rejected = counters[Metric.RECORDS_REJECTED]
        self._skipped = counters[Metric.RECORDS_SKIPPED]
        self._dead_letters = counters[Metric.DEAD_LETTERS]
        for stage, reason in REJECTIONS_BEFORE_LEARNING:
            self._rejected.labels(stage, reason)
        for skip_reason in SkipReason:
            self._skipped.labels(skip_reason)
        for stage in Stage:
            self._dead_letters.labels(stage)
        self._drifts = counters[Metric.DRIFT_DETECTIONS]
        for detector in DRIFT_DETECTORS:
            self._drifts.labels(detector)
        self._batch_records = metrics.histograms[Metric.BATCH_RECORDS].labels()
        self._latency = metrics.histograms[Metric.END_TO_END_LATENCY_SECONDS].labels()
        metrics.before.append(self._show)

    def update(self, facts: BatchFacts) -> None:
        """Add up one batch; a report without records adds nothing."""
        if not facts.consumed:
            return
        if facts.read:
            self._batch_records.observe(facts.read)
        self._sums = tuple(map(add, self._sums, _figures(facts)))
        if facts.rejected or facts.skipped or facts.dead_letters or facts.drifts:
            self._count_seldom(facts)
        if facts.latency_seconds is not None:
            self._latency.observe(facts.latency_seconds)

    def _show(self) -> None:
        """Let the counters grow by what came since the last time."""
        for counter, count in zip(self._each, self._sums, strict=True):
            counter.inc(count)
        self._sums = self._nothing

    def _count_seldom(self, facts: BatchFacts) -> None:
        # Looking their series up costs nothing: most batches do not come here.
        for (stage, reason), count in facts.rejected.items():
            self._rejected.labels(stage, reason).inc(count)
        for skip_reason, count in facts.skipped.items():
            self._skipped.labels(skip_reason).inc(count)
        for stage, count in facts.dead_letters.items():
            self._dead_letters.labels(stage).inc(count)
        for drift in facts.drifts:
            self._drifts.labels(drift.detector).inc()


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
