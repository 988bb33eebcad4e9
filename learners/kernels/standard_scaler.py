"""StandardScaler, row by row.

Each row is an increment of one row in the pairwise update of mean and variance that scikit-learn
uses (Chan, Golub and LeVeque, The American Statistician 37:3, 1983, equations 1.5a and 1.5b), in
its order of operations: the shorter update by Welford differs in the sixth digit where features
are shifted by 1e6.
"""

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import TransformerKernel

_EPS = float(np.finfo(np.float64).eps)
_MAX = float(np.finfo(np.float64).max)
_NOTHING = np.empty(0)
_Moments = tuple[Floats, Floats, Floats]  # mean, variance, scale


@compiled
def _update_mean(x: Floats, mean: Floats, seen: float) -> None:
    for j in range(x.shape[0]):
        mean[j] = (mean[j] * seen + x[j]) / (seen + 1.0)


@compiled
def _update_variance(x: Floats, moments: _Moments, seen: float) -> None:
    mean, var, scale = moments
    count = seen + 1.0
    for j in range(x.shape[0]):
        total = mean[j] * seen
        distance = total / seen - x[j]
        var[j] = (var[j] * seen + seen / count * (distance * distance)) / count
        mean[j] = (total + x[j]) / count
        # A variance within the rounding error of the computation counts as none.
        rounding = count * mean[j] * _EPS
        bound = count * _EPS * var[j] + rounding * rounding
        scale[j] = 1.0 if var[j] <= bound else np.sqrt(var[j])


@compiled
def _transform(x: Floats, z: Floats, mean: Floats, var: Floats, scale: Floats) -> bool:
    """Write the transformed row; tell whether all numbers are finite."""
    fine = True
    for j in range(x.shape[0]):
        value = x[j]
        if mean.shape[0]:
            value = value - mean[j]
        if scale.shape[0]:
            value = value / scale[j]
            fine &= var[j] <= _MAX
        z[j] = value
        fine &= abs(value) <= _MAX
    return fine


@compiled
def _run(X: Floats, Z: Floats, subtracted: Floats, moments: _Moments, seen: float) -> int:
    mean, var, scale = moments
    n_rows: int = X.shape[0]
    for i in range(n_rows):
        if scale.shape[0]:
            _update_variance(X[i], moments, seen)
        elif mean.shape[0]:
            _update_mean(X[i], mean, seen)
        seen += 1.0
        if not _transform(X[i], Z[i], subtracted, var, scale):
            return i
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is StandardScaler


def _run_scaler(scaler: Any, X: Floats, Z: Floats) -> int:
    # scikit-learn keeps None where its parameters make an array needless.
    mean = _NOTHING if scaler.mean_ is None else scaler.mean_
    var = _NOTHING if scaler.var_ is None else scaler.var_
    scale = _NOTHING if scaler.scale_ is None else scaler.scale_
    seen = scaler.n_samples_seen_
    subtracted = mean if scaler.with_mean else _NOTHING
    done = _run(X, Z, subtracted, (mean, var, scale), float(seen))
    scaler.n_samples_seen_ = type(seen)(seen + done)
    return done


KERNEL = TransformerKernel(
    takes=_takes, state=("mean_", "var_", "scale_", "n_samples_seen_"), run=_run_scaler
)
