"""The parameters of scikit-learn's SGD estimators as compiled code takes them.

What they make of a row is in `learners.kernels.sgd_change`.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from learners.kernels.compiling import inlined
from learners.kernels.sgd_losses import LOSSES

# One call of partial_fit makes one pass, and `adaptive` changes its step only between passes.
RATES = {"constant": 0, "adaptive": 0, "optimal": 1, "invscaling": 2, "pa1": 3, "pa2": 4}
OPTIMAL, INVSCALING, PA1 = 1, 2, 3
_SPARSE_INTERCEPT_DECAY = 0.01  # scikit-learn's, for rows in CSR
_MAX = float(np.finfo(np.float64).max)


class Rule(NamedTuple):
    """How an estimator learns.

    Attributes
    ----------
    loss, rate : int
        Codes.
    epsilon, eta0, power_t, alpha : float
        As in scikit-learn; the one-class SVM's `nu` is `alpha`.
    optimal_init : float
        Where the count of steps begins for the rate `optimal`.
    l1_ratio : float
        Share of the penalty that truncates the weights; the rest shrinks them.
    shrinks, truncates : bool
        Whether there is such a penalty.
    fit_intercept, one_class : bool
        Whether the intercept is learned; whether as the one-class SVM does.
    intercept_decay : float
        Factor of the intercept's steps.
    average : float
        Number of the step from which weights are averaged; 0 for never.
    max_weight : float
        Limit of the guard.
    """

    loss: int
    rate: int
    epsilon: float
    eta0: float
    power_t: float
    alpha: float
    optimal_init: float
    l1_ratio: float
    shrinks: bool
    truncates: bool
    fit_intercept: bool
    one_class: bool
    intercept_decay: float
    average: float
    max_weight: float


def rule_of(model: Any, max_weight: float, *, sparse: bool) -> Rule:
    """Take the rule from an estimator of the SGD family.

    Parameters
    ----------
    model : estimator
        SGDClassifier, Perceptron, SGDRegressor or SGDOneClassSVM.
    max_weight : float
        Limit of the guard.
    sparse : bool
        Whether rows come in CSR.
    """
    one_class = hasattr(model, "nu")
    alpha = float(model.nu if one_class else model.alpha)
    optimal_init = 0.0
    if model.learning_rate == "optimal":
        # Bottou's start, such that the first step is of the size of a typical weight.
        # scikit-learn's divisor, at least 1, is 1 for each of its losses.
        optimal_init = 1.0 / (math.sqrt(1.0 / math.sqrt(alpha)) * alpha)
    l1_ratio = {"l1": 1.0, "elasticnet": model.l1_ratio}.get(model.penalty, 0.0)
    return Rule(
        loss=LOSSES[model.loss],
        rate=RATES[model.learning_rate],
        epsilon=float(model.epsilon),
        eta0=float(model.eta0),
        power_t=float(model.power_t),
        alpha=alpha,
        optimal_init=optimal_init,
        l1_ratio=float(l1_ratio),
        shrinks=model.penalty in ("l2", "elasticnet"),
        truncates=model.penalty in ("l1", "elasticnet"),
        fit_intercept=bool(model.fit_intercept),
        one_class=one_class,
        intercept_decay=_SPARSE_INTERCEPT_DECAY if sparse else 1.0,
        average=float(model.average),
        max_weight=min(max_weight, _MAX),
    )


@inlined
def step_size(rule: Rule, t: float) -> float:
    """Give the size of the step that is number `t`."""
    if rule.rate == OPTIMAL:
        return 1.0 / (rule.alpha * (rule.optimal_init + t - 1.0))
    if rule.rate == INVSCALING:
        return rule.eta0 / math.pow(t, rule.power_t)
    return rule.eta0


@inlined
def shows_averages(rule: Rule, t: float) -> bool:
    """Tell whether, before the step number `t`, an estimator predicts with averaged weights."""
    return 0.0 < rule.average <= t - 1.0
