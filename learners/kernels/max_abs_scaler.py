"""MaxAbsScaler, row by row, dense and CSR."""

from typing import Any

import numpy as np
from sklearn.preprocessing import MaxAbsScaler

from learners.events import Floats
from learners.kernels.compiling import compiled, inlined
from learners.kernels.kernel import Matrix, TransformerKernel

_MAX = float(np.finfo(np.float64).max)
_TINY = 10.0 * float(np.finfo(np.float64).eps)  # a smaller largest value counts as none


@inlined
def _clipped(value: float, clip: bool) -> float:  # noqa: FBT001 - compiled functions take no keywords
    return min(max(value, -1.0), 1.0) if clip else value


@compiled
def _run_rows(X: Floats, Z: Floats, largest: Floats, scale: Floats, clip: bool) -> int:  # noqa: FBT001 - compiled functions take no keywords
    n_rows: int = X.shape[0]
    for i in range(n_rows):
        fine = True
        for j in range(X.shape[1]):
            size = abs(X[i, j])
            if size > largest[j]:
                largest[j] = size
                scale[j] = 1.0 if size < _TINY else size
            Z[i, j] = _clipped(X[i, j] / scale[j], clip)
            fine &= abs(Z[i, j]) <= _MAX
        if not fine:
            return i
    return n_rows


@compiled
def _run_sparse_rows(
    matrix: Matrix,
    out: Floats,
    largest: Floats,
    scale: Floats,
    clip: bool,  # noqa: FBT001 - compiled functions take no keywords
) -> int:
    indptr, indices, data, _ = matrix
    n_rows: int = indptr.shape[0] - 1
    for i in range(n_rows):
        fine = True
        for at in range(indptr[i], indptr[i + 1]):
            j = indices[at]
            size = abs(data[at])
            if size > largest[j]:
                largest[j] = size
                scale[j] = 1.0 if size < _TINY else size
            out[at] = _clipped(data[at] * (1.0 / scale[j]), clip)
            fine &= abs(out[at]) <= _MAX
        if not fine:
            return i
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is MaxAbsScaler


def _run(scaler: Any, X: Floats, Z: Floats) -> int:
    done = _run_rows(X, Z, scaler.max_abs_, scaler.scale_, bool(scaler.clip))
    scaler.n_samples_seen_ += done
    return done


def _run_sparse(scaler: Any, matrix: Matrix, out: Floats) -> int:
    done = _run_sparse_rows(matrix, out, scaler.max_abs_, scaler.scale_, bool(scaler.clip))
    scaler.n_samples_seen_ += done
    return done


def _by_column(_: Any) -> tuple[str, ...]:
    return ("max_abs_", "scale_")


KERNEL = TransformerKernel(
    takes=_takes,
    state=("max_abs_", "scale_", "n_samples_seen_"),
    run=_run,
    run_sparse=_run_sparse,
    by_column=_by_column,
)
