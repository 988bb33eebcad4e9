"""What is shown of each model, its version and its scores: one model, or one per partition."""

from collections.abc import Iterable

from learners.learner import Task
from metrics.facts import BatchFacts, ScoreFacts, State
from metrics.names import Metric
from metrics.score_series import ScoreSeries
from metrics.series import Registered


class ModelSeries:
    """The series of all models.

    The only model of global scope has its series from the start. In partition scope a model has
    them, with its partition as a label, from its first facts until its partition goes; what was
    scored adds up over all of them.

    Parameters
    ----------
    metrics : Registered
        Where they are shown; registered for the same scope.
    task : Task
        Which scores and baselines there are.
    partitioned : bool
        Whether each partition has a model of its own.
    """

    def __init__(self, metrics: Registered, task: Task, *, partitioned: bool) -> None:
        self._metrics = metrics
        self._task = task
        self._partitioned = partitioned
        self._version = metrics.gauges[Metric.MODEL_VERSION]
        self._versions: dict[int | None, int] = {}
        self._scores: dict[int | None, ScoreSeries] = {}
        if not partitioned:
            self._scores[None] = ScoreSeries(metrics, task)
        metrics.before.append(self._show)

    def batch(self, facts: BatchFacts) -> None:
        """Take the version after a batch."""
        if not self._partitioned:
            self._versions[None] = facts.model_version
        elif facts.partition is not None:
            self._versions[facts.partition] = facts.model_version

    def scores(self, facts: ScoreFacts) -> None:
        """Show the scores of a model as they stand."""
        partition = facts.partition if self._partitioned else None
        series = self._scores.get(partition)
        if series is None:
            if partition is None:  # of no model that is known here; an observer must not raise
                return
            series = self._scores[partition] = ScoreSeries(self._metrics, self._task, partition)
        series.update(facts)

    def state(self, state: State) -> None:
        """Count anew what is restored, and show nothing of a model that another may have.

        In partition scope neither is so: a restore is mostly that of a partition that came, and
        the other models go on; what they scored since they were told last must still be counted.
        What a standby once had in global scope would stand beside what the owner has.
        """
        if self._partitioned:
            return
        if state is State.RESTORING:
            self.rebase()
        elif state is State.STANDBY:
            self._versions[None] = 0
            self._scores[None].clear()

    def rebase(self) -> None:
        """Count anew what every model scores: all are about to be restored."""
        for series in self._scores.values():
            series.rebase()

    def remove(self, partitions: Iterable[int]) -> None:
        """Let the series of the models of these partitions end; nothing in global scope."""
        for partition in partitions:
            if self._versions.pop(partition, None) is not None:
                self._version.remove(partition)  # nothing happens if it was never shown
            series = self._scores.pop(partition, None)
            if series is not None:
                series.remove()

    def _show(self) -> None:
        for partition, version in self._versions.items():
            series = self._version if partition is None else self._version.labels(partition)
            series.set(version)
