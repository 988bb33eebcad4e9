"""All that a learner of scikit-learn pipelines keeps: pipeline, model version, open stride.

The compiled and the general learner share it, so that each goes on from the other's snapshot.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from learners.events import Features
from learners.learner import LearnerSnapshot
from learners.rows import from_plain, to_plain
from learners.serialization import ModelFormatError, dump_pipeline, load_pipeline


@dataclass
class ModelState:
    """State of a learner.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Transformers and predictor, fitted as far as they have learned.
    stride : int
        Events between two updates of the predictor.
    model_version : int
        Events learned, those of the open stride included.
    open_rows : list of ndarray or csr_array of shape (1, n_features)
        Transformed rows that the predictor has yet to learn.
    open_labels : list of int or float
        Their labels: class index, target, or 0 where the predictor takes none.
    """

    pipeline: Pipeline
    stride: int = 1
    model_version: int = 0
    open_rows: list[Features] = field(default_factory=list)
    open_labels: list[float] = field(default_factory=list)

    @property
    def started(self) -> bool:
        """Whether the predictor has learned anything."""
        return self.model_version > len(self.open_labels)

    def copy(self) -> "ModelState":
        """Give an independent copy."""
        return deepcopy(self)

    def become(self, other: "ModelState") -> None:
        """Take over a copy of another state."""
        vars(self).update(vars(deepcopy(other)))

    def snapshot(self) -> LearnerSnapshot:
        """Write everything down."""
        # repr of a float, which json uses, comes back as the same float bit for bit.
        state = {
            "stride": self.stride,
            "model_version": self.model_version,
            "open_rows": [to_plain(row) for row in self.open_rows],
            "open_labels": self.open_labels,
        }
        return LearnerSnapshot(dump_pipeline(self.pipeline), json.dumps(state).encode())

    def restore(self, snapshot: LearnerSnapshot, classes: NDArray[Any] | None) -> None:
        """Take over what `snapshot` gave.

        Parameters
        ----------
        snapshot : LearnerSnapshot
            Of a learner of the same pipeline.
        classes : ndarray of shape (n_classes,) or None
            The classes that it must know, if it knows any yet.

        Raises
        ------
        ModelFormatError
            If it is damaged, or of another pipeline, stride or classes.
        """
        pipeline = load_pipeline(snapshot.model)
        if _description(pipeline) != _description(self.pipeline):
            raise ModelFormatError("the model's steps or parameters are not those of the settings")
        known = getattr(pipeline[-1], "classes_", None)
        if known is not None and known.tolist() != (None if classes is None else classes.tolist()):
            raise ModelFormatError("the model's classes are not those of the settings")
        try:
            state = json.loads(snapshot.state)
            stride, model_version = int(state["stride"]), int(state["model_version"])
            open_rows = [from_plain(row) for row in state["open_rows"]]
            open_labels = list(state["open_labels"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelFormatError(f"the learner's state cannot be read: {error}") from error
        if stride != self.stride:
            raise ModelFormatError(f"the model was learned in strides of {stride}")
        if len(open_rows) != len(open_labels):
            raise ModelFormatError("the open stride has not as many labels as rows")
        self.pipeline, self.model_version = pipeline, model_version
        self.open_rows, self.open_labels = open_rows, open_labels


def _description(pipeline: Pipeline) -> list[tuple[type, dict[str, Any]]]:
    return [(type(step), step.get_params(deep=False)) for step in pipeline]
