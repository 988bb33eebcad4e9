"""Test-then-train by compiled kernels that work on the scikit-learn estimators' own arrays.

The kernels are in `learners.kernels`; pipelines without one learn in `learners.general`.
"""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from learners.events import Bools, EventBatch, Floats, Predictions
from learners.general import GeneralLearner
from learners.guard import Guard
from learners.kernels.kernel import Matrix, PredictorKernel, Rows, SparseRows, TransformerKernel
from learners.kernels.memory import Memory, remember
from learners.kernels.registry import predictor_kernel, transformer_kernel
from learners.learner import LearnerSnapshot, Task
from learners.outcome import joined, predictions_of
from learners.replay import accepted_rows

_GUARD = Guard()
_Remembered = tuple[list[Memory], int]


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
        self._kernels: tuple[TransformerKernel | PredictorKernel, ...] = (
            *self._transformers,
            predictor,
        )

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
        while not self._state.started and (learned := self._learned(batch)).any():
            # A guilty row learns nothing, so that this may take more than one turn.
            is_head = np.arange(len(batch)) <= np.argmax(learned)
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

    def _learned(self, batch: EventBatch) -> Bools:
        """Tell which events are learned, if they are not guilty."""
        return np.ones(len(batch), np.bool_) if self.task is Task.UNSUPERVISED else batch.labelled

    def _compiled(self, batch: EventBatch) -> Predictions:
        n_features = self.pipeline.n_features_in_
        if batch.X.shape[1] != n_features:  # compiled code would read beyond its arrays
            raise ValueError(f"the model has {n_features} features, not {batch.X.shape[1]}")
        rows = self._general.room(batch)
        Z: Floats | Matrix = batch.X
        if not isinstance(batch.X, np.ndarray):
            if not all(kernel.run_sparse for kernel in self._kernels):
                raise ValueError("a step of this pipeline has no kernel for rows in CSR")
            Z = _matrix_of(batch.X)
        before = self.model_version
        accepted = accepted_rows(
            len(batch),
            lambda: self._remember(Z),
            self._recall,
            lambda start, stop: self._run(_part(rows, Z, start, stop), start),
        )
        return predictions_of(rows, accepted, before)

    def _run(self, rows: Rows | SparseRows, start: int) -> int:
        """Learn rows of a batch, the first at `start`.

        Returns the position after the last, or that of the first guilty one.
        """
        *transformers, (_, model) = self.pipeline.steps
        Z = rows.Z
        for kernel, (_, transformer) in zip(self._transformers, transformers, strict=True):
            Z = _transformed(kernel, transformer, Z)
        # The rows before one that a transformer cannot take may hold a guilty one.
        part = _part(rows, Z, 0, _n_rows(Z))
        limit = self._guard.max_weight
        if isinstance(part, SparseRows):
            assert self._predictor.run_sparse is not None  # noqa: S101 - looked at before
            done = self._predictor.run_sparse(model, part, limit)
        else:
            done = self._predictor.run(model, part, limit)
        self._state.model_version += int(np.count_nonzero(part.labelled[:done]))
        return start + done

    def _remember(self, Z: Floats | Matrix) -> _Remembered:
        columns = Z.indices if isinstance(Z, Matrix) else None
        pairs = zip(self._kernels, self.pipeline.steps, strict=True)
        return [remember(kernel, step, columns) for kernel, (_, step) in pairs], self.model_version

    def _recall(self, remembered: _Remembered) -> None:
        memories, self._state.model_version = remembered
        for memory in memories:
            memory.recall()


def has_kernels(pipeline: Pipeline, *, sparse: bool = False) -> bool:
    """Tell whether each step of a pipeline has a kernel.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted or not.
    sparse : bool
        Whether rows come in CSR.
    """
    *first, last = [step for _, step in pipeline.steps]
    kernels = [predictor_kernel(last), *(transformer_kernel(step) for step in first)]
    return all(kernel is not None and (kernel.run_sparse or not sparse) for kernel in kernels)


def _matrix_of(X: Any) -> Matrix:
    """Take the arrays of a `scipy.sparse.csr_array`."""
    indptr, indices = X.indptr.astype(np.int32, copy=False), X.indices.astype(np.int32, copy=False)
    return Matrix(indptr, indices, X.data, X.shape[1])


def _n_rows(Z: Floats | Matrix) -> int:
    return len(Z.indptr) - 1 if isinstance(Z, Matrix) else len(Z)


def _part(rows: Rows | SparseRows, Z: Floats | Matrix, start: int, stop: int) -> Rows | SparseRows:
    """Take some rows, with these features."""
    part = slice(start, stop)
    room = (rows.y[part], rows.labelled[part], rows.values[part], rows.probabilities[part])
    if isinstance(Z, Matrix):
        return SparseRows(Z._replace(indptr=Z.indptr[start : stop + 1]), *room)
    return Rows(Z[part], *room)


def _transformed(
    kernel: TransformerKernel, transformer: Any, Z: Floats | Matrix
) -> Floats | Matrix:
    """Let a transformer learn and transform rows, up to the first that it cannot take."""
    if isinstance(Z, Matrix):
        assert kernel.run_sparse is not None  # noqa: S101 - looked at before
        data = np.empty_like(Z.data)
        done = kernel.run_sparse(transformer, Z, data)
        return Z._replace(indptr=Z.indptr[: done + 1], data=data)
    out = np.empty_like(Z)
    return out[: kernel.run(transformer, Z, out)]
