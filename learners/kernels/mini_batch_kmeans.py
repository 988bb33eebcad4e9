# ruff: noqa: SLF001 - scikit-learn keeps the counts of its clusters in private attributes
"""MiniBatchKMeans, a step for each row, dense and in CSR.

The centres are started by scikit-learn itself, from the first rows. A row goes to the centre c of
smallest |c|^2 - 2 c.x, which is how scikit-learn compares distances; where two of them differ by
less than rounding, the choice can be another one, since the dot product is taken in another order.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import Indices, Matrix, PredictorKernel, Rows, SparseRows
from learners.kernels.kmeans_distances import (
    nearest,
    nearest_stored,
    squared_distance,
    squared_distance_stored,
)
from learners.kernels.naive_bayes_arithmetic import dot

_MAX = float(np.finfo(np.float64).max)


class _Clusters(NamedTuple):
    """The estimator's own arrays, and what is kept beside them.

    Attributes
    ----------
    centres : ndarray of shape (n_clusters, n_features)
        Its `cluster_centers_`.
    sizes : ndarray of shape (n_clusters,)
        Its `_counts`.
    norms : ndarray of shape (n_clusters,)
        Squared norms of the centres.
    since : ndarray of shape (1,)
        Its `_n_since_last_reassign`, which grows by `pace` a row.
    pace : int
        Its `_batch_size`.
    """

    centres: Floats
    sizes: Floats
    norms: Floats
    since: NDArray[np.int64]
    pace: int


@compiled
def _stored(Z: Matrix, i: int) -> tuple[Indices, Floats]:
    """Give the columns and values of a row."""
    start, stop = Z.indptr[i], Z.indptr[i + 1]
    return Z.indices[start:stop], Z.data[start:stop]


@compiled
def _unscale(clusters: _Clusters, k: int) -> None:
    """Turn a centre into the sum of its rows."""
    for j in range(clusters.centres.shape[1]):
        clusters.centres[k, j] *= clusters.sizes[k]


@compiled
def _rescale(clusters: _Clusters, k: int, max_weight: float) -> bool:
    """Turn the sum of one more row into a centre; tell whether it is within the limit."""
    clusters.sizes[k] += 1.0
    factor = 1.0 / clusters.sizes[k]
    centre = clusters.centres[k]
    fine = True
    for j in range(centre.shape[0]):
        centre[j] *= factor
        fine &= abs(centre[j]) <= max_weight
    clusters.norms[k] = dot(centre, centre)
    return fine


@compiled
def _start(clusters: _Clusters) -> None:
    for k in range(clusters.norms.shape[0]):
        clusters.norms[k] = dot(clusters.centres[k], clusters.centres[k])


@compiled
def _keep_pace(clusters: _Clusters) -> None:
    """Count the rows to the next reassignment of rare clusters, at which nothing happens here."""
    clusters.since[0] += clusters.pace
    if clusters.since[0] >= 10 * clusters.sizes.shape[0] or np.any(clusters.sizes == 0.0):
        clusters.since[0] = 0


@compiled
def _run(rows: Rows, clusters: _Clusters, max_weight: float) -> int:
    n_rows: int = rows.Z.shape[0]
    _start(clusters)
    for i in range(n_rows):
        x = rows.Z[i]
        k = nearest(clusters.centres, clusters.norms, x)
        rows.values[i] = k
        if not rows.labelled[i]:
            continue
        _keep_pace(clusters)
        _unscale(clusters, k)
        for j in range(x.shape[0]):
            clusters.centres[k, j] += x[j]
        if not _rescale(clusters, k, max_weight):
            return i
    return n_rows


@compiled
def _run_sparse(rows: SparseRows, clusters: _Clusters, max_weight: float) -> int:
    n_rows: int = rows.y.shape[0]
    _start(clusters)
    for i in range(n_rows):
        columns, x = _stored(rows.Z, i)
        k = nearest_stored(clusters.centres, clusters.norms, columns, x)
        rows.values[i] = k
        if not rows.labelled[i]:
            continue
        _keep_pace(clusters)
        _unscale(clusters, k)
        for m in range(x.shape[0]):
            clusters.centres[k, columns[m]] += x[m]
        if not _rescale(clusters, k, max_weight):
            return i
    return n_rows


@compiled
def _fit_of_row(clusters: _Clusters, x: Floats) -> tuple[int, float]:
    """Give the cluster of a row, and its squared distance from the centre."""
    k = nearest(clusters.centres, clusters.norms, x)
    return k, squared_distance(clusters.centres[k], x)


@compiled
def _fit_of_stored(clusters: _Clusters, columns: Indices, x: Floats) -> tuple[int, float]:
    k = nearest_stored(clusters.centres, clusters.norms, columns, x)
    return k, squared_distance_stored(clusters.centres[k], clusters.norms[k], columns, x)


def _takes(estimator: Any) -> bool:
    return type(estimator) is MiniBatchKMeans and estimator.reassignment_ratio == 0


def _clusters_of(model: Any) -> _Clusters:
    return _Clusters(
        centres=model.cluster_centers_,
        sizes=model._counts,
        norms=np.empty(len(model._counts)),
        since=np.array([model._n_since_last_reassign], np.int64),
        pace=int(model._batch_size),
    )


def _finish(model: Any, rows: Rows | SparseRows, done: int, clusters: _Clusters) -> int:
    """Leave what scikit-learn tells of its last step; return `done`."""
    learned = np.flatnonzero(rows.labelled[:done])
    # After a short run the estimator is not used.
    if done < len(rows.y) or not len(learned):
        return done
    model.n_steps_ += len(learned)
    model._n_since_last_reassign = int(clusters.since[0])
    if model.compute_labels:
        last = int(learned[-1])
        if isinstance(rows, SparseRows):
            label, inertia = _fit_of_stored(clusters, *_stored(rows.Z, last))
        else:
            label, inertia = _fit_of_row(clusters, rows.Z[last])
        model.labels_, model.inertia_ = np.array([label], np.int32), inertia
    return done


def _run_model(model: Any, rows: Rows, max_weight: float) -> int:
    clusters = _clusters_of(model)
    return _finish(model, rows, _run(rows, clusters, min(max_weight, _MAX)), clusters)


def _run_model_sparse(model: Any, rows: SparseRows, max_weight: float) -> int:
    clusters = _clusters_of(model)
    return _finish(model, rows, _run_sparse(rows, clusters, min(max_weight, _MAX)), clusters)


KERNEL = PredictorKernel(
    takes=_takes,
    state=(
        "cluster_centers_",
        "_counts",
        "_n_since_last_reassign",
        "n_steps_",
        "labels_",
        "inertia_",
    ),
    run=_run_model,
    run_sparse=_run_model_sparse,
)
