"""SGDClassifier, row by row: binary, and one versus all for more classes.

Takes the losses log_loss, hinge, modified_huber and perceptron, the learning rates constant,
optimal and invscaling, and the penalties none and l2, without averaging or class weights. Each
labelled row is what one call of `partial_fit` with that row does, in the same order of operations.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import SGDClassifier

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import PredictorKernel, Rows

_LOSSES = {"log_loss": 0, "hinge": 1, "modified_huber": 2, "perceptron": 3}
_LOG_LOSS, _HINGE, _MODIFIED_HUBER = 0, 1, 2
_RATES = {"constant": 0, "optimal": 1, "invscaling": 2}
_OPTIMAL, _INVSCALING = 1, 2
_MAX = float(np.finfo(np.float64).max)
_MAX_GRADIENT = 1e12  # scikit-learn clips the loss's derivative here
_MIN_SCALE = 1e-9  # below it scikit-learn folds the scale of the weights into them at once


class _Settings(NamedTuple):
    """The estimator's parameters as compiled code takes them."""

    loss: int
    rate: int
    eta0: float
    power_t: float
    alpha: float
    optimal_init: float
    l2: bool
    fit_intercept: bool
    max_weight: float


@compiled
def _gradient(loss: int, y: float, p: float) -> float:
    """Give the derivative of the loss by the decision value `p`."""
    if loss == _LOG_LOSS:
        if p > -37.0:  # below it exp(p) vanishes beside 1
            e = math.exp(-p)
            return ((1.0 - y) - y * e) / (1.0 + e)
        return math.exp(p) - y
    z = p * y
    if loss != _MODIFIED_HUBER:
        return -y if z <= (1.0 if loss == _HINGE else 0.0) else 0.0
    if z >= 1.0:
        return 0.0
    return 2.0 * (1.0 - z) * -y if z >= -1.0 else -4.0 * y


@compiled
def _eta(settings: _Settings, t: float) -> float:
    """Step size of the update that is number `t`."""
    if settings.rate == _OPTIMAL:
        return 1.0 / (settings.alpha * (settings.optimal_init + t - 1.0))
    if settings.rate == _INVSCALING:
        return settings.eta0 / math.pow(t, settings.power_t)
    return settings.eta0


@compiled
def _raw_probability(loss: int, decision: float) -> float:
    if loss == _MODIFIED_HUBER:
        return (min(max(decision, -1.0), 1.0) + 1.0) / 2.0
    if decision > -37.0:
        return 1.0 / (1.0 + math.exp(-decision))
    e = math.exp(decision)
    return e / (1.0 + e)


@compiled
def _write_probabilities(loss: int, decisions: Floats, out: Floats, i: int) -> bool:
    """Write the probability of each class; tell whether they are numbers."""
    if decisions.shape[0] == 1:
        out[i, 1] = _raw_probability(loss, decisions[0])
        out[i, 0] = 1.0 - out[i, 1]
        return not math.isnan(decisions[0])
    total = 0.0
    fine = True
    for k in range(decisions.shape[0]):
        out[i, k] = _raw_probability(loss, decisions[k])
        total += out[i, k]
        fine &= not math.isnan(decisions[k])
    for k in range(decisions.shape[0]):
        # No class wants the row: all are equally likely.
        out[i, k] = 1.0 / decisions.shape[0] if total == 0.0 else out[i, k] / total
    return fine


@compiled
def _update(settings: _Settings, positive: int, decision: float, eta: float) -> float:
    """Give the factor by which a row is added to the weights of a class."""
    other = 0.0 if settings.loss == _LOG_LOSS else -1.0
    gradient = _gradient(settings.loss, 1.0 if positive else other, decision)
    # Compared like this, so that NaN stays NaN and the guard finds it.
    if gradient < -_MAX_GRADIENT:
        gradient = -_MAX_GRADIENT
    elif gradient > _MAX_GRADIENT:
        gradient = _MAX_GRADIENT
    return -eta * gradient


@compiled
def _shrink(settings: _Settings, eta: float) -> float:
    return max(0.0, 1.0 - eta * settings.alpha) if settings.l2 else 1.0


@compiled
def _run(rows: Rows, coef: Floats, intercept: Floats, t: float, settings: _Settings) -> int:
    Z, y, labelled, values, probabilities = rows
    n_rows: int = Z.shape[0]
    decisions = np.empty(coef.shape[0])
    binary = coef.shape[0] == 1
    for i in range(n_rows):
        for k in range(coef.shape[0]):
            dot = 0.0
            for j in range(Z.shape[1]):
                dot += coef[k, j] * Z[i, j]
            decisions[k] = dot + intercept[k]
        values[i] = np.int64(decisions[0] > 0.0) if binary else np.argmax(decisions)
        if probabilities.shape[0] and not _write_probabilities(
            settings.loss, decisions, probabilities, i
        ):
            return i
        if not labelled[i]:
            continue
        eta = _eta(settings, t)
        t += 1.0
        shrink = _shrink(settings, eta)
        # Below it scikit-learn folds the scale into the weights before it adds the row.
        folded, scale = (1.0, shrink) if shrink >= _MIN_SCALE else (shrink, 1.0)
        fine = True
        for k in range(coef.shape[0]):
            own = k if coef.shape[0] > 1 else 1
            update = _update(settings, y[i] == own, decisions[k], eta)
            factor = update / scale
            for j in range(Z.shape[1]):
                weight = (coef[k, j] * folded + Z[i, j] * factor) * scale
                coef[k, j] = weight
                fine &= abs(weight) <= settings.max_weight
            if settings.fit_intercept:
                intercept[k] += update
                fine &= abs(intercept[k]) <= settings.max_weight
        if not fine:
            return i
    return n_rows


def _takes(estimator: Any) -> bool:
    return (
        type(estimator) is SGDClassifier
        and estimator.loss in _LOSSES
        and estimator.learning_rate in _RATES
        and estimator.penalty in (None, "l2")
        and estimator.class_weight is None
        and not estimator.average
    )


def _run_classifier(model: Any, rows: Rows, max_weight: float) -> int:
    optimal_init = 0.0
    if model.learning_rate == "optimal":
        # Bottou's start, such that the first step is of the size of a typical weight. For the
        # losses above scikit-learn's divisor, at least 1, is always 1.
        optimal_init = 1.0 / (math.sqrt(1.0 / math.sqrt(model.alpha)) * model.alpha)
    settings = _Settings(
        loss=_LOSSES[model.loss],
        rate=_RATES[model.learning_rate],
        eta0=float(model.eta0),
        power_t=float(model.power_t),
        alpha=float(model.alpha),
        optimal_init=optimal_init,
        l2=model.penalty == "l2",
        fit_intercept=bool(model.fit_intercept),
        max_weight=min(max_weight, _MAX),
    )
    done = _run(rows, model.coef_, model.intercept_, float(model.t_), settings)
    model.t_ += float(np.count_nonzero(rows.labelled[:done]))
    return done


KERNEL = PredictorKernel(takes=_takes, state=("coef_", "intercept_", "t_"), run=_run_classifier)
