"""What kernels are about to change, remembered so that a learner can go back to it.

Only what may change is copied: where rows in CSR change just their own columns of an array, just
these.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.kernels.kernel import Indices, PredictorKernel, TransformerKernel

_Index = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """State of one estimator.

    Attributes
    ----------
    estimator : estimator
        Of scikit-learn, fitted.
    attributes : dict of str to Any
        What it holds, not copied: kernels write into arrays, scikit-learn replaces them.
    contents : list of (ndarray, index, ndarray)
        What stood at an index of an array.
    """

    estimator: Any
    attributes: dict[str, Any]
    contents: list[tuple[NDArray[Any], _Index, NDArray[Any]]]

    def recall(self) -> None:
        """Make the estimator what it was; may be called more than once."""
        vars(self.estimator).update(self.attributes)
        for array, index, content in self.contents:
            array[index] = content


def remember(
    kernel: TransformerKernel | PredictorKernel, estimator: Any, columns: Indices | None
) -> Memory:
    """Remember what a kernel may change.

    Parameters
    ----------
    kernel : TransformerKernel or PredictorKernel
    estimator : estimator
        Fitted.
    columns : ndarray of shape (n_stored,) or None
        Columns of the stored values of the rows to come, in any order; None for dense rows.
    """
    held = vars(estimator)
    attributes = {name: held[name] for name in kernel.state if name in held}
    local = () if columns is None else kernel.by_column(estimator)
    contents: list[tuple[NDArray[Any], _Index, NDArray[Any]]] = []
    for name, value in attributes.items():
        for array in _arrays(value):
            if columns is not None and name in local and columns.size < array.shape[-1]:
                contents.append((array, (..., columns), array.take(columns, axis=-1)))
            else:
                contents.append((array, (...,), array.copy()))
    return Memory(estimator, attributes, contents)


def _arrays(value: Any) -> Iterator[NDArray[Any]]:
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, np.ndarray))
