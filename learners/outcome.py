"""From a batch to the rows that a learner works on, and from these to its predictions."""

import numpy as np
from numpy.typing import NDArray

from learners.events import EventBatch, Predictions
from learners.kernels.kernel import Rows
from learners.learner import Task


def rows_of(batch: EventBatch, task: Task, n_probabilities: int) -> Rows:
    """Take the rows of a batch, and make room for what is predicted of them.

    Parameters
    ----------
    batch : EventBatch
        It is not changed.
    task : Task
        Without labels, every event is learned.
    n_probabilities : int
        Number of classes, or 0 where the predictor gives no probabilities.

    Returns
    -------
    Rows
        With the predictions still unwritten; `Z` is the batch's own matrix, array or CSR.
    """
    n_events = len(batch)
    kind = np.float64 if task is Task.REGRESSION else np.int64
    unsupervised = task is Task.UNSUPERVISED
    return Rows(
        Z=batch.X,
        y=np.zeros(n_events, kind) if unsupervised else batch.y,
        labelled=np.ones(n_events, np.bool_) if unsupervised else batch.labelled,
        values=np.zeros(n_events, kind),
        probabilities=np.zeros((n_events if n_probabilities else 0, n_probabilities)),
    )


def joined(parts: list[Predictions]) -> Predictions:
    """Put the predictions of the parts of a batch together; there is at least one."""
    if len(parts) == 1:
        return parts[0]
    probabilities = [part.probabilities for part in parts if part.probabilities is not None]
    return Predictions(
        values=np.concatenate([part.values for part in parts]),
        probabilities=np.concatenate(probabilities) if probabilities else None,
        model_version=np.concatenate([part.model_version for part in parts]),
        accepted=np.concatenate([part.accepted for part in parts]),
    )


def predictions_of(rows: Rows, accepted: NDArray[np.bool_], before: int) -> Predictions:
    """Put together what a learner says of a batch.

    Parameters
    ----------
    rows : Rows
        With the predictions written.
    accepted : ndarray of shape (n_rows,)
        False for guilty rows.
    before : int
        Model version before the batch.

    Returns
    -------
    Predictions
        With zeros in place of the predictions of guilty rows.
    """
    learned = rows.labelled
    has_probabilities = rows.probabilities.shape[1] > 0
    if not accepted.all():
        learned = learned & accepted
        rows.values[~accepted] = 0
        if has_probabilities:
            rows.probabilities[~accepted] = 0.0
    return Predictions(
        values=rows.values,
        probabilities=rows.probabilities if has_probabilities else None,
        model_version=before + np.cumsum(learned) - learned,
        accepted=accepted,
    )
