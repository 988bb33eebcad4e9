"""Compiles the kernels before the group is joined: never in the first second of a busy consumer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from consumers.kafka import messages
from consumers.loop.learning import Learning
from consumers.loop.step import Step
from learners.events import EventBatch, Features
from learners.learner import Task
from learners.tokens import Tokens
from producers.encoding import PredictionEncoder


def warm_up(learning: Learning, n_features: int, *, sparse: bool = False) -> None:
    """Let a model that is thrown away learn made-up events, score them and write predictions.

    What takes records from librdkafka is compiled, too.

    Parameters
    ----------
    learning : Learning
        Not to be used afterwards.
    n_features : int
        Number of columns of the model's matrix.
    sparse : bool
        Whether that matrix is in CSR.
    """
    messages.warm_up()
    step = Step(learning.learner, learning.scores, learning.drift)
    encoder = PredictionEncoder(None, 1)
    kind = np.int64 if learning.learner.task is Task.CLASSIFICATION else np.float64
    for row in range(3):
        X = _sparse_row(row, n_features) if sparse else np.full((1, n_features), float(row % 2))
        result = step(_event(row, X, np.array([row % 2], dtype=kind)))
        encoder.encode(result.batch, result.predictions)
    learning.scores.facts()


def _sparse_row(row: int, n_features: int) -> csr_array:
    # Two of the columns: all of them would take the time of a whole matrix.
    x = csr_array(([1.0, row + 1.0], [0, n_features - 1], [0, 2]), shape=(1, n_features))
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)
    return x


def _event(row: int, X: Features, y: NDArray[Any]) -> EventBatch:
    zero = np.zeros(1, dtype=np.int64)
    return EventBatch(
        X=X,
        y=y,
        labelled=np.ones(1, dtype=np.bool_),
        ids=Tokens(np.frombuffer(bytearray(b"0"), np.uint8), zero, zero + 1),
        keys=[None],
        time_ms=zero,
        partitions=zero,
        offsets=zero + row,
        rows=zero,
    )
