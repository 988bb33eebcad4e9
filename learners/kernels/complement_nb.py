"""ComplementNB, row by row, dense and in CSR.

In CSR without `norm`, a row costs as much as it has stored values, for each class. With `norm` each
learned row costs as much as there are features, since all weights change.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.naive_bayes import ComplementNB

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import Indices, PredictorKernel, Rows, SparseRows
from learners.kernels.naive_bayes_arithmetic import dot, pairwise_sum, write_prediction
from learners.kernels.naive_bayes_discrete import MAX, STATE, Counts, counts_of, is_smoothed, settle
from learners.kernels.naive_bayes_totals import BLOCK, fill_nodes, set_block, tree_for


class _Complements(NamedTuple):
    """The counts, and those of all classes together.

    Attributes
    ----------
    counts : Counts
    every : ndarray of shape (n_features,)
        The estimator's `feature_all_`.
    room : ndarray of shape (n_features,)
        For what is to be added up.
    norm : bool
        Whether the weights of a class are divided by their sum.
    """

    counts: Counts
    every: Floats
    room: Floats
    norm: bool


@compiled
def _add_up(complements: _Complements, j: int) -> bool:
    """Set the count of a feature in all classes; tell whether it is finite."""
    total = 0.0
    for c in range(complements.counts.prior.by_class.shape[0]):
        total += complements.counts.feature[c, j]
    complements.every[j] = total
    return total <= MAX


@compiled
def _complement(complements: _Complements, c: int, j: int) -> float:
    """Give the smoothed count of a feature in all other classes."""
    counts, every = complements.counts, complements.every
    return float(every[j] + counts.alpha[j] - counts.feature[c, j])


@compiled
def _update_weights(complements: _Complements, weights: Floats) -> bool:
    """Write the weights of the features in all classes; tell whether they are numbers."""
    room = complements.room
    fine = True
    for c in range(weights.shape[0]):
        for j in range(room.shape[0]):
            room[j] = _complement(complements, c, j)
        total = pairwise_sum(room)
        for j in range(room.shape[0]):
            room[j] = math.log(room[j] / total)
        divisor = pairwise_sum(room) if complements.norm else -1.0
        for j in range(room.shape[0]):
            weights[c, j] = room[j] / divisor
            fine &= not math.isnan(weights[c, j])
    return fine


@compiled
def _run(rows: Rows, complements: _Complements) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = Z.shape[0]
    counts = complements.counts
    n_classes, n_features = counts.feature.shape
    for j in range(n_features):
        _add_up(complements, j)
    weights = np.empty((n_classes, n_features))
    _update_weights(complements, weights)
    joint = np.empty(n_classes)
    for i in range(n_rows):
        for c in range(n_classes):
            joint[c] = dot(Z[i], weights[c])
        if not write_prediction(joint, values, probabilities, i):
            return i
        if not labelled[i]:
            continue
        counts.prior.by_class[y[i]] += 1.0
        fine = True
        for j in range(n_features):
            counts.feature[y[i], j] += Z[i, j]
            fine &= Z[i, j] >= 0.0
            fine &= _add_up(complements, j)
        if not (fine and _update_weights(complements, weights)):
            return i
    return n_rows


@compiled
def _block_sum(complements: _Complements, c: int, block: int) -> float:
    total = 0.0
    for j in range(block * BLOCK, min((block + 1) * BLOCK, complements.every.shape[0])):
        total += _complement(complements, c, j)
    return total


@compiled
def _count_stored(
    complements: _Complements, columns: Indices, x: Floats, c: int, trees: Floats
) -> bool:
    """Count the stored values of a row; tell whether scikit-learn takes it."""
    counts = complements.counts
    counts.prior.by_class[c] += 1.0
    fine = True
    for k in range(x.shape[0]):
        j = columns[k]
        counts.feature[c, j] += x[k]
        fine &= x[k] >= 0.0
        fine &= _add_up(complements, j)
        block = j // BLOCK
        if k + 1 == x.shape[0] or columns[k + 1] // BLOCK != block:
            for other in range(trees.shape[0]):
                set_block(trees[other], block, _block_sum(complements, other, block))
    return fine


@compiled
def _update_divisors(complements: _Complements, trees: Floats, divisors: Floats) -> bool:
    """Write what the logarithms of each class are divided by; tell whether it leaves numbers."""
    room = complements.room
    fine = True
    for c in range(trees.shape[0]):
        fine &= trees[c, 1] > 0.0  # it is 0 where a count is so large that alpha vanishes in it
        if complements.norm:
            for j in range(room.shape[0]):
                room[j] = math.log(_complement(complements, c, j) / trees[c, 1])
            divisors[c] = pairwise_sum(room)
            # Divided by 0 or -inf, one of its own terms is NaN.
            fine &= divisors[c] != 0.0 and math.isfinite(divisors[c])
    return fine


@compiled
def _start_totals(complements: _Complements, trees: Floats) -> None:
    n_blocks = trees.shape[1] // 2
    for j in range(complements.every.shape[0]):
        _add_up(complements, j)
    for c in range(trees.shape[0]):
        for block in range(n_blocks):
            trees[c, n_blocks + block] = _block_sum(complements, c, block)
        fill_nodes(trees[c])


@compiled
def _run_sparse(rows: SparseRows, complements: _Complements, trees: Floats) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = y.shape[0]
    n_classes = trees.shape[0]
    _start_totals(complements, trees)
    divisors = np.full(n_classes, -1.0)
    _update_divisors(complements, trees, divisors)
    joint = np.empty(n_classes)
    for i in range(n_rows):
        columns = Z.indices[Z.indptr[i] : Z.indptr[i + 1]]
        x = Z.data[Z.indptr[i] : Z.indptr[i + 1]]
        joint[:] = 0.0
        for k in range(x.shape[0]):
            for c in range(n_classes):
                share = _complement(complements, c, columns[k]) / trees[c, 1]
                joint[c] += x[k] * (math.log(share) / divisors[c])
        if not write_prediction(joint, values, probabilities, i):
            return i
        if labelled[i] and not (
            _count_stored(complements, columns, x, y[i], trees)
            and _update_divisors(complements, trees, divisors)
        ):
            return i
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is ComplementNB and is_smoothed(estimator)


def _complements_of(model: Any) -> _Complements:
    every = model.feature_all_
    return _Complements(counts_of(model), every, np.empty_like(every), bool(model.norm))


def _run_classifier(model: Any, rows: Rows, _max_weight: float) -> int:
    return settle(model, rows, _run(rows, _complements_of(model)))


def _run_classifier_sparse(model: Any, rows: SparseRows, _max_weight: float) -> int:
    complements = _complements_of(model)
    trees = tree_for(*complements.counts.feature.shape)
    return settle(model, rows, _run_sparse(rows, complements, trees))


def _by_column(_: Any) -> tuple[str, ...]:
    return ("feature_count_", "feature_all_")


KERNEL = PredictorKernel(
    takes=_takes,
    state=(*STATE, "feature_all_"),
    run=_run_classifier,
    run_sparse=_run_classifier_sparse,
    by_column=_by_column,
)
