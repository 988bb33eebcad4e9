"""SGDRegressor, row by row, in scikit-learn's order of operations; dense and CSR."""

import math
from typing import Any

import numpy as np
from sklearn.linear_model import SGDRegressor

from learners.events import Bools, Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import PredictorKernel, Rows, SparseRows
from learners.kernels.sgd_change import Sample, change_of
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


@compiled
def _run_rows(
    rule: Rule,
    weights: Weights,
    values: Values,
    table: tuple[Floats, Bools, Floats],
    t: float,
) -> int:
    coef, intercept, average_coef, average_intercept = weights
    indptr, indices, data = values
    y, labelled, predicted = table
    decisions = np.empty(1)
    n_rows: int = labelled.shape[0]
    for i in range(n_rows):
        place = place_of(indptr, i, coef.shape[1])
        averaged = shows_averages(rule, t)
        if averaged:
            decide(average_coef, average_intercept, indices, data, place, decisions)
        else:
            decide(coef, intercept, indices, data, place, decisions)
        predicted[i] = decisions[0]
        if not math.isfinite(decisions[0]):
            return i
        if not labelled[i]:
            continue
        if averaged:
            decide(coef, intercept, indices, data, place, decisions)
        norm = square_norm(data, place) if rule.rate >= PA1 else 0.0
        eta = step_size(rule, t)
        change = change_of(rule, Sample(y[i], 1.0, decisions[0], norm, eta, t))
        fine = change_weights(change, coef, average_coef, 0, indices, data, place)
        intercept[0] += change.move
        if change.n_averaged > 0.0:
            average_intercept[0] += (intercept[0] - average_intercept[0]) / change.n_averaged
        fine &= abs(intercept[0]) <= rule.max_weight
        fine &= abs(average_intercept[0]) <= rule.max_weight
        if not fine:
            return i
        t += 1.0
    return n_rows


def _takes(estimator: Any) -> bool:
    return type(estimator) is SGDRegressor


def _run(model: Any, rows: Rows | SparseRows, max_weight: float) -> int:
    done = _run_rows(
        rule_of(model, max_weight, sparse=isinstance(rows, SparseRows)),
        weights_of(model),
        values_of(rows.Z),
        (rows.y, rows.labelled, rows.values),
        float(model.t_),
    )
    model.t_ += float(np.count_nonzero(rows.labelled[:done]))
    if model.average:
        name = "_average" if model.average <= model.t_ - 1.0 else "_standard"
        model.coef_ = getattr(model, f"{name}_coef")
        model.intercept_ = getattr(model, f"{name}_intercept").copy()
    return done


KERNEL = PredictorKernel(takes=_takes, state=STATE, run=_run, run_sparse=_run, by_column=by_column)
