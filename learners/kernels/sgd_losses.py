"""The losses of scikit-learn's SGD estimators and their derivatives, for one decision value.

Comparisons stand as in scikit-learn, so that NaN takes the same branch. How large a step follows
from a derivative is in `learners.kernels.sgd_rule`.
"""

import math

from learners.kernels.compiling import inlined

HINGE, PERCEPTRON, SQUARED_HINGE, LOG_LOSS, MODIFIED_HUBER = 0, 1, 2, 3, 4
SQUARED_ERROR, HUBER, EPSILON_INSENSITIVE, SQUARED_EPSILON_INSENSITIVE = 5, 6, 7, 8
LOSSES = {
    "hinge": HINGE,
    "perceptron": PERCEPTRON,
    "squared_hinge": SQUARED_HINGE,
    "log_loss": LOG_LOSS,
    "modified_huber": MODIFIED_HUBER,
    "squared_error": SQUARED_ERROR,
    "huber": HUBER,
    "epsilon_insensitive": EPSILON_INSENSITIVE,
    "squared_epsilon_insensitive": SQUARED_EPSILON_INSENSITIVE,
}


@inlined
def gradient(loss: int, epsilon: float, y: float, p: float) -> float:
    """Give the derivative of the loss by the decision value `p`, at the target `y`."""
    if loss == LOG_LOSS:
        return _log_loss_gradient(y, p)
    if loss <= MODIFIED_HUBER:
        return _margin_gradient(loss, y, p)
    return _residual_gradient(loss, epsilon, y, p)


@inlined
def passive_aggressive_loss(loss: int, epsilon: float, y: float, p: float) -> float:
    """Give the loss itself, of the two that the passive-aggressive rates allow."""
    if loss == HINGE:
        return 1.0 - p * y if p * y <= 1.0 else 0.0
    excess = abs(y - p) - epsilon
    return excess if excess > 0.0 else 0.0  # noqa: FURB136 - NaN becomes 0


@inlined
def _log_loss_gradient(y: float, p: float) -> float:
    if p > -37.0:  # below it exp(p) vanishes beside 1
        e = math.exp(-p)
        return ((1.0 - y) - y * e) / (1.0 + e)
    return math.exp(p) - y


@inlined
def _margin_gradient(loss: int, y: float, p: float) -> float:
    """Differentiate a loss that depends on the margin `p * y` alone, `y` being -1 or 1."""
    z = p * y
    if loss == SQUARED_HINGE:
        return -2.0 * y * (1.0 - z) if 1.0 - z > 0.0 else 0.0
    if loss == MODIFIED_HUBER:
        if z >= 1.0:
            return 0.0
        return 2.0 * (1.0 - z) * -y if z >= -1.0 else -4.0 * y
    return -y if z <= (1.0 if loss == HINGE else 0.0) else 0.0


@inlined
def _residual_gradient(loss: int, epsilon: float, y: float, p: float) -> float:
    """Differentiate a loss that depends on the distance of `p` from `y`."""
    residual = p - y
    if loss == SQUARED_ERROR:
        return residual
    if loss == HUBER:
        if abs(residual) <= epsilon:
            return residual
        return epsilon if residual >= 0.0 else -epsilon
    if y - p > epsilon:
        return -1.0 if loss == EPSILON_INSENSITIVE else -2.0 * (y - p - epsilon)
    if residual > epsilon:
        return 1.0 if loss == EPSILON_INSENSITIVE else 2.0 * (residual - epsilon)
    return 0.0
