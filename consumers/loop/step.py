"""The heart: predict, score, watch for drift, learn. Pure: no Kafka, no clock, no metrics."""

from dataclasses import dataclass

from learners.drift.monitor import DriftMonitor
from learners.events import EventBatch, Ints, Predictions
from learners.learner import Learner
from metrics.facts import DriftFacts
from metrics.prequential import Scores


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step gave.

    Attributes
    ----------
    batch : EventBatch
        The events that stand: all but those the guard found guilty.
    predictions : Predictions
        Of those events.
    learned : int
        How many of them were learned: those with a label, or all where the model takes none.
    poisoned : ndarray of shape (n_guilty,)
        Positions, in the records of the read, of the rows that were left out.
    drifts : tuple of DriftFacts
        Changes of the stream that were found, in the order of events.
    """

    batch: EventBatch
    predictions: Predictions
    learned: int
    poisoned: Ints
    drifts: tuple[DriftFacts, ...] = ()


class Step:
    """Test, then train: predict every event of a batch, then score and learn the labelled ones."""

    def __init__(self, learner: Learner, scores: Scores, drift: DriftMonitor | None = None) -> None:
        self._learner = learner
        self._scores = scores
        self._drift = drift or DriftMonitor()

    def __call__(self, batch: EventBatch) -> StepResult:
        """Take one batch; the learner, the scores and the detectors are further afterwards."""
        before = self._learner.model_version
        predictions = self._learner.test_then_train(batch)
        poisoned = batch.rows[~predictions.accepted]
        if poisoned.size:
            batch, predictions = (
                batch.take(predictions.accepted),
                predictions.take(predictions.accepted),
            )
        self._scores.update(batch.y, predictions, batch.labelled)
        drifts = tuple(
            DriftFacts(
                found.detector,
                model_version=int(predictions.model_version[found.row]),
                partition=int(batch.partitions[found.row]),
                offset=int(batch.offsets[found.row]),
            )
            for found in self._drift.update(batch.y, predictions, batch.labelled)
        )
        learned = self._learner.model_version - before
        return StepResult(batch, predictions, learned, poisoned, drifts)
