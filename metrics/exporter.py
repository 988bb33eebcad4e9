"""Facts become Prometheus metrics. The names are in `metrics.names`; nothing is served here."""

import math
import platform
from collections.abc import Collection
from importlib.metadata import version as installed_version

from prometheus_client import CollectorRegistry, ProcessCollector

from learners.learner import Task
from metrics.batch_series import BatchSeries, Durations
from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from metrics.model_series import ModelSeries
from metrics.names import CHECKPOINT_RESULTS, Metric
from metrics.series import PartitionGauge, Registered, register


class Exporter:
    """Shows facts as metrics; an Observer that may be scraped from other threads.

    Every metric is registered at once, and so is each series whose labels are known beforehand,
    at 0. What one call tells becomes visible all together.

    Parameters
    ----------
    registry : CollectorRegistry
        An own one, which also gets the memory and processor time of this process.
    task : Task
        Decides which scores and baselines have series.
    topic : str
        What the partitions belong to.
    stride : int
        Labelled events between two model updates.
    version : str
        Version of streamfit.
    partitioned : bool
        Whether each partition has a model of its own: version, scores and baselines are shown by
        partition then, as long as it is owned.

    Raises
    ------
    ValueError
        If the registry holds these metrics already.

    Examples
    --------
    >>> registry = CollectorRegistry()
    >>> exporter = Exporter(
    ...     registry, task=Task.CLASSIFICATION, topic="events", stride=1, version="0.1.0"
    ... )
    >>> exporter.state(State.RUNNING)
    >>> registry.get_sample_value("streamfit_state", {"state": "running"})
    1.0
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        task: Task,
        topic: str,
        stride: int,
        version: str,
        partitioned: bool = False,
    ) -> None:
        metrics = register(registry, partitioned=partitioned)
        ProcessCollector(registry=registry)
        self._lock = metrics.lock
        self._batches = BatchSeries(metrics)
        self._durations = Durations(metrics)
        self._models = ModelSeries(metrics, task, partitioned=partitioned)
        self._partitioned = partitioned
        self._lag = PartitionGauge(metrics.gauges[Metric.CONSUMER_LAG_RECORDS], topic)
        self._lag_s = PartitionGauge(metrics.gauges[Metric.CONSUMER_LAG_SECONDS], topic)
        self._committed = PartitionGauge(metrics.gauges[Metric.COMMITTED_OFFSET], topic)
        self._prepare_epochs(metrics)
        metrics.gauges[Metric.STRIDE_ROWS].set(stride)
        metrics.infos[Metric.BUILD_INFO].info(
            {
                "version": version,
                "python": platform.python_version(),
                "scikit_learn": installed_version("scikit-learn"),
            }
        )

    def _prepare_epochs(self, metrics: Registered) -> None:
        counters, gauges = metrics.counters, metrics.gauges
        checkpoints, rebalances = counters[Metric.CHECKPOINTS], counters[Metric.REBALANCES]
        self._checkpoints = {name: checkpoints.labels(name) for name in CHECKPOINT_RESULTS}
        self._rebalances = {event: rebalances.labels(event) for event in RebalanceEvent}
        transactions, rollbacks = counters[Metric.TRANSACTIONS], counters[Metric.ROLLBACKS]
        self._transactions = {result: transactions.labels(result) for result in TransactionResult}
        self._rollbacks = {reason: rollbacks.labels(reason) for reason in RollbackReason}
        self._uncheckpointed = 0
        uncheckpointed = gauges[Metric.UNCHECKPOINTED_RECORDS]
        metrics.before.append(lambda: uncheckpointed.set(self._uncheckpointed))
        self._paused = gauges[Metric.PAUSED]
        self._succeeded_s = gauges[Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS]
        self._succeeded_s.set(math.nan)
        self._size = gauges[Metric.CHECKPOINT_SIZE_BYTES]
        self._states = {state: gauges[Metric.STATE].labels(state) for state in State}
        self._states[State.STARTING].set(1)

    def batch(self, facts: BatchFacts) -> None:
        """Add up one I/O batch, or show the lag that a report without records brings."""
        with self._lock:
            self._batches.update(facts)
            self._durations.update(facts.seconds)
            self._models.batch(facts)
            self._uncheckpointed += facts.read
            if facts.lag:
                self._lag.set(facts.lag)
                self._lag_s.set(facts.lag_seconds)

    def scores(self, facts: ScoreFacts) -> None:
        """Show the scores as they stand."""
        with self._lock:
            self._models.scores(facts)

    def epoch(self, facts: EpochFacts) -> None:
        """Count an epoch; show what was committed if it ended well."""
        with self._lock:
            self._checkpoints["ok" if facts.ok else "failed"].inc()
            self._durations.update(facts.seconds)
            self._uncheckpointed = facts.uncheckpointed
            if facts.ok:
                self._succeeded_s.set(facts.time_s)
                self._size.set(facts.checkpoint_bytes)
                self._committed.set(facts.committed)

    def state(self, state: State) -> None:
        """Show what the consumer is doing from now on."""
        with self._lock:
            for each, gauge in self._states.items():
                gauge.set(each is state)
            self._models.state(state)
            # In partition scope a restore gives up nothing: other models may be in mid-epoch.
            if state is State.STANDBY or (state is State.RESTORING and not self._partitioned):
                self._uncheckpointed = 0

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Count a rebalance; the series of partitions that went end."""
        with self._lock:
            self._rebalances[event].inc()
            self._models.remove(partitions)  # what comes is restored, and counts anew
            if event is not RebalanceEvent.ASSIGNED:
                for gauge in (self._lag, self._lag_s, self._committed):
                    gauge.remove(partitions)

    def transaction(self, result: TransactionResult) -> None:
        """Count a transaction by how it ended."""
        with self._lock:
            self._transactions[result].inc()

    def rollback(self, reason: RollbackReason) -> None:
        """Count a way back to the last commit, from where all models are restored."""
        with self._lock:
            self._rollbacks[reason].inc()
            self._uncheckpointed = 0
            self._models.rebase()

    def paused(self, *, on: bool) -> None:
        """Show whether reading is held back."""
        with self._lock:
            self._paused.set(on)
