"""SGDOneClassSVM, row by row, in scikit-learn's order of operations; dense and CSR.

It learns every row, labelled or not, as one of the target 1; predictions are 1 for an inlier and
-1 for an outlier.
"""

from typing import Any, NamedTuple

import numpy as np
from sklearn.linear_model import SGDOneClassSVM

from learners.events import Bools, Floats, Ints
from learners.kernels.compiling import compiled, inlined
from learners.kernels.kernel import PredictorKernel, Rows, SparseRows
from learners.kernels.sgd_change import Change, Sample, change_of
from learners.kernels.sgd_rule import Rule, rule_of, shows_averages, step_size
from learners.kernels.sgd_state import STATE, Weights, by_column, weights_of
from learners.kernels.sgd_weights import Values, change_weights, decide, place_of, values_of


class _Table(NamedTuple):
    """Room for predictions, see `Rows`, and the offset of shape (1,)."""

    labelled: Bools
    predicted: Ints
    offset: Floats


@compiled
def _run_rows(rule: Rule, weights: Weights, values: Values, table: _Table, t: float) -> int:
    coef, intercept, average_coef, average_intercept = weights
    indptr, indices, data = values
    labelled, predicted, offset = table
    products, nothing = np.empty(1), np.zeros(1)
    n_rows: int = labelled.shape[0]
    for i in range(n_rows):
        place = place_of(indptr, i, coef.shape[1])
        averaged = shows_averages(rule, t)
        if averaged:
            decide(average_coef, nothing, indices, data, place, products)
        else:
            decide(coef, nothing, indices, data, place, products)
        predicted[i] = 1 if products[0] - offset[0] >= 0.0 else -1
        if not labelled[i]:
            continue
        if averaged:
            decide(coef, nothing, indices, data, place, products)
        if rule.average == 0.0:
            intercept[0] = 1.0 - offset[0]  # scikit-learn keeps the offset alone
        p = products[0] + intercept[0]
        change = change_of(rule, Sample(1.0, 1.0, p, 0.0, step_size(rule, t), t))
        fine = change_weights(change, coef, average_coef, 0, indices, data, place)
        fine &= _move_intercept(rule, change, intercept, average_intercept)
        t += 1.0
        shown = average_intercept[0] if shows_averages(rule, t) else intercept[0]
        offset[0] = 1.0 - shown
        if not (fine and abs(offset[0]) <= rule.max_weight):
            return i
    return n_rows


@inlined
def _move_intercept(rule: Rule, change: Change, intercept: Floats, average: Floats) -> bool:
    """Move the intercept and its average; tell whether those that are kept are in the limit."""
    intercept[0] += change.move
    if change.n_averaged > 0.0:
        average[0] += (intercept[0] - average[0]) / change.n_averaged
    within: bool = abs(intercept[0]) <= rule.max_weight and abs(average[0]) <= rule.max_weight
    return within or rule.average == 0.0


def _takes(estimator: Any) -> bool:
    return type(estimator) is SGDOneClassSVM


def _run(model: Any, rows: Rows | SparseRows, max_weight: float) -> int:
    offset = model.offset_.copy()
    done = _run_rows(
        rule_of(model, max_weight, sparse=isinstance(rows, SparseRows)),
        weights_of(model),
        values_of(rows.Z),
        _Table(rows.labelled, rows.values, offset),
        float(model.t_),
    )
    model.t_ += float(np.count_nonzero(rows.labelled[:done]))
    model.offset_ = offset
    if model.average:
        name = "_average" if model.average <= model.t_ - 1.0 else "_standard"
        model.coef_ = getattr(model, f"{name}_coef")
    return done


KERNEL = PredictorKernel(takes=_takes, state=STATE, run=_run, run_sparse=_run, by_column=by_column)
