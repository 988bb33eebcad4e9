"""Prequential scores of numeric predictions: summed up by a kernel, computed from the sums here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.events import Bools, Floats, Predictions
from metrics.facts import Baseline, ScoreFacts
from metrics.number_sums import (
    ERROR,
    NO_CHANGE_ERROR,
    RUNNING_MEAN_ERROR,
    TRUTH,
    NumberSums,
    encode,
    new_sums,
    sums_from,
)
from metrics.regression_kernel import add_numbers
from metrics.score_state import column, require_lengths
from metrics.views import by_view


class RegressionScores:
    """Mean absolute error, root of the mean squared error and R2, in three views.

    See `metrics.prequential.Scores` for the contract.

    Left out of the facts: everything before the first event; `r2` where all labels are equal,
    so in particular with one event; whatever a number too large has made infinite.

    Parameters
    ----------
    window : int
        Number of labelled events in the sliding window, at least 1.
    fading : float
        What remains of an event's weight when the next one comes, in (0, 1].
    """

    def __init__(self, window: int, fading: float) -> None:
        self._window = window
        self._fading = fading
        self._sums = new_sums(window)

    def update(self, y: NDArray[Any], predictions: Predictions, labelled: Bools) -> None:
        """Add the labelled and accepted events of a batch.

        Raises
        ------
        ValueError
            If columns differ in length; nothing is added then.
        """
        require_lengths(y=y, predictions=predictions.values, labelled=labelled)
        add_numbers(
            self._sums,
            column(y, np.float64),
            column(predictions.values, np.float64),
            np.logical_and(labelled, predictions.accepted),
            self._fading,
        )

    def facts(self) -> ScoreFacts:
        """Compute all scores from the sums; changes nothing."""
        # Nothing added yet: 0/0 gives NaN. Numbers too large: infinity. `by_view` leaves both out.
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            weight, absolute, squared, scatter, no_change, running_mean = _totals(self._sums)
            scores = {
                "mae": absolute / weight,
                "rmse": np.sqrt(squared / weight),
                "r2": np.where(scatter > 0.0, 1.0 - squared / scatter, np.nan),
            }
            baselines = {
                Baseline.NO_CHANGE: no_change / weight,
                Baseline.RUNNING_MEAN: running_mean / weight,
            }
        return ScoreFacts(
            scored=int(self._sums.sums["scored"][0]),
            correct=0,
            scores=by_view(scores),
            baselines=by_view(baselines),
        )

    def snapshot(self) -> bytes:
        """Give the sums, bit for bit; changes nothing."""
        return encode(self._sums, self._fading)

    def restore(self, snapshot: bytes) -> None:
        """Take over the sums of a snapshot.

        Raises
        ------
        ValueError
            If it was taken with other settings or its arrays do not fit; nothing is changed then.
        """
        self._sums = sums_from(snapshot, self._window, self._fading)


def _totals(sums: NumberSums) -> Floats:
    """Weight, absolute, squared, scatter, no-change, running mean, in each view: shape (6, 3)."""
    total = sums.sums[0]
    names = ("absolute", "squared", "scatter", "no_change", "running_mean")
    cumulative = [total["scored"], *(total[name] for name in names)]
    fading = [total["faded_weight"], *(total[f"faded_{name}"] for name in names)]
    return np.array([cumulative, _window_totals(sums), fading], dtype=np.float64).T


def _window_totals(sums: NumberSums) -> list[float]:
    """Add up the window anew: running sums would drift, and never forget an infinity."""
    window = sums.ring[: min(int(sums.sums["scored"][0]), sums.ring.shape[0])]
    if window.shape[0] == 0:
        return [0.0] * 6
    error = window[:, ERROR]
    # Distances from one of the labels, not from 0: equal labels then scatter by exactly 0.
    distance = window[:, TRUTH] - window[0, TRUTH]
    scattered = distance - distance.mean()
    return [
        float(window.shape[0]),
        float(np.abs(error).sum()),
        float((error * error).sum()),
        float((scattered * scattered).sum()),
        float(np.abs(window[:, NO_CHANGE_ERROR]).sum()),
        float(np.abs(window[:, RUNNING_MEAN_ERROR]).sum()),
    ]
