"""The contract of everything that learns."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from learners.events import EventBatch, Predictions


class Task(StrEnum):
    """What a model's predictions are."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    UNSUPERVISED = "unsupervised"


@dataclass(frozen=True, slots=True)
class LearnerSnapshot:
    """All a learner needs to go on exactly where it was.

    Attributes
    ----------
    model : bytes
        The scikit-learn pipeline, in skops format; opens without streamfit.
    state : bytes
        What is not in the estimators: the model version, the rows of an open stride. JSON.
    """

    model: bytes
    state: bytes


class Learner(Protocol):
    """Predicts each event with what it learned before, then learns it.

    Results never depend on how events are cut into batches. A learner keeps nothing that
    `snapshot` does not give.
    """

    @property
    def task(self) -> Task:
        """What the predictions are."""

    @property
    def path(self) -> str:
        """How it computes: `compiled` or `general`."""

    @property
    def stride(self) -> int:
        """Labelled events between two updates of the final step."""

    @property
    def model_version(self) -> int:
        """Number of events learned so far."""

    def test_then_train(self, batch: EventBatch) -> Predictions:
        """Predict row i with the model that has learned the rows before it, then learn row i.

        Called from one thread, with one batch at a time; does not block on anything outside.
        Rows that would make the model non-finite or too large are left out as if they had never
        come (`Predictions.accepted` is false there); no other row is affected.
        """

    def snapshot(self) -> LearnerSnapshot:
        """Give everything needed to go on, bit for bit. Changes nothing."""

    def restore(self, snapshot: LearnerSnapshot) -> None:
        """Take over the state of `snapshot`.

        Raises
        ------
        learners.serialization.ModelFormatError
            If it does not fit this learner's pipeline or holds types that are not listed.
        """
