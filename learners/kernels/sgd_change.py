"""What learning one row does to the weights of scikit-learn's SGD estimators, in numbers.

Every row is one call of `partial_fit`: scikit-learn then begins its scale of the weights and its
sums of L1 penalties anew, and folds them into the weights at the end. The change itself is made in
`learners.kernels.sgd_weights`.
"""

from typing import NamedTuple

from learners.kernels.compiling import inlined
from learners.kernels.sgd_losses import HINGE, gradient, passive_aggressive_loss
from learners.kernels.sgd_rule import PA1, Rule

_MAX_GRADIENT = 1e12  # scikit-learn clips the loss's derivative here
_MIN_SCALE = 1e-9  # below it scikit-learn folds the scale into the weights at once


class Sample(NamedTuple):
    """What one binary problem has to learn of a row.

    Attributes
    ----------
    y, weight : float
        Target and its weight.
    p : float
        Decision value by the weights that are learned, not by averaged ones.
    norm : float
        Square of the row's norm, where the rate needs it.
    eta, t : float
        Size and number of the step.
    """

    y: float
    weight: float
    p: float
    norm: float
    eta: float
    t: float


class Change(NamedTuple):
    """What happens to each weight, in this order, and to the intercept.

    Attributes
    ----------
    folded : float
        The weight is multiplied by this.
    factor : float
        Its feature times this is added; where 0, nothing is.
    truncation : float
        It comes closer to 0 by this, but not beyond.
    mixed, mixing : float
        Its average becomes (average + mixed * weight) * mixing; nothing where `mixed` is 0.
    scale : float
        It is multiplied by this.
    move : float
        Is added to the intercept.
    n_averaged : float
        Number of intercepts that are averaged, this one included; 0 for none.
    limit : float
        Limit of the guard.
    """

    folded: float
    factor: float
    truncation: float
    mixed: float
    mixing: float
    scale: float
    move: float
    n_averaged: float
    limit: float


@inlined
def change_of(rule: Rule, sample: Sample) -> Change:
    """Compute the change that a row makes."""
    if rule.rate == PA1 and sample.norm == 0.0:
        return Change(1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, rule.max_weight)
    update = _update(rule, sample) * sample.weight
    move = 0.0
    if rule.fit_intercept:
        move = update - sample.eta * rule.alpha if rule.one_class else update
    folded, scale, truncation = 1.0, 1.0, 0.0
    if rule.shrinks:
        scale = max(0.0, 1.0 - (1.0 - rule.l1_ratio) * sample.eta * rule.alpha)
        if scale < _MIN_SCALE:
            folded, scale = scale, 1.0
    if rule.truncates:
        truncation = rule.l1_ratio * sample.eta * rule.alpha / scale
    n_averaged, mixed, mixing = 0.0, 0.0, 1.0
    if 0.0 < rule.average <= sample.t:
        # Bottou's way to average sparse updates, "Stochastic gradient descent tricks", 2012.
        n_averaged = sample.t - rule.average + 1.0
        share = 1.0 / n_averaged
        rest = 1.0 / (1.0 - share) if n_averaged > 1.0 else 1.0
        mixed, mixing = share * rest * scale, 1.0 / rest
    move *= rule.intercept_decay
    factor = update / scale
    return Change(
        folded, factor, truncation, mixed, mixing, scale, move, n_averaged, rule.max_weight
    )


@inlined
def _update(rule: Rule, sample: Sample) -> float:
    """Give the factor by which a row is added to the weights."""
    if rule.rate >= PA1:
        return _passive_aggressive_update(rule, sample)
    slope = gradient(rule.loss, rule.epsilon, sample.y, sample.p)
    # Compared like this, so that NaN stays NaN and the guard finds it.
    if slope < -_MAX_GRADIENT:
        slope = -_MAX_GRADIENT
    elif slope > _MAX_GRADIENT:
        slope = _MAX_GRADIENT
    return -sample.eta * slope


@inlined
def _passive_aggressive_update(rule: Rule, sample: Sample) -> float:
    """Step as PA-I and PA-II do (Crammer et al., JMLR 7, 2006)."""
    loss = passive_aggressive_loss(rule.loss, rule.epsilon, sample.y, sample.p)
    if rule.rate == PA1:
        size = loss / sample.norm
        update = size if size < rule.eta0 else rule.eta0  # noqa: FURB136 - NaN becomes eta0
    else:
        update = loss / (sample.norm + 0.5 / rule.eta0)
    if rule.loss == HINGE:
        return update * sample.y
    return -update if sample.y - sample.p < 0.0 else update
