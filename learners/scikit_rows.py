"""Single rows through scikit-learn's own calls, with its gaps closed where rows come one by one.

What happens to rows that fail is in `learners.general`.
"""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_outlier_detector
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from learners.events import Features
from learners.rows import in_order, stored

# What scikit-learn raises on a row that it cannot take. IndexError: CategoricalNB, unseen category.
ROW_ERRORS = (ValueError, ArithmeticError, IndexError)

# Attributes that hold what a predictor has learned as weights or positions.
_WEIGHTS = frozenset(
    {
        "coef_",
        "intercept_",
        "offset_",
        "coefs_",
        "intercepts_",
        "theta_",
        "cluster_centers_",
        "_standard_coef",
        "_standard_intercept",
        "_average_coef",
        "_average_intercept",
    }
)
# The logarithm of a class or category that has not come yet is -inf.
_LOGARITHMS = ("_log_prior_", "_log_prob_")


class UnfitRowError(ValueError):
    """A row that an estimator cannot take, though scikit-learn does not always say so."""


def transform_row(transformers: list[Any], x: Features) -> Features:
    """Let each transformer learn a row, then transform it.

    Parameters
    ----------
    transformers : list of transformer
        In order; may be empty.
    x : ndarray or csr_array of shape (1, n_features)
        It may be changed.

    Returns
    -------
    ndarray or csr_array of shape (1, n_transformed)
        Float64; see `learners.rows.in_order`.

    Raises
    ------
    ValueError, ArithmeticError, IndexError
        Where scikit-learn refuses the row.
    UnfitRowError
        If a transformer or the transformed row is no longer finite.
    """
    for transformer in transformers:
        x = transformer.partial_fit(x).transform(x)
        if not is_within(transformer, np.inf):
            raise UnfitRowError(f"{type(transformer).__name__} is no longer finite")
    z = in_order(x)
    if not np.isfinite(stored(z)).all():
        raise UnfitRowError("the transformed row is not finite")
    return z


def check_domain(model: Any, z: Features) -> None:
    """Refuse a row that would silently widen a model.

    Raises
    ------
    UnfitRowError
        If a category is not one of the declared ones.
    """
    # scikit-learn adds categories while it learns, and then cannot predict them.
    if isinstance(model, CategoricalNB) and not np.all((z >= 0) & (z < model.min_categories)):
        raise UnfitRowError("a category is not below min_categories")


def for_prediction(model: Any) -> Any:
    """Give the estimator to predict with; the one that learns is left as it is.

    GaussianNB, called row by row, sets its smoothing from single rows, whose variance is 0, and
    then divides by zero. Here `var_smoothing` times the largest variance over all rows learned
    so far is added to its variances.
    """
    if not isinstance(model, GaussianNB):
        return model
    # Sums of columns, no products: those of BLAS tell rows that are alike apart by rounding.
    weight = (model.class_count_ / model.class_count_.sum())[:, None]
    centre = (weight * model.theta_).sum(axis=0)
    largest = np.max((weight * (model.var_ + (model.theta_ - centre) ** 2)).sum(axis=0))
    smoothed = copy.copy(model)
    # All rows alike: any width gives the same prediction.
    smoothed.var_ = model.var_ + model.var_smoothing * (largest if largest > 0.0 else 1.0)
    return smoothed


def first_value(model: Any) -> int:
    """Give what is predicted before the first update: class 0, 0.0, cluster 0, or inlier."""
    return 1 if is_outlier_detector(model) else 0


def learn(model: Any, Z: Features, y: NDArray[Any] | None, classes: NDArray[Any] | None) -> None:
    """Let a predictor learn rows in one call.

    Parameters
    ----------
    model : predictor
        Learns in place.
    Z : ndarray or csr_array of shape (n_rows, n_features)
        Transformed rows.
    y : ndarray of shape (n_rows,) or None
        Labels as the exported model shall predict them; None where it takes none.
    classes : ndarray of shape (n_classes,) or None
        All classes, sorted.

    Raises
    ------
    ValueError, ArithmeticError, IndexError
        Where scikit-learn refuses the rows; the model may have changed nevertheless.
    """
    if y is None:
        model.partial_fit(Z)
    elif classes is None:
        model.partial_fit(Z, y)
    else:
        model.partial_fit(Z, y, classes=classes)
    if hasattr(model, "loss_curve_"):  # grows by each call, and only its end is ever read
        del model.loss_curve_[:-1]


def is_within(estimator: Any, max_weight: float) -> bool:
    """Tell whether all of an estimator's numbers are finite and its weights within the limit.

    Parameters
    ----------
    estimator : estimator
        A transformer or a predictor, fitted or not.
    max_weight : float
        See `Guard`.
    """
    limit = min(max_weight, np.finfo(np.float64).max)
    for name, value in vars(estimator).items():
        for array in value if isinstance(value, list) else (value,):
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
                continue
            if name in _WEIGHTS:
                fine = np.abs(array).max(initial=0.0) <= limit  # False for NaN
            elif name.endswith(_LOGARITHMS):
                fine = not np.isnan(array).any()
            else:
                fine = np.isfinite(array).all()
            if not fine:
                return False
    return True
