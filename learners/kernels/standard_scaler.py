"""StandardScaler, row by row, dense and CSR.

Each row is an increment of one row in the pairwise update of mean and variance that scikit-learn
uses (Chan, Golub and LeVeque, The American Statistician 37:3, 1983, equations 1.5a and 1.5b), in
its order of operations: the shorter update by Welford differs in the sixth digit where features
are shifted by 1e6.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from learners.events import Floats
from learners.kernels.compiling import compiled, inlined
from learners.kernels.kernel import Matrix, TransformerKernel

_EPS = float(np.finfo(np.float64).eps)
_MAX = float(np.finfo(np.float64).max)
_NOTHING = np.empty(0)


class _Moments(NamedTuple):
    """Each of shape (n_features,), or empty where it is not computed."""

    mean: Floats
    var: Floats
    scale: Floats


@inlined
def _learned(x: float, mean: float, var: float, seen: float) -> tuple[float, float]:
    """Give mean and variance with one more value."""
    count = seen + 1.0
    total = mean * seen
    distance = total / seen - x
    return (total + x) / count, (var * seen + seen / count * (distance * distance)) / count


@inlined
def _scale(mean: float, var: float, count: float) -> float:
    # A variance within the rounding error of the computation counts as none.
    rounding = count * mean * _EPS
    bound = count * _EPS * var + rounding * rounding
    return 1.0 if var <= bound else np.sqrt(var)


@compiled
def _run_rows(X: Floats, Z: Floats, moments: _Moments, subtracts: bool, seen: float) -> int:  # noqa: FBT001 - compiled functions take no keywords
    mean, var, scale = moments
    n_rows: int = X.shape[0]
    for i in range(n_rows):
        fine = True
        for j in range(X.shape[1]):
            value = X[i, j]
            if scale.shape[0]:
                mean[j], var[j] = _learned(value, mean[j], var[j], seen)
                scale[j] = _scale(mean[j], var[j], seen + 1.0)
                fine &= abs(mean[j]) <= _MAX and var[j] <= _MAX
            elif mean.shape[0]:
                mean[j] = (mean[j] * seen + value) / (seen + 1.0)
            if subtracts:
                value -= mean[j]
            if scale.shape[0]:
                value /= scale[j]
            Z[i, j] = value
            fine &= abs(value) <= _MAX
        if not fine:
            return i
        seen += 1.0
    return n_rows


@compiled
def _run_sparse_rows(
    matrix: Matrix, out: Floats, moments: _Moments, active: NDArray[np.int64], seen: float
) -> int:
    """Scale rows in CSR.

    Features that are not `active` have been 0 so far, and are 0 in all of these rows.
    """
    indptr, indices, data, n_features = matrix
    mean, var, scale = moments
    x = np.zeros(n_features)
    n_rows: int = indptr.shape[0] - 1
    for i in range(n_rows):
        for at in range(indptr[i], indptr[i + 1]):
            x[indices[at]] = data[at]
        fine = True
        for j in active:
            mean[j], var[j] = _learned(x[j], mean[j], var[j], seen)
            fine &= abs(mean[j]) <= _MAX and var[j] <= _MAX
        seen += 1.0
        for at in range(indptr[i], indptr[i + 1]):
            j = indices[at]
            x[j] = 0.0
            out[at] = data[at] * (1.0 / _scale(mean[j], var[j], seen))
            fine &= abs(out[at]) <= _MAX
        if not fine:
            return i
    for j in active:
        scale[j] = _scale(mean[j], var[j], seen)
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is StandardScaler


def _moments_of(scaler: Any) -> _Moments:
    # scikit-learn keeps None where its parameters make an array needless.
    arrays = (scaler.mean_, scaler.var_, scaler.scale_)
    return _Moments(*(_NOTHING if array is None else array for array in arrays))


def _count(scaler: Any, rows: int) -> None:
    seen = scaler.n_samples_seen_
    scaler.n_samples_seen_ = type(seen)(seen + rows)


def _run(scaler: Any, X: Floats, Z: Floats) -> int:
    seen = float(scaler.n_samples_seen_)
    done = _run_rows(X, Z, _moments_of(scaler), bool(scaler.with_mean), seen)
    _count(scaler, done)
    return done


def _run_sparse(scaler: Any, matrix: Matrix, out: Floats) -> int:
    moments = _moments_of(scaler)
    done = len(matrix.indptr) - 1
    if scaler.scale_ is None:
        out[:] = matrix.data
    else:
        active = (moments.mean != 0.0) | (moments.var != 0.0)
        active[matrix.indices] = True
        seen = float(scaler.n_samples_seen_)
        done = _run_sparse_rows(matrix, out, moments, np.flatnonzero(active), seen)
    _count(scaler, done)
    return done


KERNEL = TransformerKernel(
    takes=_takes,
    state=("mean_", "var_", "scale_", "n_samples_seen_"),
    run=_run,
    run_sparse=_run_sparse,
)
