"""MultinomialNB, row by row, dense and in CSR.

In CSR a row costs as much as it has stored values; only the estimator's table of logarithms, made
once a run, costs as much as there are features.
"""

import math
from typing import Any

import numpy as np
from sklearn.naive_bayes import MultinomialNB

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import Indices, PredictorKernel, Rows, SparseRows
from learners.kernels.naive_bayes_arithmetic import dot, pairwise_sum, write_prediction
from learners.kernels.naive_bayes_discrete import (
    MAX,
    STATE,
    Counts,
    counts_of,
    is_smoothed,
    settle,
    update_prior,
)
from learners.kernels.naive_bayes_totals import BLOCK, fill_nodes, set_block, tree_for


@compiled
def _count(counts: Counts, x: Floats, c: int) -> bool:
    """Add a row to the counts of its class; tell whether scikit-learn takes it."""
    fine = True
    for j in range(x.shape[0]):
        counts.feature[c, j] += x[j]
        fine &= x[j] >= 0.0
        fine &= counts.feature[c, j] <= MAX
    counts.prior.by_class[c] += 1.0
    return fine


@compiled
def _update_log_prob(counts: Counts, c: int, smoothed: Floats, out: Floats) -> bool:
    """Write the log probabilities of the features in a class; tell whether they are numbers."""
    for j in range(smoothed.shape[0]):
        smoothed[j] = counts.feature[c, j] + counts.alpha[j]
    log_total = math.log(pairwise_sum(smoothed))
    fine = True
    for j in range(smoothed.shape[0]):
        out[j] = math.log(smoothed[j]) - log_total
        fine &= not math.isnan(out[j])
    return fine


@compiled
def _run(rows: Rows, counts: Counts) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = Z.shape[0]
    n_classes, n_features = counts.feature.shape
    smoothed = np.empty(n_features)
    log_prob = np.empty((n_classes, n_features))
    for c in range(n_classes):
        _update_log_prob(counts, c, smoothed, log_prob[c])
    joint = np.empty(n_classes)
    for i in range(n_rows):
        for c in range(n_classes):
            joint[c] = dot(Z[i], log_prob[c]) + counts.prior.log[c]
        if not write_prediction(joint, values, probabilities, i):
            return i
        if not labelled[i]:
            continue
        if not _count(counts, Z[i], y[i]):
            return i
        if not _update_log_prob(counts, y[i], smoothed, log_prob[y[i]]):
            return i
        update_prior(counts.prior)
    return n_rows


@compiled
def _block_sum(counts: Counts, c: int, block: int) -> float:
    total = 0.0
    for j in range(block * BLOCK, min((block + 1) * BLOCK, counts.alpha.shape[0])):
        total += counts.feature[c, j] + counts.alpha[j]
    return total


@compiled
def _count_stored(counts: Counts, columns: Indices, x: Floats, c: int, tree: Floats) -> bool:
    """As `_count`, of the stored values of a row; keeps the total of the class."""
    fine = True
    for k in range(x.shape[0]):
        j = columns[k]
        counts.feature[c, j] += x[k]
        fine &= x[k] >= 0.0
        fine &= counts.feature[c, j] <= MAX
        block = j // BLOCK
        if k + 1 == x.shape[0] or columns[k + 1] // BLOCK != block:
            set_block(tree, block, _block_sum(counts, c, block))
    counts.prior.by_class[c] += 1.0
    return fine


@compiled
def _run_sparse(rows: SparseRows, counts: Counts, trees: Floats) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = y.shape[0]
    n_classes = trees.shape[0]
    n_blocks = trees.shape[1] // 2
    log_total = np.empty(n_classes)
    for c in range(n_classes):
        for block in range(n_blocks):
            trees[c, n_blocks + block] = _block_sum(counts, c, block)
        fill_nodes(trees[c])
        log_total[c] = math.log(trees[c, 1])
    joint = np.empty(n_classes)
    for i in range(n_rows):
        columns = Z.indices[Z.indptr[i] : Z.indptr[i + 1]]
        x = Z.data[Z.indptr[i] : Z.indptr[i + 1]]
        joint[:] = 0.0
        for k in range(x.shape[0]):
            j = columns[k]
            for c in range(n_classes):
                smoothed = counts.feature[c, j] + counts.alpha[j]
                joint[c] += x[k] * (math.log(smoothed) - log_total[c])
        for c in range(n_classes):
            joint[c] += counts.prior.log[c]
        if not write_prediction(joint, values, probabilities, i):
            return i
        if not labelled[i]:
            continue
        if not _count_stored(counts, columns, x, y[i], trees[y[i]]):
            return i
        log_total[y[i]] = math.log(trees[y[i], 1])
        update_prior(counts.prior)
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is MultinomialNB and is_smoothed(estimator)


def _run_classifier(model: Any, rows: Rows, _max_weight: float) -> int:
    return settle(model, rows, _run(rows, counts_of(model)))


def _run_classifier_sparse(model: Any, rows: SparseRows, _max_weight: float) -> int:
    counts = counts_of(model)
    return settle(model, rows, _run_sparse(rows, counts, tree_for(*counts.feature.shape)))


def _by_column(_: Any) -> tuple[str, ...]:
    return ("feature_count_",)


KERNEL = PredictorKernel(
    takes=_takes,
    state=STATE,
    run=_run_classifier,
    run_sparse=_run_classifier_sparse,
    by_column=_by_column,
)
