"""What is counted of class predictions, as arrays that a compiled kernel can change in place.

How an event is counted is in `metrics.classification_kernel`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.events import Floats, Ints

# The fading confusion matrix may grow by this power of 2 before it is scaled back: far from
# overflow, and seldom (every 177,000 events at a factor of 0.999).
_LARGEST_UNIT_LOG2 = 256.0

TALLIES = np.dtype(
    [
        ("scored", np.int64),  # events counted so far
        ("last", np.int64),  # the last label: what no-change predicts
        ("majority", np.int64),  # the most frequent label: what majority predicts
        ("no_change_missed", np.int64),
        ("majority_missed", np.int64),
        ("window_no_change_missed", np.int64),
        ("window_majority_missed", np.int64),
        ("with_probability", np.int64),  # events that came with probabilities
        ("log_loss", np.float64),  # sum over those
        ("unit", np.float64),  # what the next event adds to the fading confusion matrix
        ("faded_weight", np.float64),
        ("faded_no_change_missed", np.float64),
        ("faded_majority_missed", np.float64),
        ("faded_with_probability", np.float64),
        ("faded_log_loss", np.float64),
    ]
)


class ClassCounts(NamedTuple):
    """All that is counted. Cell truth * n_classes + prediction stands for a pair of classes.

    Attributes
    ----------
    confusion, windowed : ndarray of shape (n_classes * n_classes,)
        Number of events in each cell, int64: of all events, and of those in the window.
    faded : ndarray of shape (n_classes * n_classes,)
        Fading weight in each cell, in units that only their ratios give a meaning.
    labels : ndarray of shape (n_classes,)
        Number of events of each class, int64.
    ring_cells : ndarray of shape (window,)
        Cell of each event in the window, int32; event i stands at i modulo window.
    ring_missed : ndarray of shape (window,)
        Which baselines missed it, uint8: 1 for no-change, 2 for majority, or their sum.
    ring_log_loss : ndarray of shape (window,)
        Its log loss in nats; NaN where no probability came.
    tallies : ndarray of shape (1,)
        The single numbers, of type `TALLIES`.
    """

    confusion: Ints
    windowed: Ints
    faded: Floats
    labels: Ints
    ring_cells: NDArray[np.int32]
    ring_missed: NDArray[np.uint8]
    ring_log_loss: Floats
    tallies: NDArray[np.void]


def new_counts(n_classes: int, window: int) -> ClassCounts:
    """Give the counts of no event at all."""
    cells = n_classes * n_classes
    tallies = np.zeros(1, dtype=TALLIES)
    tallies["unit"] = 1.0
    return ClassCounts(
        confusion=np.zeros(cells, dtype=np.int64),
        windowed=np.zeros(cells, dtype=np.int64),
        faded=np.zeros(cells),
        labels=np.zeros(n_classes, dtype=np.int64),
        ring_cells=np.zeros(window, dtype=np.int32),
        ring_missed=np.zeros(window, dtype=np.uint8),
        ring_log_loss=np.zeros(window),
        tallies=tallies,
    )


def events_between_scalings(fading: float) -> int:
    """Give the number of events after which the fading confusion matrix is scaled back.

    It depends on the factor alone, so scaling never depends on where a batch was cut.
    """
    if fading == 1.0:
        return int(np.iinfo(np.int64).max)
    return max(1, int(min(_LARGEST_UNIT_LOG2 / -math.log2(fading), 2.0**62)))
