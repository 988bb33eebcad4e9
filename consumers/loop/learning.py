"""All that learns and must survive a restart, as one thing: the model, the scores, the limits."""

from dataclasses import dataclass

import msgspec

from consumers.checkpoints.checkpoint import Content
from consumers.errors import CheckpointError
from consumers.loop.limits import DeadLetterLimits
from learners.learner import Learner, LearnerSnapshot
from learners.serialization import ModelFormatError
from metrics.prequential import Scores


@dataclass(frozen=True, slots=True)
class Learning:
    """What a checkpoint holds, alive.

    Attributes
    ----------
    learner : Learner
        The model.
    scores : Scores
        How good its predictions were.
    limits : DeadLetterLimits
        How many records were refused of late.
    """

    learner: Learner
    scores: Scores
    limits: DeadLetterLimits

    def snapshot(self) -> Content:
        """Give everything needed to go on, bit for bit."""
        model = self.learner.snapshot()
        state = {
            "learner": model.state,
            "scores": self.scores.snapshot(),
            "dead_letters": self.limits.snapshot(),
        }
        return Content(model.model, state)

    def restore(self, content: Content) -> None:
        """Take over a snapshot; only ever called on something that has learned nothing.

        Raises
        ------
        CheckpointError
            If it does not fit this model.
        """
        try:
            self.learner.restore(LearnerSnapshot(content.model, content.state["learner"]))
            self.scores.restore(content.state["scores"])
            self.limits.restore(content.state["dead_letters"])
        except (ModelFormatError, KeyError, ValueError, msgspec.DecodeError) as error:
            raise CheckpointError(
                f"checkpoint: does not fit this model ({error}); run the version that wrote it"
            ) from error
