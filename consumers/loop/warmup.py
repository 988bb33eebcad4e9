"""Compiles the kernels before the group is joined: never in the first second of a busy consumer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from consumers.loop.learning import Learning
from consumers.loop.step import Step
from learners.events import EventBatch
from learners.learner import Task


def warm_up(learning: Learning, n_features: int) -> None:
    """Let a model that is thrown away learn two made-up events, and score them.

    Parameters
    ----------
    learning : Learning
        Not to be used afterwards.
    n_features : int
        Number of features of an event.
    """
    step = Step(learning.learner, learning.scores)
    kind = np.int64 if learning.learner.task is Task.CLASSIFICATION else np.float64
    for row in range(3):
        step(_event(row, n_features, np.array([row % 2], dtype=kind)))
    learning.scores.facts()


def _event(row: int, n_features: int, y: NDArray[Any]) -> EventBatch:
    zero = np.zeros(1, dtype=np.int64)
    return EventBatch(
        X=np.full((1, n_features), float(row % 2)),
        y=y,
        labelled=np.ones(1, dtype=np.bool_),
        ids=[row],
        keys=[None],
        time_ms=zero,
        partitions=zero,
        offsets=zero + row,
        rows=zero,
    )
