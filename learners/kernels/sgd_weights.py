"""The weights of scikit-learn's SGD estimators: decision values, and the change by one row.

How large a change is, is computed in `learners.kernels.sgd_change`.
"""

from typing import NamedTuple

import numpy as np

from learners.events import Floats
from learners.kernels.compiling import inlined
from learners.kernels.kernel import Indices, Matrix
from learners.kernels.sgd_change import Change


class Values(NamedTuple):
    """Features of rows, dense or in CSR.

    Attributes
    ----------
    indptr, indices : ndarray or None
        As in `Matrix`; None for dense rows, which have all columns in order.
    data : ndarray of shape (n_stored,)
    """

    indptr: Indices | None
    indices: Indices | None
    data: Floats


class Place(NamedTuple):
    """The values of one row: `data[start:stop]`."""

    start: np.int64
    stop: np.int64


def values_of(Z: Floats | Matrix) -> Values:
    """Take the values of rows, which are not copied."""
    if isinstance(Z, Matrix):
        return Values(Z.indptr, Z.indices, Z.data)
    return Values(None, None, Z.ravel())


@inlined
def place_of(indptr: Indices | None, i: int, n_features: int) -> Place:
    """Tell where row `i` stands."""
    if indptr is None:
        return Place(np.int64(i * n_features), np.int64((i + 1) * n_features))
    return Place(np.int64(indptr[i]), np.int64(indptr[i + 1]))


@inlined
def decide(
    coef: Floats,
    intercept: Floats,
    indices: Indices | None,
    data: Floats,
    place: Place,
    out: Floats,
) -> None:
    """Write the decision value of each binary problem, summed in the order of storage."""
    for k in range(coef.shape[0]):
        total = 0.0
        if indices is None:
            for j in range(coef.shape[1]):
                total += coef[k, j] * data[place.start + j]
        else:
            for i in range(place.start, place.stop):
                total += coef[k, indices[i]] * data[i]
        out[k] = total + intercept[k]


@inlined
def square_norm(data: Floats, place: Place) -> float:
    """Sum the squares of a row's values."""
    total = 0.0
    for i in range(place.start, place.stop):
        total += data[i] * data[i]
    return total


@inlined
def change_weights(
    change: Change,
    coef: Floats,
    average: Floats,
    k: int,
    indices: Indices | None,
    data: Floats,
    place: Place,
) -> bool:
    """Change the weights of problem `k`; tell whether those that may have grown are in the limit.

    `average` is not looked at where nothing is averaged.
    """
    if indices is None:
        return _change_all(change, coef, average, k, data, place)
    return _change_stored(change, coef, average, k, indices, data, place)


@inlined
def _change_all(
    change: Change, coef: Floats, average: Floats, k: int, data: Floats, place: Place
) -> bool:
    fine = True
    for j in range(coef.shape[1]):
        value = coef[k, j] * change.folded
        if change.factor != 0.0:
            value += data[place.start + j] * change.factor
        if change.truncation != 0.0:
            value = _truncated(value, change.truncation)
        if change.mixed != 0.0:
            average[k, j] = (average[k, j] + change.mixed * value) * change.mixing
            fine &= abs(average[k, j]) <= change.limit
        value *= change.scale
        coef[k, j] = value
        fine &= abs(value) <= change.limit
    return fine


@inlined
def _change_stored(
    change: Change,
    coef: Floats,
    average: Floats,
    k: int,
    indices: Indices,
    data: Floats,
    place: Place,
) -> bool:
    fine = True
    if change.folded != 1.0:
        for j in range(coef.shape[1]):
            coef[k, j] *= change.folded
    for i in range(place.start, place.stop):
        value = coef[k, indices[i]]
        if change.factor != 0.0:
            value += data[i] * change.factor
        if change.truncation != 0.0:
            value = _truncated(value, change.truncation)
        coef[k, indices[i]] = value
        fine &= abs(value * change.scale) <= change.limit
    if change.mixed != 0.0:
        for j in range(coef.shape[1]):
            average[k, j] = (average[k, j] + change.mixed * coef[k, j]) * change.mixing
            fine &= abs(average[k, j]) <= change.limit
    if change.scale != 1.0:
        for j in range(coef.shape[1]):
            coef[k, j] *= change.scale
    return fine


@inlined
def _truncated(value: float, by: float) -> float:
    """Bring a weight closer to 0 (Tsuruoka, Tsujii and Ananiadou, ACL 2009)."""
    if value > 0.0:
        return max(0.0, value - by)
    if value < 0.0:
        return min(0.0, value + by)
    return value
