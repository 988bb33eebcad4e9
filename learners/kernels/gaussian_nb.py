"""GaussianNB, row by row.

Means and variances are those of scikit-learn's `partial_fit` with one row (the update of Chan,
Golub and LeVeque, Stanford report STAN-CS-79-773, 1979), in its order of operations. For
predictions, and only for these, `var_smoothing` times the largest variance over all rows so far is
added to the variances, since scikit-learn itself then adds that of a single row, which is 0.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.naive_bayes import GaussianNB

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import PredictorKernel, Rows
from learners.kernels.naive_bayes_arithmetic import pairwise_sum, write_prediction

_MAX = float(np.finfo(np.float64).max)
_TWO_PI = 2.0 * math.pi


class _Moments(NamedTuple):
    """The estimator's own arrays, one row for each class."""

    theta: Floats
    var: Floats
    by_class: Floats
    prior: Floats
    fits_prior: bool


class _Densities(NamedTuple):
    """What predictions need of the moments.

    Attributes
    ----------
    var : ndarray of shape (n_classes, n_features)
        Smoothed variances.
    log_prior, half_log : ndarray of shape (n_classes,)
        Log of the prior, and -1/2 of the sum of log(2 pi var).
    terms : ndarray of shape (n_features,)
        Room for what is to be added up.
    """

    var: Floats
    log_prior: Floats
    half_log: Floats
    terms: Floats


@compiled
def _largest_variance(moments: _Moments) -> float:
    """Give the largest variance of a feature over all rows, whatever their class."""
    theta, var, by_class = moments.theta, moments.var, moments.by_class
    total = pairwise_sum(by_class)
    largest = -np.inf
    for j in range(theta.shape[1]):
        centre = 0.0
        for c in range(theta.shape[0]):
            centre += by_class[c] / total * theta[c, j]
        spread = 0.0
        for c in range(theta.shape[0]):
            distance = theta[c, j] - centre
            spread += by_class[c] / total * (var[c, j] + distance * distance)
        if math.isnan(spread):
            return spread
        largest = max(largest, spread)
    return largest


@compiled
def _update_densities(moments: _Moments, var_smoothing: float, densities: _Densities) -> None:
    largest = _largest_variance(moments)
    # All rows alike: any width gives the same prediction.
    width = var_smoothing * (largest if largest > 0.0 else 1.0)
    n_classes, n_features = moments.var.shape
    for c in range(n_classes):
        for j in range(n_features):
            densities.var[c, j] = moments.var[c, j] + width
            densities.terms[j] = math.log(_TWO_PI * densities.var[c, j])
        densities.half_log[c] = -0.5 * pairwise_sum(densities.terms)
        densities.log_prior[c] = math.log(moments.prior[c])


@compiled
def _joint(x: Floats, theta: Floats, densities: _Densities, out: Floats) -> None:
    """Write the joint log likelihood of each class."""
    terms = densities.terms
    for c in range(theta.shape[0]):
        for j in range(x.shape[0]):
            distance = x[j] - theta[c, j]
            terms[j] = distance * distance / densities.var[c, j]
        out[c] = densities.log_prior[c] + (densities.half_log[c] - 0.5 * pairwise_sum(terms))


@compiled
def _learn(x: Floats, c: int, moments: _Moments, max_weight: float) -> bool:
    """Learn a row of class `c`; tell whether all numbers are within their limits."""
    theta, var, by_class, prior, fits_prior = moments
    past = by_class[c]
    total = past + 1.0
    fine = True
    for j in range(x.shape[0]):
        if past == 0.0:
            theta[c, j] = x[j]
            var[c, j] = 0.0
        else:
            distance = theta[c, j] - x[j]
            theta[c, j] = (x[j] + past * theta[c, j]) / total
            var[c, j] = (past * var[c, j] + past / total * (distance * distance)) / total
        fine &= abs(theta[c, j]) <= max_weight
        fine &= var[c, j] <= _MAX
    by_class[c] = total
    if fits_prior:
        n_rows = pairwise_sum(by_class)
        for k in range(by_class.shape[0]):
            prior[k] = by_class[k] / n_rows
    return fine


@compiled
def _run(rows: Rows, moments: _Moments, var_smoothing: float, max_weight: float) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = Z.shape[0]
    n_classes, n_features = moments.theta.shape
    densities = _Densities(
        np.empty((n_classes, n_features)),
        np.empty(n_classes),
        np.empty(n_classes),
        np.empty(n_features),
    )
    joint = np.empty(n_classes)
    stale = True
    for i in range(n_rows):
        if stale:
            _update_densities(moments, var_smoothing, densities)
            stale = False
        _joint(Z[i], moments.theta, densities, joint)
        if not write_prediction(joint, values, probabilities, i):
            return i
        if labelled[i]:
            stale = True
            if not _learn(Z[i], y[i], moments, max_weight):
                return i
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is GaussianNB


def _run_classifier(model: Any, rows: Rows, max_weight: float) -> int:
    moments = _Moments(
        theta=model.theta_,
        var=model.var_,
        by_class=model.class_count_,
        prior=model.class_prior_,
        fits_prior=model.priors is None,
    )
    done = _run(rows, moments, float(model.var_smoothing), min(max_weight, _MAX))
    if rows.labelled[:done].any():
        model.epsilon_ = np.float64(0.0)  # `var_smoothing` times the variance of a single row
    return done


KERNEL = PredictorKernel(
    takes=_takes,
    state=("theta_", "var_", "class_count_", "class_prior_", "epsilon_"),
    run=_run_classifier,
)
