"""CategoricalNB, row by row, with the number of categories declared in `min_categories`.

The counts of all features stand side by side in one array while rows are learned.
"""

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import CategoricalNB

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import PredictorKernel, Rows
from learners.kernels.naive_bayes_arithmetic import write_prediction
from learners.kernels.naive_bayes_discrete import (
    Prior,
    alpha_of,
    is_smoothed,
    prior_of,
    settle,
    update_prior,
)


class _Counts(NamedTuple):
    """What has been counted, and how it is smoothed.

    Attributes
    ----------
    category : ndarray of shape (n_classes, n_categories of all features)
        One feature after the other.
    starts : ndarray of shape (n_features + 1,)
        Where each feature begins.
    alpha : float
        Smoothing.
    prior : Prior
    """

    category: Floats
    starts: NDArray[np.int64]
    alpha: float
    prior: Prior


@compiled
def _find(x: Floats, starts: NDArray[np.int64], out: NDArray[np.int64]) -> bool:
    """Write where the categories of a row stand; tell whether all of them are declared."""
    for j in range(x.shape[0]):
        if not 0.0 <= x[j] < starts[j + 1] - starts[j]:
            return False
        out[j] = starts[j] + np.int64(x[j])
    return True


@compiled
def _log_total(counts: _Counts, c: int, j: int) -> float:
    # Each row of a class has one category, so that all of them add up to its rows.
    n_categories = counts.starts[j + 1] - counts.starts[j]
    return math.log(counts.prior.by_class[c] + n_categories * counts.alpha)


@compiled
def _run(rows: Rows, counts: _Counts) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = Z.shape[0]
    n_features: int = Z.shape[1]
    n_classes = counts.prior.by_class.shape[0]
    log_count = np.log(counts.category + counts.alpha)
    log_total = np.empty((n_classes, n_features))
    for c in range(n_classes):
        for j in range(n_features):
            log_total[c, j] = _log_total(counts, c, j)
    found = np.empty(n_features, np.int64)
    joint = np.empty(n_classes)
    for i in range(n_rows):
        if not _find(Z[i], counts.starts, found):
            return i
        for c in range(n_classes):
            total = 0.0
            for j in range(n_features):
                total += log_count[c, found[j]] - log_total[c, j]
            joint[c] = total + counts.prior.log[c]
        if not write_prediction(joint, values, probabilities, i):
            return i
        if not labelled[i]:
            continue
        c = y[i]
        counts.prior.by_class[c] += 1.0
        for j in range(n_features):
            counts.category[c, found[j]] += 1.0
            log_count[c, found[j]] = math.log(counts.category[c, found[j]] + counts.alpha)
            log_total[c, j] = _log_total(counts, c, j)
        update_prior(counts.prior)
    return n_rows


def _takes(estimator: Any) -> bool:
    return (
        type(estimator) is CategoricalNB
        and estimator.min_categories is not None
        and is_smoothed(estimator)
    )


def _run_classifier(model: Any, rows: Rows, _max_weight: float) -> int:
    starts = np.concatenate(([0], np.cumsum(model.n_categories_)))
    counts = _Counts(
        category=np.concatenate(model.category_count_, axis=1),
        starts=starts,
        alpha=float(alpha_of(model)),
        prior=prior_of(model),
    )
    done = _run(rows, counts)
    model.category_count_ = [
        counts.category[:, start:stop].copy() for start, stop in pairwise(starts)
    ]
    return settle(model, rows, done)


KERNEL = PredictorKernel(
    takes=_takes,
    state=("class_count_", "category_count_", "feature_log_prob_", "class_log_prior_"),
    run=_run_classifier,
)
