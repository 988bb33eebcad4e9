"""The compiled pass over a batch that adds up errors of numeric predictions.

Every event does the same operations in the same order wherever a batch was cut, so the sums are
the same bit for bit. That rules out fastmath and any sum over a batch.
"""

from typing import Any

from numba import njit

from learners.events import Bools, Floats
from metrics.number_sums import ERROR, NO_CHANGE_ERROR, RUNNING_MEAN_ERROR, TRUTH, NumberSums


@njit(cache=True)
def _add(total: Any, errors: Floats) -> None:
    total["absolute"] += abs(errors[ERROR])
    total["squared"] += errors[ERROR] * errors[ERROR]
    total["no_change"] += abs(errors[NO_CHANGE_ERROR])
    total["running_mean"] += abs(errors[RUNNING_MEAN_ERROR])


@njit(cache=True)
def _fade(total: Any, errors: Floats, fading: float) -> None:
    """Add the errors with weight 1 after all earlier ones have lost a little."""
    squared = errors[ERROR] * errors[ERROR]
    total["faded_absolute"] = total["faded_absolute"] * fading + abs(errors[ERROR])
    total["faded_squared"] = total["faded_squared"] * fading + squared
    total["faded_no_change"] = total["faded_no_change"] * fading + abs(errors[NO_CHANGE_ERROR])
    total["faded_running_mean"] = total["faded_running_mean"] * fading + abs(
        errors[RUNNING_MEAN_ERROR]
    )


@njit(cache=True)
def _learn_label(total: Any, truth: float, fading: float) -> None:
    """Let the baselines and R2 know the label.

    Mean and scatter are updated as in West (1979), Communications of the ACM 22(9), 532-535:
    sums of squares would cancel on labels far from 0.
    """
    total["scored"] += 1
    distance = truth - total["mean"]
    total["mean"] += distance / total["scored"]
    total["scatter"] += distance * (truth - total["mean"])
    total["faded_weight"] = total["faded_weight"] * fading + 1.0
    distance = truth - total["faded_mean"]
    total["faded_mean"] += distance / total["faded_weight"]
    total["faded_scatter"] = total["faded_scatter"] * fading + distance * (
        truth - total["faded_mean"]
    )
    total["last"] = truth


@njit(cache=True)
def add_numbers(
    sums: NumberSums, y: Floats, predicted: Floats, counted: Bools, fading: float
) -> None:
    """Add the events of a batch where `counted` is true, in their order, in all views.

    Parameters
    ----------
    sums : NumberSums
        Changed in place.
    y, predicted : ndarray of shape (n_events,)
        Labels and predictions, float64.
    counted : ndarray of shape (n_events,)
        Which events count.
    fading : float
        What remains of an event's weight when the next one comes.
    """
    total = sums.sums[0]
    slot = total["scored"] % sums.ring.shape[0]
    for i in range(y.shape[0]):
        if not counted[i]:
            continue
        errors = sums.ring[slot]
        errors[TRUTH] = y[i]
        errors[ERROR] = predicted[i] - y[i]
        errors[NO_CHANGE_ERROR] = total["last"] - y[i]
        errors[RUNNING_MEAN_ERROR] = total["mean"] - y[i]
        _add(total, errors)
        _fade(total, errors, fading)
        _learn_label(total, y[i], fading)
        slot = slot + 1 if slot + 1 < sums.ring.shape[0] else 0
