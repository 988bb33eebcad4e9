"""MinMaxScaler, row by row; scikit-learn's takes dense rows only."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.preprocessing import MinMaxScaler

from learners.events import Floats
from learners.kernels.compiling import compiled, inlined
from learners.kernels.kernel import TransformerKernel

_MAX = float(np.finfo(np.float64).max)
_TINY = 10.0 * float(np.finfo(np.float64).eps)  # a smaller range counts as none


class _Range(NamedTuple):
    """Where values are scaled to."""

    lowest: float
    highest: float
    clip: bool


class _Extremes(NamedTuple):
    """Attributes of the scaler, each of shape (n_features,)."""

    lowest: Floats
    highest: Floats
    spread: Floats
    scale: Floats
    shift: Floats


@inlined
def _scaled(value: float, scale: float, shift: float, to: _Range) -> float:
    value = value * scale + shift
    return min(max(value, to.lowest), to.highest) if to.clip else value


@compiled
def _run_rows(X: Floats, Z: Floats, extremes: _Extremes, to: _Range) -> int:
    lowest, highest, spread, scale, shift = extremes
    n_rows: int = X.shape[0]
    for i in range(n_rows):
        fine = True
        for j in range(X.shape[1]):
            value = X[i, j]
            if value < lowest[j] or value > highest[j]:
                lowest[j] = min(lowest[j], value)
                highest[j] = max(highest[j], value)
                spread[j] = highest[j] - lowest[j]
                scale[j] = (to.highest - to.lowest) / (1.0 if spread[j] < _TINY else spread[j])
                shift[j] = to.lowest - lowest[j] * scale[j]
                fine &= spread[j] <= _MAX and abs(scale[j]) <= _MAX and abs(shift[j]) <= _MAX
            Z[i, j] = _scaled(value, scale[j], shift[j], to)
            fine &= abs(Z[i, j]) <= _MAX
        if not fine:
            return i
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is MinMaxScaler


def _run(scaler: Any, X: Floats, Z: Floats) -> int:
    extremes = _Extremes(
        scaler.data_min_, scaler.data_max_, scaler.data_range_, scaler.scale_, scaler.min_
    )
    lowest, highest = scaler.feature_range
    done = _run_rows(X, Z, extremes, _Range(float(lowest), float(highest), bool(scaler.clip)))
    scaler.n_samples_seen_ += done
    return done


KERNEL = TransformerKernel(
    takes=_takes,
    state=("data_min_", "data_max_", "data_range_", "scale_", "min_", "n_samples_seen_"),
    run=_run,
)
