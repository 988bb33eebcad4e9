"""How scores and baselines are shown as metrics. How they are computed is not here."""

import math
from collections.abc import Mapping

from prometheus_client import Gauge

from learners.learner import Task
from metrics.facts import Baseline, ScoreFacts, View
from metrics.names import Metric
from metrics.series import GrowthCounter, Registered

_SCORES: Mapping[Task, Mapping[str, Metric]] = {
    Task.CLASSIFICATION: {
        "accuracy": Metric.PREQUENTIAL_ACCURACY,
        "balanced_accuracy": Metric.PREQUENTIAL_BALANCED_ACCURACY,
        "macro_f1": Metric.PREQUENTIAL_MACRO_F1,
        "kappa": Metric.PREQUENTIAL_KAPPA,
        "kappa_t": Metric.PREQUENTIAL_KAPPA_T,
        "log_loss": Metric.PREQUENTIAL_LOG_LOSS,
    },
    Task.REGRESSION: {
        "mae": Metric.PREQUENTIAL_MAE,
        "rmse": Metric.PREQUENTIAL_RMSE,
        "r2": Metric.PREQUENTIAL_R2,
    },
    Task.UNSUPERVISED: {},
}
_BASELINES: Mapping[Task, Mapping[Baseline, Metric]] = {
    Task.CLASSIFICATION: {
        Baseline.NO_CHANGE: Metric.BASELINE_ACCURACY,
        Baseline.MAJORITY: Metric.BASELINE_ACCURACY,
    },
    Task.REGRESSION: {
        Baseline.NO_CHANGE: Metric.BASELINE_MAE,
        Baseline.RUNNING_MEAN: Metric.BASELINE_MAE,
    },
    Task.UNSUPERVISED: {},
}


class ScoreSeries:
    """The series of one model's scores: NaN from the start, and whenever one is not defined.

    Scores of other tasks are registered too, but have no series.

    Parameters
    ----------
    metrics : Registered
        Where they are shown.
    task : Task
        Which scores and baselines there are.
    partition : int or None
        The last label of each, in partition scope; the counters have none and add up.
    """

    def __init__(self, metrics: Registered, task: Task, partition: int | None = None) -> None:
        self._scored = GrowthCounter(metrics.counters[Metric.PREQUENTIAL_SCORED])
        self._correct = GrowthCounter(metrics.counters[Metric.PREQUENTIAL_CORRECT])
        more = () if partition is None else (str(partition),)
        self._labels: list[tuple[Gauge, tuple[str, ...]]] = []
        self._scores = [
            (view, name, self._series(metrics.gauges[metric], view, *more))
            for name, metric in _SCORES[task].items()
            for view in View
        ]
        self._baselines = [
            (view, baseline, self._series(metrics.gauges[metric], baseline, view, *more))
            for baseline, metric in _BASELINES[task].items()
            for view in View
        ]
        self._show({}, {})

    def update(self, facts: ScoreFacts) -> None:
        """Show the scores as they stand."""
        self._scored.follow(facts.scored)
        self._correct.follow(facts.correct)
        self._show(facts.scores, facts.baselines)

    def rebase(self) -> None:
        """Count anew from the next scores on: a model is being restored."""
        self._scored.rebase()
        self._correct.rebase()

    def clear(self) -> None:
        """Show no score at all, and count anew from the next ones on."""
        self.rebase()
        self._show({}, {})

    def remove(self) -> None:
        """Let the series of the scores end; the counters stay as they are."""
        for gauge, labels in self._labels:
            gauge.remove(*labels)

    def _series(self, gauge: Gauge, *labels: str) -> Gauge:
        self._labels.append((gauge, labels))
        return gauge.labels(*labels)

    def _show(
        self,
        scores: Mapping[View, Mapping[str, float]],
        baselines: Mapping[View, Mapping[Baseline, float]],
    ) -> None:
        for view, name, gauge in self._scores:
            gauge.set(scores.get(view, {}).get(name, math.nan))
        for view, baseline, gauge in self._baselines:
            gauge.set(baselines.get(view, {}).get(baseline, math.nan))
