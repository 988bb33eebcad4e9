"""What a kernel is: how compiled code takes over one scikit-learn estimator that is fitted.

Which kernels there are is in `learners.kernels.registry`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.events import Bools, Floats

Indices = NDArray[np.int32]


def no_names(_: Any) -> tuple[str, ...]:
    """Name nothing."""
    return ()


@dataclass(frozen=True, slots=True)
class TransformerKernel:
    """Learns and transforms rows one after another.

    Attributes
    ----------
    takes : callable (estimator) -> bool
        Whether the kernel computes what this estimator, by its parameters, computes.
    state : tuple of str
        Attributes of the estimator that `run` changes, in place or not; some may be missing.
        They are numbers, None, arrays, or lists of arrays.
    run : callable (estimator, X, Z) -> int
        Takes each row of `X`, of shape (n_rows, n_features), learns it, and writes it
        transformed to `Z`, of the same shape. Ends before the first row after which a number
        of the estimator or of `Z` is not finite; returns how many rows it did. On a short
        return the estimator's state is not to be used.
    run_sparse : callable (estimator, matrix, data) -> int, or None
        The same for rows in CSR: learns each row and writes its transformed values to `data`,
        which has the shape of `matrix.data`; where the values stand is not changed. Equals
        scikit-learn fed with CSR. None where scikit-learn takes none.
    by_column : callable (estimator) -> tuple of str
        Those of `state` that `run_sparse` changes only in the columns of stored values, columns
        being the last axis. Of these only the columns are remembered before a batch, so that a
        batch costs nothing for weights that it does not touch.
    """

    takes: Callable[[Any], bool]
    state: tuple[str, ...]
    run: Callable[[Any, Floats, Floats], int]
    run_sparse: Callable[[Any, "Matrix", Floats], int] | None = None
    by_column: Callable[[Any], tuple[str, ...]] = no_names


class Matrix(NamedTuple):
    """Rows in CSR, as compiled code takes them.

    Attributes
    ----------
    indptr : ndarray of shape (n_rows + 1,)
        Row i stands at `indptr[i]:indptr[i + 1]` of the two others; it need not begin at 0.
    indices : ndarray of shape (n_stored,)
        Columns, ascending within a row, each once.
    data : ndarray of shape (n_stored,)
        Values.
    n_features : int
        Number of columns.
    """

    indptr: Indices
    indices: Indices
    data: Floats
    n_features: int


class Rows(NamedTuple):
    """Rows for the last step, and the room for what it predicts of them.

    Attributes
    ----------
    Z : ndarray of shape (n_rows, n_features)
        Transformed features.
    y : ndarray of shape (n_rows,)
        Class index or target.
    labelled : ndarray of shape (n_rows,)
        True where `y` is to be learned.
    values : ndarray of shape (n_rows,)
        Room for the predictions.
    probabilities : ndarray of shape (n_rows, n_classes)
        Room for the probabilities; of shape (0, 0) where the estimator gives none.
    """

    Z: Floats
    y: NDArray[Any]
    labelled: Bools
    values: NDArray[Any]
    probabilities: Floats


class SparseRows(NamedTuple):
    """As `Rows`, with the features in CSR."""

    Z: Matrix
    y: NDArray[Any]
    labelled: Bools
    values: NDArray[Any]
    probabilities: Floats


@dataclass(frozen=True, slots=True)
class PredictorKernel:
    """Predicts rows and learns the labelled ones, one after another.

    Attributes
    ----------
    takes, state, by_column
        As in `TransformerKernel`.
    run : callable (estimator, rows, max_weight) -> int
        Ends before the first row that scikit-learn would refuse, whose prediction is not a
        number, or after which a weight is above `max_weight`; returns how many rows it did.
        On a short return the estimator's state is not to be used.
    run_sparse : callable (estimator, rows, max_weight) -> int, or None
        The same for rows in CSR; equals scikit-learn fed with CSR. None where it takes none.
    """

    takes: Callable[[Any], bool]
    state: tuple[str, ...]
    run: Callable[[Any, Rows, float], int]
    run_sparse: Callable[[Any, SparseRows, float], int] | None = None
    by_column: Callable[[Any], tuple[str, ...]] = no_names
