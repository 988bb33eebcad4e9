"""Scores of class predictions that confusion matrices give. Pure; no state.

Everything is a ratio of sums of what is not negative, never 1 minus something near 1: so a
denominator that should be 0 is exactly 0, also in the fading view.
"""

from typing import NamedTuple

import numpy as np

from learners.events import Floats

# A fading weight below this share of the whole is lost in the rounding of the whole: the class
# is forgotten, and no longer one that occurred.
_FORGOTTEN = float(np.finfo(np.float64).eps)


class Shares(NamedTuple):
    """What the scores need of the confusion matrix of each view, as shares of its events.

    Attributes
    ----------
    truth, predicted, hit : ndarray of shape (n_views, n_classes)
        Share of the events that are of a class, were predicted to be, and both.
    missed : ndarray of shape (n_views,)
        Share of wrong predictions.
    others : ndarray of shape (n_classes, n_classes)
        0 on the diagonal and 1 beside it.
    """

    truth: Floats
    predicted: Floats
    hit: Floats
    missed: Floats
    others: Floats


def shares(confusions: Floats) -> Shares:
    """Divide each confusion matrix by its sum, leaving out what has faded away.

    Parameters
    ----------
    confusions : ndarray of shape (n_views, n_classes, n_classes)
        Counts or weights; truth in rows, prediction in columns. One that is all zeros gives NaN.

    Returns
    -------
    Shares
    """
    cells = confusions / confusions.sum(axis=(1, 2), keepdims=True)
    cells[cells < _FORGOTTEN] = 0.0
    others = 1.0 - np.eye(cells.shape[1])
    return Shares(
        truth=cells.sum(axis=2),
        predicted=cells.sum(axis=1),
        hit=np.einsum("vii->vi", cells),
        missed=np.einsum("vij,ij->v", cells, others),
        others=others,
    )


def accuracy(confusions: Floats) -> Floats:
    """Share of right predictions, shape (n_views,); from counts, so that it is correct / scored."""
    right: Floats = np.einsum("vii->v", confusions) / confusions.sum(axis=(1, 2))
    return right


def balanced_accuracy(of: Shares) -> Floats:
    """Mean recall over the classes that occurred as truth, shape (n_views,).

    As sklearn.metrics.balanced_accuracy_score has it.
    """
    return _mean_ratio(of.hit, of.truth)


def macro_f1(of: Shares) -> Floats:
    """Mean F1 over the classes that occurred as truth or as prediction, shape (n_views,).

    As sklearn.metrics.f1_score(average="macro") has it, whose labels are by default just those.
    """
    return _mean_ratio(2.0 * of.hit, of.truth + of.predicted)


def kappa(of: Shares) -> Floats:
    """Give Cohen's kappa: the share of the errors expected by chance that were avoided.

    NaN, shape (n_views,), where chance is never wrong: one class alone occurred, as truth and as
    prediction.

    References
    ----------
    Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and
    Psychological Measurement 20(1), 37-46.
    """
    by_chance = ((of.truth @ of.others) * of.predicted).sum(axis=1)
    return _errors_avoided(of.missed, by_chance)


def kappa_t(of: Shares, no_change_missed: Floats) -> Floats:
    """Give the temporal kappa: the share of the errors of no-change that were avoided.

    With accuracies, (accuracy - that of no-change) / (1 - that of no-change).

    Parameters
    ----------
    of : Shares
        Of the model's predictions.
    no_change_missed : ndarray of shape (n_views,)
        Share of the same events whose label was not the label before.

    Returns
    -------
    ndarray of shape (n_views,)
        NaN where no-change missed nothing.

    References
    ----------
    Zliobaite, I., Bifet, A., Read, J., Pfahringer, B., Holmes, G. (2015). Evaluation methods and
    decision theory for classification of streaming data with temporal dependence. Machine
    Learning 98, 455-482.
    """
    remembered = np.where(no_change_missed < _FORGOTTEN, 0.0, no_change_missed)
    return _errors_avoided(of.missed, remembered)


def _errors_avoided(missed: Floats, reference_missed: Floats) -> Floats:
    avoided: Floats = 1.0 - missed / reference_missed
    avoided[reference_missed <= 0.0] = np.nan
    return avoided


def _mean_ratio(parts: Floats, wholes: Floats) -> Floats:
    """Mean of parts / wholes over the classes of which there is a whole."""
    occurred = wholes > 0.0
    ratios = np.divide(parts, wholes, out=np.zeros_like(parts), where=occurred)
    mean: Floats = ratios.sum(axis=1) / occurred.sum(axis=1)
    return mean
