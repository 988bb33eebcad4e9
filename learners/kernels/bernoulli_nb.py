"""BernoulliNB, row by row, dense and in CSR.

In CSR a learned row costs as much as there are features, though only an addition for most of them:
the absence of each feature counts, and every row changes what it counts for.

scikit-learn takes the probability of a feature's absence as `1 - exp(...)`. Where that is near 0,
as for a feature that a class has had in n rows out of n, it keeps but a part of its digits: up to
1e-16 n / alpha is lost, in its logarithm. So little smoothing is not taken.
"""

import math
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.naive_bayes import BernoulliNB

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import Indices, Matrix, PredictorKernel, Rows, SparseRows
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

_LEAST_ALPHA = 0.01
_REMEMBERED = 64  # a power of two


class _Threshold(NamedTuple):
    """Above which value a feature counts as present; if not binary, values count as they are."""

    binary: bool
    value: float


@compiled
def _presence(x: float, threshold: _Threshold) -> float:
    if not threshold.binary:
        return x
    return 1.0 if x > threshold.value else 0.0


@compiled
def _count(counts: Counts, c: int, j: int, presence: float) -> bool:
    """Count a feature; tell whether scikit-learn takes it."""
    counts.feature[c, j] += presence
    smoothed = counts.feature[c, j] + counts.alpha[j]
    # No logarithm is taken of what is below 0.
    return bool(0.0 <= smoothed <= MAX)


@compiled
def _log_prob(counts: Counts, c: int, j: int, log_total: float) -> float:
    return math.log(counts.feature[c, j] + counts.alpha[j]) - log_total


@compiled
def _log_total(counts: Counts, c: int) -> float:
    return math.log(counts.prior.by_class[c] + counts.alpha[0] * 2.0)


@compiled
def _update_weights(counts: Counts, c: int, weights: Floats, absent: Floats) -> float:
    """Write the weights of a class; give the log probability that no feature is present."""
    log_total = _log_total(counts, c)
    for j in range(absent.shape[0]):
        present = _log_prob(counts, c, j, log_total)
        absent[j] = math.log(1.0 - math.exp(present))
        weights[j] = present - absent[j]
    return pairwise_sum(absent)


@compiled
def _run(rows: Rows, counts: Counts, threshold: _Threshold) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = Z.shape[0]
    n_classes, n_features = counts.feature.shape
    x, absent = np.empty(n_features), np.empty(n_features)
    weights, none_present = np.empty((n_classes, n_features)), np.empty(n_classes)
    for c in range(n_classes):
        none_present[c] = _update_weights(counts, c, weights[c], absent)
    joint = np.empty(n_classes)
    for i in range(n_rows):
        for j in range(n_features):
            x[j] = _presence(Z[i, j], threshold)
        for c in range(n_classes):
            joint[c] = dot(x, weights[c]) + (counts.prior.log[c] + none_present[c])
        if not write_prediction(joint, values, probabilities, i):
            return i
        if not labelled[i]:
            continue
        c = y[i]
        counts.prior.by_class[c] += 1.0
        fine = True
        for j in range(n_features):
            fine &= _count(counts, c, j, x[j])
        if not fine:
            return i
        none_present[c] = _update_weights(counts, c, weights[c], absent)
        update_prior(counts.prior)
    return n_rows


@compiled
def _none_present(counts: Counts, c: int, absent: Floats, known: Floats) -> float:
    """Give the log probability that no feature is present; equal counts are reckoned once."""
    log_total = _log_total(counts, c)
    known[:] = np.nan
    for j in range(absent.shape[0]):
        count = counts.feature[c, j]
        slot = int(count) & (_REMEMBERED - 1) if 0.0 <= count < 1e9 else 0
        if known[0, slot] != count:
            known[0, slot] = count
            known[1, slot] = math.log(1.0 - math.exp(_log_prob(counts, c, j, log_total)))
        absent[j] = known[1, slot]
    return pairwise_sum(absent)


@compiled
def _joint_stored(
    counts: Counts, columns: Indices, x: Floats, log_totals: Floats, joint: Floats
) -> None:
    """Add up the weights of the stored values of a row, for each class."""
    joint[:] = 0.0
    for k in range(x.shape[0]):
        for c in range(joint.shape[0]):
            present = _log_prob(counts, c, columns[k], log_totals[c])
            joint[c] += x[k] * (present - math.log(1.0 - math.exp(present)))


@compiled
def _stored(Z: Matrix, i: int, threshold: _Threshold) -> tuple[Indices, Floats]:
    """Give the columns and values of a row, without those that are not present."""
    start, stop = Z.indptr[i], Z.indptr[i + 1]
    columns, x = np.empty(stop - start, np.int32), np.empty(stop - start)
    n = 0
    for k in range(start, stop):
        presence = _presence(Z.data[k], threshold)
        if presence != 0.0 or not threshold.binary:
            columns[n], x[n] = Z.indices[k], presence
            n += 1
    return columns[:n], x[:n]


@compiled
def _run_sparse(rows: SparseRows, counts: Counts, threshold: _Threshold) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = y.shape[0]
    n_classes, n_features = counts.feature.shape
    absent, known = np.empty(n_features), np.empty((2, _REMEMBERED))
    log_totals, none_present = np.empty(n_classes), np.empty(n_classes)
    for c in range(n_classes):
        log_totals[c] = _log_total(counts, c)
        none_present[c] = _none_present(counts, c, absent, known)
    joint = np.empty(n_classes)
    for i in range(n_rows):
        columns, x = _stored(Z, i, threshold)
        _joint_stored(counts, columns, x, log_totals, joint)
        joint += counts.prior.log + none_present
        if not write_prediction(joint, values, probabilities, i):
            return i
        if not labelled[i]:
            continue
        c = y[i]
        counts.prior.by_class[c] += 1.0
        fine = True
        for k in range(x.shape[0]):
            fine &= _count(counts, c, columns[k], x[k])
        if not fine:
            return i
        log_totals[c] = _log_total(counts, c)
        none_present[c] = _none_present(counts, c, absent, known)
        update_prior(counts.prior)
    return n_rows


def _takes(estimator: Any) -> bool:
    return (
        type(estimator) is BernoulliNB
        and isinstance(estimator.alpha, Real)  # scikit-learn fails with several
        and is_smoothed(estimator, _LEAST_ALPHA)
    )


def _threshold_of(model: Any) -> _Threshold:
    binary = model.binarize is not None
    return _Threshold(binary, float(model.binarize) if binary else 0.0)


def _run_classifier(model: Any, rows: Rows, _max_weight: float) -> int:
    return settle(model, rows, _run(rows, counts_of(model), _threshold_of(model)))


def _run_classifier_sparse(model: Any, rows: SparseRows, _max_weight: float) -> int:
    return settle(model, rows, _run_sparse(rows, counts_of(model), _threshold_of(model)))


def _by_column(_: Any) -> tuple[str, ...]:
    return ("feature_count_",)


KERNEL = PredictorKernel(
    takes=_takes,
    state=STATE,
    run=_run_classifier,
    run_sparse=_run_classifier_sparse,
    by_column=_by_column,
)
