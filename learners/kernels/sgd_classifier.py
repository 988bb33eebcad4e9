"""SGDClassifier and Perceptron, row by row: binary, and one versus all for more classes.

Each labelled row is what one call of `partial_fit` with that row does, in the same order of
operations. Dense rows and rows in CSR are learned as scikit-learn learns each.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Perceptron, SGDClassifier

from learners.events import Bools, Floats
from learners.kernels.compiling import compiled, inlined
from learners.kernels.kernel import PredictorKernel, Rows, SparseRows
from learners.kernels.sgd_change import Change, Sample, change_of
from learners.kernels.sgd_losses import LOG_LOSS, MODIFIED_HUBER
from learners.kernels.sgd_rule import PA1, Rule, rule_of, shows_averages, step_size
from learners.kernels.sgd_state import STATE, Weights, by_column, weights_of
from learners.kernels.sgd_weights import (
    Values,
    change_weights,
    decide,
    place_of,
    square_norm,
    values_of,
)


class _Table(NamedTuple):
    """Labels, and the room for predictions; see `Rows`."""

    y: NDArray[Any]
    labelled: Bools
    predicted: NDArray[Any]
    probabilities: Floats


@inlined
def _raw_probability(loss: int, value: float) -> float:
    if loss == MODIFIED_HUBER:
        return (min(max(value, -1.0), 1.0) + 1.0) / 2.0
    if value > -37.0:
        return 1.0 / (1.0 + math.exp(-value))
    e = math.exp(value)
    return e / (1.0 + e)


@inlined
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


@inlined
def _write(
    loss: int, decisions: Floats, predicted: NDArray[Any], probabilities: Floats, i: int
) -> bool:
    """Write what is predicted of a row; tell whether it is a number."""
    if decisions.shape[0] == 1:
        predicted[i] = np.int64(decisions[0] > 0.0)
    else:
        predicted[i] = np.argmax(decisions)
    if probabilities.shape[0] == 0:
        return True
    numbers: bool = _write_probabilities(loss, decisions, probabilities, i)
    return numbers


@inlined
def _move_intercept(
    rule: Rule, change: Change, intercept: Floats, average: Floats, k: int, t: float
) -> bool:
    """Move an intercept and its average; tell whether both are within the limit.

    They are kept where scikit-learn keeps them. Once averages are shown, its `_standard_intercept`
    no longer moves, and each step begins from the same one. With more than two classes
    `intercept_` and `_average_intercept` then are one array, in which the intercept is written
    over its average.
    """
    moved: float = intercept[k] + change.move
    if rule.average == 0.0:
        intercept[k] = moved
        return abs(moved) <= rule.max_weight
    binary = intercept.shape[0] == 1
    if t < rule.average or (t == rule.average and not binary):
        intercept[k] = moved
    if t > rule.average and not binary:
        average[k] = moved
    elif change.n_averaged > 0.0:
        average[k] += (moved - average[k]) / change.n_averaged
    within: bool = abs(intercept[k]) <= rule.max_weight and abs(average[k]) <= rule.max_weight
    return within and math.isfinite(moved)  # scikit-learn looks at it, kept or not


@compiled
def _run_rows(
    rule: Rule,
    weights: Weights,
    class_weights: tuple[Floats, Floats],
    values: Values,
    table: _Table,
    t: float,
) -> int:
    coef, intercept, average_coef, average_intercept = weights
    positive, negative = class_weights
    indptr, indices, data = values
    y, labelled, predicted, probabilities = table
    decisions = np.empty(coef.shape[0])
    other = 0.0 if rule.loss == LOG_LOSS else -1.0
    n_rows: int = labelled.shape[0]
    for i in range(n_rows):
        place = place_of(indptr, i, coef.shape[1])
        averaged = shows_averages(rule, t)
        shown, shift = (average_coef, average_intercept) if averaged else (coef, intercept)
        decide(shown, shift, indices, data, place, decisions)
        if not _write(rule.loss, decisions, predicted, probabilities, i):
            return i
        if not labelled[i]:
            continue
        if averaged:
            decide(coef, intercept, indices, data, place, decisions)
        eta, norm = step_size(rule, t), square_norm(data, place) if rule.rate >= PA1 else 0.0
        fine = True
        for k in range(coef.shape[0]):
            own = y[i] == (k if coef.shape[0] > 1 else 1)
            target, weight = (1.0, positive[k]) if own else (other, negative[k])
            change = change_of(rule, Sample(target, weight, decisions[k], norm, eta, t))
            fine &= change_weights(change, coef, average_coef, k, indices, data, place)
            fine &= _move_intercept(rule, change, intercept, average_intercept, k, t)
        if not fine:
            return i
        t += 1.0
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) in (SGDClassifier, Perceptron)


def _class_weights(model: Any, n_problems: int) -> tuple[Floats, Floats]:
    """Give the weight of a row of the class of each problem, and that of another row."""
    weight = np.asarray(model._expanded_class_weight, dtype=np.float64)  # noqa: SLF001 - of its first call
    return (weight[1:], weight[:1]) if n_problems == 1 else (weight, np.ones_like(weight))


def _run(model: Any, rows: Rows | SparseRows, max_weight: float) -> int:
    weights = weights_of(model)
    done = _run_rows(
        rule_of(model, max_weight, sparse=isinstance(rows, SparseRows)),
        weights,
        _class_weights(model, len(weights.intercept)),
        values_of(rows.Z),
        _Table(*rows[1:]),
        float(model.t_),
    )
    model.t_ += float(np.count_nonzero(rows.labelled[:done]))
    if model.average:
        name = "_average" if model.average <= model.t_ - 1.0 else "_standard"
        model.coef_ = getattr(model, f"{name}_coef").reshape(model.coef_.shape)
        model.intercept_ = getattr(model, f"{name}_intercept")
    return done


KERNEL = PredictorKernel(takes=_takes, state=STATE, run=_run, run_sparse=_run, by_column=by_column)
