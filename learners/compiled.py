"""Test-then-train by compiled kernels that work on the scikit-learn estimators' own arrays.

The kernels are in `learners.kernels`; pipelines without one learn in `learners.general`.
"""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from learners.events import EventBatch, Floats, Predictions
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.kernels.kernel import PredictorKernel, Rows, TransformerKernel
from learners.kernels.registry import predictor_kernel, transformer_kernel
from learners.learner import LearnerSnapshot
from learners.outcome import joined, predictions_of
from learners.replay import accepted_rows

_GUARD = Guard()
_Kernel = TransformerKernel | PredictorKernel
_Remembered = tuple[list[dict[str, Any]], int]


class CompiledLearner:
    """A `Learner` of pipelines that have kernels; its stride is 1.

    Rows up to the first learned one go through scikit-learn itself, so that every attribute of
    the estimators is of its making; from then on the kernels change their arrays in place.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        From `build_pipeline`; the learner owns it.
    classes : tuple of int or tuple of str, or None
        All classes, sorted; None where the predictor is not a classifier.
    guard : Guard
        Limit on the weights.

    Raises
    ------
    ValueError
        If a step has no kernel; see `has_kernels`.
    """

    path = "compiled"
    stride = 1

    def __init__(
        self,
        pipeline: Pipeline,
        classes: tuple[int, ...] | tuple[str, ...] | None = None,
        guard: Guard = _GUARD,
    ) -> None:
        self._general = GeneralLearner(pipeline, classes, 1, guard)
        self._state = self._general.state
        self._guard = guard
        self.task = self._general.task
        *first, last = [step for _, step in pipeline.steps]
        transformers = [transformer_kernel(step) for step in first]
        predictor = predictor_kernel(last)
        self._transformers = [kernel for kernel in transformers if kernel is not None]
        if predictor is None or len(self._transformers) < len(first):
            raise ValueError("a step of this pipeline has no kernel")
        self._predictor = predictor

    @property
    def model_version(self) -> int:
        """Number of events learned so far."""
        return self._state.model_version

    @property
    def pipeline(self) -> Pipeline:
        """The scikit-learn pipeline as it is now."""
        return self._state.pipeline

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

        Raises
        ------
        ValueError
            If the events have not as many features as the model.
        """
        parts = []
        while not self._state.started and batch.labelled.any():
            # A guilty row learns nothing, so that this may take more than one turn.
            is_head = np.arange(len(batch)) <= np.argmax(batch.labelled)
            parts.append(self._general.test_then_train(batch.take(is_head)))
            batch = batch.take(~is_head)
        whole = self._compiled if self._state.started else self._general.test_then_train
        return joined([*parts, whole(batch)])

    def snapshot(self) -> LearnerSnapshot:
        """Give everything needed to go on, bit for bit. Changes nothing."""
        return self._state.snapshot()

    def restore(self, snapshot: LearnerSnapshot) -> None:
        """Take over the state of `snapshot`.

        Raises
        ------
        ModelFormatError
            If it does not fit this pipeline and classes, or is damaged.
        """
        self._general.restore(snapshot)

    def _compiled(self, batch: EventBatch) -> Predictions:
        n_features = self.pipeline.n_features_in_
        if batch.X.shape[1] != n_features:  # compiled code would read beyond its arrays
            raise ValueError(f"the model has {n_features} features, not {batch.X.shape[1]}")
        rows = self._general.room(batch)
        before = self.model_version
        accepted = accepted_rows(
            len(batch),
            self._remember,
            self._recall,
            lambda start, stop: self._run(rows, start, stop),
        )
        return predictions_of(rows, accepted, before)

    def _run(self, rows: Rows, start: int, stop: int) -> int:
        """Learn rows; return `stop`, or the position of the first guilty one."""
        *transformers, (_, model) = self.pipeline.steps
        Z: Floats = rows.Z[start:stop]
        for kernel, (_, transformer) in zip(self._transformers, transformers, strict=True):
            out = np.empty_like(Z)
            # The rows before one that a transformer cannot take may hold a guilty one.
            Z = out[: kernel.run(transformer, Z, out)]
        end = start + len(Z)
        part = Rows(
            Z,
            rows.y[start:end],
            rows.labelled[start:end],
            rows.values[start:end],
            rows.probabilities[start:end],
        )
        done = start + self._predictor.run(model, part, self._guard.max_weight)
        self._state.model_version += int(np.count_nonzero(rows.labelled[start:done]))
        return done

    def _remember(self) -> _Remembered:
        pairs = zip(self._kernels(), self.pipeline.steps, strict=True)
        copies = [_copied(kernel, vars(step)) for kernel, (_, step) in pairs]
        return copies, self.model_version

    def _recall(self, remembered: _Remembered) -> None:
        attributes, self._state.model_version = remembered
        for kernel, (_, step), saved in zip(
            self._kernels(), self.pipeline.steps, attributes, strict=True
        ):
            vars(step).update(_copied(kernel, saved))

    def _kernels(self) -> tuple[_Kernel, ...]:
        return (*self._transformers, self._predictor)


def has_kernels(pipeline: Pipeline) -> bool:
    """Tell whether each step of a pipeline has a kernel.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted or not.
    """
    *first, last = [step for _, step in pipeline.steps]
    return predictor_kernel(last) is not None and all(transformer_kernel(step) for step in first)


def _copied(kernel: _Kernel, attributes: dict[str, Any]) -> dict[str, Any]:
    """Copy what a kernel changes: arrays; numbers and None are never changed in place."""
    return {
        name: value.copy() if isinstance(value := attributes[name], np.ndarray) else value
        for name in kernel.state
    }
