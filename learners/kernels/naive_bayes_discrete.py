# ruff: noqa: SLF001 - scikit-learn makes its tables in private methods
"""What the naive Bayes estimators that count have in common: smoothing, priors, log tables.

scikit-learn makes its tables of logarithms anew in each `partial_fit`. Here the kernels keep what
they need of them while they run, always as a function of the counts alone, so that it does not
matter where a batch was cut; at the end of a run scikit-learn itself makes the tables.
"""

import math
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import Rows, SparseRows

STATE = ("class_count_", "feature_count_", "feature_log_prob_", "class_log_prior_")
MAX = float(np.finfo(np.float64).max)
_LEAST_ALPHA = 1e-10  # without `force_alpha` scikit-learn takes no smaller one


class Prior(NamedTuple):
    """How often each class has come.

    Attributes
    ----------
    by_class : ndarray of shape (n_classes,)
        The estimator's `class_count_`.
    log : ndarray of shape (n_classes,)
        Log prior, kept up to date while rows are learned.
    fits : bool
        Whether it follows from `by_class`.
    """

    by_class: Floats
    log: Floats
    fits: bool


class Counts(NamedTuple):
    """What has been counted, and how it is smoothed.

    Attributes
    ----------
    feature : ndarray of shape (n_classes, n_features)
        The estimator's `feature_count_`.
    alpha : ndarray of shape (n_features,)
        Smoothing.
    prior : Prior
    """

    feature: Floats
    alpha: Floats
    prior: Prior


def alpha_of(model: Any) -> Any:
    """Give the smoothing that scikit-learn uses: a number, or one for each feature."""
    given: Any = model.alpha
    alpha: Any = given if isinstance(given, Real) else np.asarray(given, np.float64)
    if model.force_alpha or np.min(alpha) >= _LEAST_ALPHA:
        return alpha
    return np.maximum(alpha, _LEAST_ALPHA)


def is_smoothed(model: Any, least: float = 0.0) -> bool:
    """Tell whether all smoothing is above `least`.

    Without any, a class that has not come yet has no probabilities, so that no row is learned.
    """
    return bool(np.min(alpha_of(model)) > least)


def prior_of(model: Any) -> Prior:
    """Take the prior of a fitted estimator; its `class_count_` is changed in place."""
    fits = model.class_prior is None and bool(model.fit_prior)
    prior = Prior(model.class_count_, model.class_log_prior_.copy(), fits)
    update_prior(prior)
    return prior


def counts_of(model: Any) -> Counts:
    """Take the counts of a fitted estimator; they are changed in place."""
    alpha = np.full(model.feature_count_.shape[1], alpha_of(model), np.float64)
    return Counts(model.feature_count_, alpha, prior_of(model))


@compiled
def update_prior(prior: Prior) -> None:
    """Set the log priors to what the counts say, if they are to follow these."""
    if not prior.fits:
        return
    total = 0.0
    for c in range(prior.by_class.shape[0]):
        total += prior.by_class[c]
    log_total = math.log(total)
    for c in range(prior.by_class.shape[0]):
        prior.log[c] = math.log(prior.by_class[c]) - log_total  # -inf before its first row


def settle(model: Any, rows: Rows | SparseRows, done: int) -> int:
    """Make the tables of an estimator that has learned all of `rows`; return `done`.

    After a short run its state is not used, and if nothing was learned they hold already.
    """
    if done == len(rows.y) and rows.labelled.any():
        # Its own way, so that an export shows what scikit-learn would have.
        with np.errstate(all="ignore"):
            model._update_feature_log_prob(alpha_of(model))
            model._update_class_log_prior(class_prior=model.class_prior)
    return done
