"""Test-then-train of any scikit-learn pipeline by scikit-learn's own calls.

The pipelines that are compiled are in `learners.compiled`.
How rows are grouped into updates, and which is to blame where one fails, is in `learners.strides`.
"""

import numpy as np
import sklearn
from sklearn.pipeline import Pipeline

from learners.events import EventBatch, Features, Predictions
from learners.guard import Guard
from learners.kernels.kernel import Rows
from learners.learner import LearnerSnapshot
from learners.outcome import predictions_of, rows_of
from learners.pipeline import task_of
from learners.replay import accepted_rows
from learners.scikit_rows import (
    ROW_ERRORS,
    check_domain,
    first_value,
    for_prediction,
    transform_row,
)
from learners.state import ModelState
from learners.strides import OpenStride

_GUARD = Guard()


class GeneralLearner:
    """A `Learner` of any scikit-learn pipeline whose steps have `partial_fit`.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        From `build_pipeline`; the learner owns it.
    classes : tuple of int or tuple of str, or None
        All classes, sorted; None where the predictor is not a classifier.
    stride : int
        Events between two updates of the predictor; 1 is exact.
    guard : Guard
        Limit on the weights.
    """

    path = "general"

    def __init__(
        self,
        pipeline: Pipeline,
        classes: tuple[int, ...] | tuple[str, ...] | None = None,
        stride: int = 1,
        guard: Guard = _GUARD,
    ) -> None:
        self.state = ModelState(pipeline, stride)
        self.task = task_of(pipeline)
        self.stride = stride
        self._classes = None if classes is None else np.array(classes)
        self._open_stride = OpenStride(self.state, self._classes, self.task, guard)
        self._has_probabilities = classes is not None and hasattr(pipeline[-1], "predict_proba")

    @property
    def model_version(self) -> int:
        """Number of events learned so far, those of an open stride included."""
        return self.state.model_version

    @property
    def pipeline(self) -> Pipeline:
        """The scikit-learn pipeline as it is now."""
        return self.state.pipeline

    def test_then_train(self, batch: EventBatch) -> Predictions:
        """Predict row i with the model that has learned the rows before it, then learn row i.

        Parameters
        ----------
        batch : EventBatch
            It is not changed.

        Returns
        -------
        Predictions
            One for each event; see `learners.learner.Learner`.
        """
        rows = self.room(batch)
        before = self.model_version
        # Extreme rows are found by what becomes of the model, not by warnings.
        with np.errstate(all="ignore"), sklearn.config_context(skip_parameter_validation=True):
            accepted = accepted_rows(
                len(batch),
                self.state.copy,
                self.state.become,
                lambda start, stop: self._run(rows, start, stop),
            )
        return predictions_of(rows, accepted, before)

    def room(self, batch: EventBatch) -> Rows:
        """Make room for the predictions of a batch."""
        n_classes = 0 if self._classes is None else len(self._classes)
        return rows_of(batch, self.task, n_classes if self._has_probabilities else 0)

    def snapshot(self) -> LearnerSnapshot:
        """Give everything needed to go on, bit for bit. Changes nothing."""
        return self.state.snapshot()

    def restore(self, snapshot: LearnerSnapshot) -> None:
        """Take over the state of `snapshot`.

        Raises
        ------
        ModelFormatError
            If it does not fit this pipeline, stride and classes, or is damaged.
        """
        self.state.restore(snapshot, self._classes)

    def _run(self, rows: Rows, start: int, stop: int) -> int:
        """Learn rows; return `stop`, or the position of the first guilty one."""
        state = self.state
        # Which row each event of the open stride is. Those before `start` have been tried.
        origin = [-1] * len(state.open_labels)
        for i in range(start, stop):
            try:
                z = self._test(rows, i)
            except ROW_ERRORS:
                return i
            if not rows.labelled[i]:
                continue
            state.open_rows.append(z)
            state.open_labels.append(rows.y[i].item())
            state.model_version += 1
            origin.append(i)
            if self._open_stride.is_full():
                if not self._open_stride.close():
                    return self._open_stride.first_guilty(origin)
                origin.clear()
        # A stride of one row is never open, unless the first update waits for more of them.
        if origin and origin[-1] >= 0 and not self._open_stride.try_first(len(origin)):
            return self._open_stride.first_guilty(origin)
        return stop

    def _test(self, rows: Rows, i: int) -> Features:
        *transformers, model = [step for _, step in self.pipeline.steps]
        z = transform_row(transformers, rows.Z[i : i + 1].copy())
        check_domain(model, z)
        if not self.state.started:
            rows.values[i] = first_value(model)
            if self._has_probabilities:
                rows.probabilities[i] = 1.0 / rows.probabilities.shape[1]
            return z
        # One row a call: the last bit of a product can depend on how many rows it is taken with.
        smoothed = for_prediction(model)
        value = smoothed.predict(z)[0]
        rows.values[i] = value if self._classes is None else np.searchsorted(self._classes, value)
        if self._has_probabilities:
            rows.probabilities[i] = smoothed.predict_proba(z)[0]
        if not (np.isfinite(rows.values[i]) and np.isfinite(rows.probabilities[i : i + 1]).all()):
            raise ValueError("the prediction is not a number")
        return z
