"""What a kernel is: how compiled code takes over one scikit-learn estimator that is fitted.

Which kernels there are is in `learners.kernels.registry`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from learners.events import Bools, Floats


@dataclass(frozen=True, slots=True)
class TransformerKernel:
    """Learns and transforms rows one after another.

    Attributes
    ----------
    takes : callable (estimator) -> bool
        Whether the kernel computes what this estimator, by its parameters, computes.
    state : tuple of str
        Attributes of the estimator that `run` changes.
    run : callable (estimator, X, Z) -> int
        Takes each row of `X`, of shape (n_rows, n_features), learns it, and writes it
        transformed to `Z`, of the same shape. Ends before the first row after which a number
        of the estimator or of `Z` is not finite; returns how many rows it did. On a short
        return the estimator's state is not to be used.
    """

    takes: Callable[[Any], bool]
    state: tuple[str, ...]
    run: Callable[[Any, Floats, Floats], int]


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


@dataclass(frozen=True, slots=True)
class PredictorKernel:
    """Predicts rows and learns the labelled ones, one after another.

    Attributes
    ----------
    takes, state
        As in `TransformerKernel`.
    run : callable (estimator, rows, max_weight) -> int
        Ends before the first row that scikit-learn would refuse, whose prediction is not a
        number, or after which a weight is above `max_weight`; returns how many rows it did.
        On a short return the estimator's state is not to be used.
    """

    takes: Callable[[Any], bool]
    state: tuple[str, ...]
    run: Callable[[Any, Rows, float], int]
