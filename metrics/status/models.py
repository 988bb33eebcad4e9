"""How good each model is, now and over the past hour. Not thread-safe: `board` holds the lock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from metrics.facts import Baseline, BatchFacts, ScoreFacts, View
from metrics.status.course import Course
from metrics.status.told import ModelTold

# What model and baselines are compared by, and the baseline beside no-change.
_MEASURES = {"accuracy": Baseline.MAJORITY, "mae": Baseline.RUNNING_MEAN}
_NO_SCORES = ScoreFacts(0, 0, {}, {})


@dataclass(slots=True)
class _Model:
    version: int = 0
    scores: ScoreFacts = _NO_SCORES
    course: Course = field(default_factory=lambda: Course(4))


class Models:
    """The models that are at work.

    Parameters
    ----------
    partitioned : bool
        Whether each partition has one of its own; else there is one, under None.
    """

    def __init__(self, *, partitioned: bool) -> None:
        self._partitioned = partitioned
        self._models: dict[int | None, _Model] = {}

    def batch(self, facts: BatchFacts) -> None:
        """Take a model's version."""
        if facts.partition is not None or not self._partitioned:
            self._of(facts.partition).version = facts.model_version

    def scores(self, facts: ScoreFacts, now_s: float) -> None:
        """Take a model's scores as they stand."""
        model = self._of(facts.partition)
        model.scores = facts
        measure = _measure(facts)
        if measure is not None:
            scores, baselines = facts.scores[View.WINDOW], facts.baselines.get(View.WINDOW, {})
            row = (
                scores[measure],
                baselines.get(Baseline.NO_CHANGE, np.nan),
                baselines.get(_MEASURES[measure], np.nan),
                scores.get("kappa_t", np.nan),
            )
            model.course.add(now_s, row)

    def forget(self, partitions: Collection[int]) -> None:
        """Forget the models of partitions that went; that of global scope stays."""
        for partition in partitions:
            self._models.pop(partition, None)

    def told(self) -> list[ModelTold]:
        """Tell of each model, in the order of partitions."""
        return [_told(key, self._models[key]) for key in sorted(self._models, key=_place)]

    def nearest(self, wanted: int | None) -> int | None:
        """Give the partition whose model is shown: the one asked for, else the first."""
        return wanted if wanted in self._models else min(self._models, key=_place, default=None)

    def since(self, partition: int | None, time_s: float) -> NDArray[np.float64]:
        """Give a model's course after a time, as `Status.course` says."""
        model = self._models.get(partition)
        return np.empty((0, 5)) if model is None else model.course.since(time_s)

    def _of(self, partition: int | None) -> _Model:
        if partition not in self._models:
            self._models[partition] = _Model()
        return self._models[partition]


def _place(partition: int | None) -> int:
    return -1 if partition is None else partition


def _measure(facts: ScoreFacts) -> str | None:
    scores = facts.scores.get(View.WINDOW, {})
    return next((measure for measure in _MEASURES if measure in scores), None)


def _told(partition: int | None, model: _Model) -> ModelTold:
    scores = model.scores
    baselines: Mapping[Baseline, float] = scores.baselines.get(View.WINDOW, {})
    return ModelTold(
        partition,
        model.version,
        scores.scored,
        _measure(scores),
        dict(scores.scores.get(View.WINDOW, {})),
        {str(name): value for name, value in baselines.items()},
    )
