"""Prequential scores: how good the predictions were, each made before its event was learned.

The contract and the choice are here; counting and formulas are in the modules beside this one.
Nothing here knows Kafka, Prometheus, a clock or a file.
"""

from typing import Any, Literal, Protocol

import msgspec
from numpy.typing import NDArray

from learners.events import Bools, Predictions
from learners.learner import Task
from metrics.classification import ClassificationScores
from metrics.facts import ScoreFacts, View
from metrics.regression import RegressionScores
from metrics.score_state import decode

# Below this only the last event would count anyhow, and its inverse must stay far from overflow.
_SMALLEST_FADING = 1e-9


class Scores(Protocol):
    """Scores of a model and of baselines on the same events, updated a batch at a time.

    Results never depend on how events are cut into batches, bit for bit, also with a snapshot and
    restore in between. Only events that are labelled and whose prediction was accepted count.

    Each score is given in three views: cumulative; over the last `window` counted events; and
    fading, where an event's weight shrinks by the factor `fading` with each one that follows
    (Gama, Sebastiao, Rodrigues, 2013. On evaluating stream learning algorithms. Machine Learning
    90, 317-346). An event that has faded to less than a rounding error of the whole is forgotten.

    The baselines are live too: *no-change* predicts the last counted label, *majority* the most
    frequent one (of several, the lowest class), *running mean* the mean label. Before the first
    event they predict class 0, or 0.0.
    """

    def update(self, y: NDArray[Any], predictions: Predictions, labelled: Bools) -> None:
        """Count a batch; it may be empty or have no labels at all. Does not block.

        Parameters
        ----------
        y : ndarray of shape (n_events,)
            Class indices (int64) or targets (float64); ignored where there is no label.
        predictions : Predictions
            What the model said of these events before it learned them.
        labelled : ndarray of shape (n_events,)
            True where `y` holds a label.

        Raises
        ------
        ValueError
            If the columns do not fit together or hold a class that is not declared; nothing is
            counted then.
        """

    def facts(self) -> ScoreFacts:
        """Give all scores as they are now. Changes nothing."""

    def snapshot(self) -> bytes:
        """Give everything needed to go on, bit for bit, as JSON. Changes nothing."""

    def restore(self, snapshot: bytes) -> None:
        """Take over the state of a snapshot.

        Raises
        ------
        ValueError
            If it is of another task or other settings, or damaged; nothing is changed then.
        """


def make_scores(task: Task, n_classes: int, window: int = 1000, fading: float = 0.999) -> Scores:
    """Choose the scores that fit a task.

    Parameters
    ----------
    task : Task
        An unsupervised one has no scores: its facts are empty.
    n_classes : int
        Number of declared classes; of no meaning for other tasks.
    window : int
        Number of counted events in the sliding window, at least 1.
    fading : float
        Fading factor, from 1e-9 to 1; at 1 nothing fades.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> scores = make_scores(Task.CLASSIFICATION, n_classes=2)
    >>> every = np.ones(4, dtype=bool)
    >>> predictions = Predictions(np.array([0, 1, 1, 1]), None, np.arange(4), every)
    >>> scores.update(np.array([0, 1, 1, 0]), predictions, labelled=every)
    >>> scores.facts().scores[View.CUMULATIVE]["accuracy"]
    0.75
    """
    _require_in_range(window, fading)
    if task is Task.UNSUPERVISED:
        return NoScores()
    if task is Task.REGRESSION:
        return RegressionScores(window, fading)
    if n_classes < 1:
        raise ValueError(f"scores: n_classes is {n_classes}, must be at least 1")
    return ClassificationScores(n_classes, window, fading)


def _require_in_range(window: int, fading: float) -> None:
    if window < 1:
        raise ValueError(f"scores: window is {window}, must be at least 1")
    if not _SMALLEST_FADING <= fading <= 1.0:
        raise ValueError(f"scores: fading is {fading}, must be from {_SMALLEST_FADING} to 1")


class NoScoresSnapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing but which task it was."""

    task: Literal["unsupervised"]


class NoScores:
    """Scores of a model without labels: there are none. See `Scores` for the contract."""

    def update(self, y: NDArray[Any], predictions: Predictions, labelled: Bools) -> None:
        """Do nothing: there is no truth to compare with."""

    def facts(self) -> ScoreFacts:
        """Give empty views."""
        return ScoreFacts(
            scored=0,
            correct=0,
            scores={view: {} for view in View},
            baselines={view: {} for view in View},
        )

    def snapshot(self) -> bytes:
        """Give the name of the task alone."""
        return msgspec.json.encode(NoScoresSnapshot(task="unsupervised"))

    def restore(self, snapshot: bytes) -> None:
        """Check that the snapshot is one of this task.

        Raises
        ------
        ValueError
            If it is not.
        """
        decode(snapshot, NoScoresSnapshot)
