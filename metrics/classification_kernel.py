"""The compiled pass over a batch that counts class predictions in all three views.

Only the counting is here; what is computed from the counts is in `metrics.classification`.
Every event does the same operations in the same order wherever a batch was cut, so the counts are
the same bit for bit. That rules out fastmath and any sum over a batch.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from learners.events import Bools, Floats, Ints
from metrics.class_counts import ClassCounts

# A probability of 0 given to the truth must not make the mean infinite for good. The bound is
# the one of sklearn.metrics.log_loss for float64, so that the two agree.
_EPS = float(np.finfo(np.float64).eps)

_NO_CHANGE_MISSED = 1
_MAJORITY_MISSED = 2


@njit(cache=True)
def _first_unknown(y: Ints, predicted: Ints, counted: Bools, n_classes: int) -> int:
    for i in range(y.shape[0]):
        if counted[i] and not (0 <= y[i] < n_classes and 0 <= predicted[i] < n_classes):
            return i
    return -1


@njit(cache=True)
def _slide(
    windowed: Ints, ring_cells: Any, ring_missed: Any, tally: Any, slot: int, cell: int, missed: int
) -> None:
    """Put the event into the window, in the place of the one that leaves it."""
    if tally["scored"] >= ring_cells.shape[0]:
        windowed[ring_cells[slot]] -= 1
        leaving = ring_missed[slot]
        tally["window_no_change_missed"] -= leaving & 1
        tally["window_majority_missed"] -= leaving >> 1
    windowed[cell] += 1
    ring_cells[slot] = cell
    ring_missed[slot] = missed
    tally["window_no_change_missed"] += missed & 1
    tally["window_majority_missed"] += missed >> 1


@njit(cache=True)
def _fade(faded: Floats, tally: Any, cell: int, missed: int, fading: float) -> None:
    """Count the event with weight 1 after all earlier ones have lost a little.

    Scaling n_classes squared cells for each event would cost more than all the rest: instead
    the new event weighs more, and `_scale_back` brings the cells back now and then.
    """
    faded[cell] += tally["unit"]
    tally["unit"] /= fading
    tally["faded_weight"] = tally["faded_weight"] * fading + 1.0
    tally["faded_no_change_missed"] = tally["faded_no_change_missed"] * fading + (missed & 1)
    tally["faded_majority_missed"] = tally["faded_majority_missed"] * fading + (missed >> 1)
    tally["faded_with_probability"] *= fading
    tally["faded_log_loss"] *= fading


@njit(cache=True)
def _scale_back(faded: Floats, tally: Any) -> None:
    for cell in range(faded.shape[0]):
        faded[cell] /= tally["unit"]
    tally["unit"] = 1.0


@njit(cache=True)
def _lose(tally: Any, probability: float) -> float:
    """Add an event's log loss; NaN counts as 0, the worst that can be said of the truth."""
    if not probability >= _EPS:
        probability = _EPS
    loss = -math.log(min(probability, 1.0 - _EPS))
    tally["with_probability"] += 1
    tally["log_loss"] += loss
    tally["faded_with_probability"] += 1.0
    tally["faded_log_loss"] += loss
    return loss


@njit(cache=True)
def _learn_label(labels: Ints, tally: Any, truth: int) -> None:
    """Let the baselines know the label, once they have predicted it."""
    labels[truth] += 1
    gap = labels[truth] - labels[tally["majority"]]
    if gap > 0 or (gap == 0 and truth < tally["majority"]):
        tally["majority"] = truth
    tally["last"] = truth
    tally["scored"] += 1


@njit(cache=True)
def _missed(tally: Any, truth: int) -> int:
    """Tell which baselines do not predict the label, as bits, and count them."""
    missed = 0
    if truth != tally["last"]:
        missed |= _NO_CHANGE_MISSED
    if truth != tally["majority"]:
        missed |= _MAJORITY_MISSED
    tally["no_change_missed"] += missed & 1
    tally["majority_missed"] += missed >> 1
    return missed


@njit(cache=True)
def count_classes(
    counts: ClassCounts,
    y: Ints,
    predicted: Ints,
    counted: Bools,
    probabilities: Floats,
    fading: float,
    scale_every: int,
) -> int:
    """Count the events where `counted` is true; `probabilities` has no rows if there are none.

    Returns -1; or the first row whose truth or prediction is no class, and nothing is counted.
    """
    # Passing the tuple on would count references in every iteration: 6 times slower.
    confusion, windowed, faded, labels, ring_cells, ring_missed, ring_log_loss, tallies = counts
    unknown = _first_unknown(y, predicted, counted, labels.shape[0])
    if unknown >= 0:
        return unknown
    tally = tallies[0]
    slot = tally["scored"] % ring_cells.shape[0]
    until_scaling = scale_every - tally["scored"] % scale_every
    for i in range(y.shape[0]):
        if not counted[i]:
            continue
        missed = _missed(tally, y[i])
        cell = y[i] * labels.shape[0] + predicted[i]
        confusion[cell] += 1
        _slide(windowed, ring_cells, ring_missed, tally, slot, cell, missed)
        _fade(faded, tally, cell, missed, fading)
        loss = _lose(tally, probabilities[i, y[i]]) if probabilities.shape[0] > 0 else math.nan
        ring_log_loss[slot] = loss
        _learn_label(labels, tally, y[i])
        slot = slot + 1 if slot + 1 < ring_cells.shape[0] else 0
        until_scaling -= 1
        if until_scaling == 0:
            _scale_back(faded, tally)
            until_scaling = scale_every
    return -1
