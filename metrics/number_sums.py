"""What is summed up of numeric predictions, as arrays that a compiled kernel can change in place.

How an event is added is in `metrics.regression_kernel`.
"""

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from learners.events import Floats
from metrics.score_state import array_from, decode, require_equal

# Columns of the ring.
TRUTH, ERROR, NO_CHANGE_ERROR, RUNNING_MEAN_ERROR = range(4)

SUMS = np.dtype(
    [
        ("scored", np.int64),  # events so far
        ("last", np.float64),  # the last label: what no-change predicts
        ("mean", np.float64),  # of all labels: what running mean predicts
        ("scatter", np.float64),  # sum of squared distances of the labels from their mean
        ("absolute", np.float64),  # sum of absolute errors
        ("squared", np.float64),  # sum of squared errors
        ("no_change", np.float64),  # sum of absolute errors of the baseline
        ("running_mean", np.float64),
        ("faded_weight", np.float64),
        ("faded_mean", np.float64),
        ("faded_scatter", np.float64),
        ("faded_absolute", np.float64),
        ("faded_squared", np.float64),
        ("faded_no_change", np.float64),
        ("faded_running_mean", np.float64),
    ]
)


class NumberSums(NamedTuple):
    """All that is summed up.

    Attributes
    ----------
    ring : ndarray of shape (window, 4)
        Label, and errors (prediction minus label) of the model, of no-change and of running
        mean, for each event of the window; event i stands at i modulo window.
    sums : ndarray of shape (1,)
        The single numbers, of type `SUMS`.
    """

    ring: Floats
    sums: NDArray[np.void]


class RegressionSnapshot(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="regression", tag_field="task"
):
    """The sums as the bytes of their arrays."""

    window: int
    fading: float
    ring: bytes
    sums: bytes


def new_sums(window: int) -> NumberSums:
    """Give the sums of no event at all."""
    return NumberSums(ring=np.zeros((window, 4)), sums=np.zeros(1, dtype=SUMS))


def encode(sums: NumberSums, fading: float) -> bytes:
    """Give the sums as JSON."""
    return msgspec.json.encode(
        RegressionSnapshot(
            window=sums.ring.shape[0],
            fading=fading,
            ring=sums.ring.tobytes(),
            sums=sums.sums.tobytes(),
        )
    )


def sums_from(snapshot: bytes, window: int, fading: float) -> NumberSums:
    """Make sums of their own from what `encode` gave.

    Raises
    ------
    ValueError
        If the snapshot was taken with other settings or an array has another size.
    """
    state = decode(snapshot, RegressionSnapshot)
    require_equal("window", state.window, window)
    require_equal("fading", state.fading, fading)
    empty = new_sums(window)
    sums = NumberSums(
        ring=array_from("ring", state.ring, empty.ring),
        sums=array_from("sums", state.sums, empty.sums),
    )
    if sums.sums["scored"][0] < 0:
        raise ValueError("scores: the snapshot's number of events is negative")
    return sums
