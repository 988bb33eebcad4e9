"""All that must survive a restart, as one thing: the model, scores, drift detectors, limits."""

import logging
from dataclasses import dataclass, field

import msgspec

from consumers.checkpoints.checkpoint import Content
from consumers.errors import CheckpointError
from consumers.loop.limits import DeadLetterLimits
from learners.drift.monitor import DriftMonitor
from learners.drift.snapshot import DriftStateError
from learners.learner import Learner, LearnerSnapshot
from learners.serialization import ModelFormatError
from metrics.events import DRIFT_BEGUN_ANEW
from metrics.prequential import Scores

_log = logging.getLogger("streamfit.run")


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
    drift : DriftMonitor
        What watches its errors for changes of the stream.
    """

    learner: Learner
    scores: Scores
    limits: DeadLetterLimits
    drift: DriftMonitor = field(default_factory=DriftMonitor)

    def snapshot(self) -> Content:
        """Give everything needed to go on, bit for bit."""
        model = self.learner.snapshot()
        state = {
            "learner": model.state,
            "scores": self.scores.snapshot(),
            "dead_letters": self.limits.snapshot(),
        }
        return Content(model.model, state, self.drift.snapshot())

    def restore(self, content: Content) -> None:
        """Take over a snapshot; only ever called on something that has learned nothing.

        Detectors say nothing of what the model means: one that was set otherwise begins anew.

        Raises
        ------
        CheckpointError
            If it does not fit this model.
        """
        try:
            self.learner.restore(LearnerSnapshot(content.model, content.state["learner"]))
            self.scores.restore(content.state["scores"])
            self.limits.restore(content.state["dead_letters"])
            begun_anew = self.drift.restore(content.drift)
        except DriftStateError as error:
            raise CheckpointError(
                f"checkpoint: {error}; run the version that wrote it, go back with `streamfit "
                "models rollback`, or set drift.detector = 'none'"
            ) from error
        except (ModelFormatError, KeyError, ValueError, msgspec.DecodeError) as error:
            raise CheckpointError(
                f"checkpoint: does not fit this model ({error}); run the version that wrote it"
            ) from error
        for reason in begun_anew:
            _log.info("drift: %s", reason, extra=DRIFT_BEGUN_ANEW())
