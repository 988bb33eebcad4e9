"""The heart: predict, score, learn. Pure: no Kafka, no clock, no metrics."""

from dataclasses import dataclass

from learners.events import EventBatch, Ints, Predictions
from learners.learner import Learner
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
    """

    batch: EventBatch
    predictions: Predictions
    learned: int
    poisoned: Ints


class Step:
    """Test, then train: predict every event of a batch, then score and learn the labelled ones."""

    def __init__(self, learner: Learner, scores: Scores) -> None:
        self._learner = learner
        self._scores = scores

    def __call__(self, batch: EventBatch) -> StepResult:
        """Take one batch; the learner and the scores are further afterwards."""
        before = self._learner.model_version
        predictions = self._learner.test_then_train(batch)
        poisoned = batch.rows[~predictions.accepted]
        if poisoned.size:
            batch, predictions = (
                batch.take(predictions.accepted),
                predictions.take(predictions.accepted),
            )
        self._scores.update(batch.y, predictions, batch.labelled)
        return StepResult(batch, predictions, self._learner.model_version - before, poisoned)
