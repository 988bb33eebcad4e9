# ruff: noqa: SLF001 - scikit-learn keeps averages in private attributes
"""Where scikit-learn's SGD estimators keep their weights, averaged or not."""

from typing import Any, NamedTuple

import numpy as np

from learners.events import Floats

STATE = (
    "coef_",
    "intercept_",
    "offset_",
    "t_",
    "_standard_coef",
    "_standard_intercept",
    "_average_coef",
    "_average_intercept",
)


class Weights(NamedTuple):
    """One row of weights for each binary problem.

    Attributes
    ----------
    coef : ndarray of shape (n_problems, n_features)
        The weights that are learned.
    intercept : ndarray of shape (n_problems,)
    average_coef : ndarray of shape (n_problems, n_features), or (n_problems, 0)
        Without columns where nothing is averaged.
    average_intercept : ndarray of shape (n_problems,)
    """

    coef: Floats
    intercept: Floats
    average_coef: Floats
    average_intercept: Floats


def weights_of(model: Any) -> Weights:
    """Take the arrays of a fitted estimator, to be changed in place.

    A one-class SVM that averages nothing keeps no intercept, so that one is made.
    """
    if not model.average:
        intercept = model.intercept_ if hasattr(model, "intercept_") else 1.0 - model.offset_
        n_problems = len(intercept)
        coef = model.coef_.reshape(n_problems, -1)
        return Weights(coef, intercept, np.empty((n_problems, 0)), np.zeros(n_problems))
    n_problems = len(model._standard_intercept)
    return Weights(
        model._standard_coef.reshape(n_problems, -1),
        model._standard_intercept,
        model._average_coef.reshape(n_problems, -1),
        model._average_intercept,
    )


def by_column(model: Any) -> tuple[str, ...]:
    """Name the arrays that a row in CSR changes in its own columns only."""
    return () if model.average or model.penalty in ("l2", "elasticnet") else ("coef_",)
