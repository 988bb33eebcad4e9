"""Rows of features, in an array or in CSR, so that who learns from them need not ask which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse, vstack

from learners.events import Features, Floats


def in_order(x: Any) -> Features:
    """Give rows as every estimator takes them.

    Parameters
    ----------
    x : ndarray, or sparse array or matrix, of shape (n_rows, n_features)
        What a transformer gave.

    Returns
    -------
    ndarray or csr_array of shape (n_rows, n_features)
        Float64; an array C-contiguous, the indices of CSR ascending within a row.
    """
    if not issparse(x):
        return np.ascontiguousarray(x, dtype=np.float64)
    rows = csr_array(x, dtype=np.float64)
    rows.sort_indices()
    return rows


def stacked(rows: Sequence[Features]) -> Features:
    """Put rows of one kind below each other; there is at least one."""
    dense = isinstance(rows[0], np.ndarray)
    return np.concatenate(rows) if dense else vstack(rows, format="csr")


def stored(rows: Features) -> Floats:
    """Give the numbers that are stored; in CSR, all others are zero."""
    return rows if isinstance(rows, np.ndarray) else np.asarray(rows.data)


def to_plain(row: Features) -> Any:
    """Give a single row as JSON can hold it; every float comes back bit for bit."""
    if isinstance(row, np.ndarray):
        return row.ravel().tolist()
    return {
        "n_features": row.shape[1],
        "indices": row.indices.tolist(),
        "data": row.data.tolist(),
    }


def from_plain(plain: Any) -> Features:
    """Take back what `to_plain` gave.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it is anything else.
    """
    if isinstance(plain, list):
        return np.array([plain], dtype=np.float64)
    data, indices = np.array(plain["data"], np.float64), np.array(plain["indices"], np.int32)
    place = np.array([0, len(indices)], np.int32)
    row = csr_array((data, indices, place), shape=(1, plain["n_features"]))
    row.check_format(full_check=True)
    return in_order(row)
