"""Prequential scores of class predictions: counted by a kernel, computed from the counts here."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.events import Bools, Floats, Predictions
from metrics import confusion
from metrics.class_counts import ClassCounts, events_between_scalings, new_counts
from metrics.classification_kernel import count_classes
from metrics.classification_snapshot import counts_from, encode
from metrics.facts import Baseline, ScoreFacts
from metrics.score_state import column, require_lengths
from metrics.views import by_view


class ClassificationScores:
    """Accuracy, log loss, balanced accuracy, macro F1, kappa and kappa-T, in three views.

    See `metrics.prequential.Scores` for the contract.

    Left out of the facts: everything before the first event; `kappa` where one class alone
    occurred, as truth and as prediction; `kappa_t` where no-change missed nothing; `log_loss`
    where no event came with probabilities (else it is the mean over those that did).

    Parameters
    ----------
    n_classes : int
        Number of declared classes, at least 1.
    window : int
        Number of labelled events in the sliding window, at least 1.
    fading : float
        What remains of an event's weight when the next one comes, in (0, 1].
    """

    def __init__(self, n_classes: int, window: int, fading: float) -> None:
        self._n_classes = n_classes
        self._window = window
        self._fading = fading
        self._scale_every = events_between_scalings(fading)
        self._counts = new_counts(n_classes, window)

    def update(self, y: NDArray[Any], predictions: Predictions, labelled: Bools) -> None:
        """Count the labelled and accepted events of a batch.

        Raises
        ------
        ValueError
            If columns differ in length or a class index is none of the declared ones; nothing
            is counted then.
        """
        require_lengths(y=y, predictions=predictions.values, labelled=labelled)
        truths, predicted = column(y, np.int64), column(predictions.values, np.int64)
        unknown = count_classes(
            self._counts,
            truths,
            predicted,
            np.logical_and(labelled, predictions.accepted),
            self._probabilities_of(predictions),
            self._fading,
            self._scale_every,
        )
        if unknown >= 0:
            raise ValueError(
                f"scores: row {unknown} has the label {truths[unknown]} and the prediction "
                f"{predicted[unknown]}, with {self._n_classes} classes"
            )

    def facts(self) -> ScoreFacts:
        """Compute all scores from the counts; changes nothing."""
        counts = self._counts
        # Nothing counted yet, or no probability: 0/0 gives NaN, which `by_view` leaves out.
        with np.errstate(invalid="ignore", divide="ignore"):
            confusions = self._confusions()
            shares = confusion.shares(confusions)
            missed, weight = _baselines_missed(counts)
            scores = {
                "accuracy": confusion.accuracy(confusions),
                "log_loss": _log_loss(counts),
                "balanced_accuracy": confusion.balanced_accuracy(shares),
                "macro_f1": confusion.macro_f1(shares),
                "kappa": confusion.kappa(shares),
                "kappa_t": confusion.kappa_t(shares, missed[0] / weight),
            }
            no_change, majority = (weight - missed) / weight
        return ScoreFacts(
            scored=int(counts.tallies["scored"][0]),
            correct=int(counts.confusion[:: self._n_classes + 1].sum()),
            scores=by_view(scores),
            baselines=by_view({Baseline.NO_CHANGE: no_change, Baseline.MAJORITY: majority}),
        )

    def snapshot(self) -> bytes:
        """Give the counts, bit for bit; changes nothing."""
        return encode(self._counts, self._fading)

    def restore(self, snapshot: bytes) -> None:
        """Take over the counts of a snapshot.

        Raises
        ------
        ValueError
            If it was taken with other settings or its arrays do not fit; nothing is changed then.
        """
        self._counts = counts_from(snapshot, self._n_classes, self._window, self._fading)

    def _probabilities_of(self, predictions: Predictions) -> Floats:
        if predictions.probabilities is None:
            return np.empty((0, self._n_classes))
        expected = (len(predictions), self._n_classes)
        if predictions.probabilities.shape != expected:
            raise ValueError(
                f"scores: probabilities have the shape {predictions.probabilities.shape}, "
                f"expected {expected}"
            )
        return column(predictions.probabilities, np.float64)

    def _confusions(self) -> Floats:
        """Confusion matrices in the order of `View`, shape (3, n_classes, n_classes)."""
        counts = self._counts
        stacked = np.array((counts.confusion, counts.windowed, counts.faded), dtype=np.float64)
        return stacked.reshape(3, self._n_classes, self._n_classes)


def _baselines_missed(counts: ClassCounts) -> tuple[Floats, Floats]:
    """Weight of the events that no-change and majority missed, (2, 3), and of all events, (3,)."""
    tally = counts.tallies[0]
    scored = tally["scored"]
    missed = [
        [tally[f"{view}{baseline}_missed"] for view in ("", "window_", "faded_")]
        for baseline in ("no_change", "majority")
    ]
    weight = [scored, min(scored, counts.ring_cells.shape[0]), tally["faded_weight"]]
    return np.array(missed, dtype=np.float64), np.array(weight, dtype=np.float64)


def _log_loss(counts: ClassCounts) -> Floats:
    """Mean log loss of the events that came with probabilities, in nats, shape (3,)."""
    tally = counts.tallies[0]
    in_window = counts.ring_log_loss[: min(tally["scored"], counts.ring_log_loss.shape[0])]
    known = in_window[~np.isnan(in_window)]
    # Added up anew each time: a running sum would drift with every event that leaves.
    sums = [tally["log_loss"], known.sum(), tally["faded_log_loss"]]
    weights = [tally["with_probability"], known.shape[0], tally["faded_with_probability"]]
    return np.array(sums, dtype=np.float64) / np.array(weights, dtype=np.float64)
