"""Watches the errors of a model for changes of the stream, by any number of detectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learners.drift import snapshot
from learners.drift.catalogue import DetectorSpec
from learners.drift.detectors import Detector, make_detector
from learners.events import Bools, Floats, Predictions

# Detectors square and add up what they get: beyond this they would come to infinity, and from
# then on find nothing any more.
_LARGEST_ERROR = 1e100


@dataclass(frozen=True, slots=True)
class Detection:
    """A change that was found.

    Attributes
    ----------
    detector : str
        Which one found it, by its name in `learners.drift.catalogue`.
    row : int
        Position in the batch of the event with whose error it was found.
    """

    detector: str
    row: int


class DriftMonitor:
    """Feeds the prequential errors of labelled events to detectors, a batch at a time.

    An error is 0 or 1 for classes, and the absolute error for numbers, 1e100 at most. Where
    batches are cut changes nothing, also with a snapshot and a restore in between.

    Parameters
    ----------
    specs : sequence of DetectorSpec
        Each of another name; without any nothing is watched.

    Examples
    --------
    >>> from learners.drift.catalogue import spec_of
    >>> monitor = DriftMonitor([spec_of("adwin", {})])
    >>> y, every = np.repeat([0, 1], 500), np.ones(1000, dtype=bool)
    >>> said_zero = Predictions(np.zeros(1000, dtype=np.int64), None, np.arange(1000), every)
    >>> monitor.update(y, said_zero, labelled=every)
    [Detection(detector='adwin', row=511)]
    """

    def __init__(self, specs: Sequence[DetectorSpec] = ()) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._detectors: dict[str, Detector] = {
            name: make_detector(spec) for name, spec in self._specs.items()
        }

    def update(self, y: NDArray[Any], predictions: Predictions, labelled: Bools) -> list[Detection]:
        """Take a batch; it may be empty or have no labels at all.

        Parameters
        ----------
        y : ndarray of shape (n_events,)
            Class indices (int64) or targets (float64); ignored where there is no label.
        predictions : Predictions
            What the model said of these events before it learned them.
        labelled : ndarray of shape (n_events,)
            True where `y` holds a label.

        Returns
        -------
        list of Detection
            In the order of events.
        """
        if not self._detectors:
            return []
        counted = labelled & predictions.accepted
        errors = _errors(y[counted], predictions.values[counted]).tolist()
        found = [
            (position, name)
            for name, detector in self._detectors.items()
            for position in detector.update(errors)
        ]
        if not found:
            return []
        rows = np.flatnonzero(counted)
        return [Detection(name, int(rows[position])) for position, name in sorted(found)]

    def snapshot(self) -> bytes:
        """Give everything needed to go on, bit for bit; empty where nothing is watched."""
        if not self._detectors:
            return b""
        saved = {
            name: snapshot.save(self._specs[name], detector)
            for name, detector in self._detectors.items()
        }
        return snapshot.encode(snapshot.Snapshot(_river(), saved))

    def restore(self, data: bytes) -> list[str]:
        """Let each detector go on where the one of a snapshot was, if it was the same.

        One that was set otherwise then, or was not there, or is of another version of River,
        begins anew: it needs no more than some hundred events to know the stream again. What the
        snapshot has of others is left alone, unread.

        Parameters
        ----------
        data : bytes
            What `snapshot` gave; empty for nothing at all.

        Returns
        -------
        list of str
            Why a detector begins anew, a line for each that does.

        Raises
        ------
        DriftStateError
            If it is damaged or holds what no detector's state holds; nothing is changed then.
        """
        if not self._detectors:
            return []
        saved = snapshot.decode(data) if data else snapshot.Snapshot(_river(), {})
        reasons = {name: _differs(spec, saved) for name, spec in self._specs.items()}
        self._detectors = {
            name: make_detector(spec)
            if reasons[name]
            else snapshot.load(spec, saved.detectors[name])
            for name, spec in self._specs.items()
        }
        return [f"{name} begins anew: {reason}" for name, reason in reasons.items() if reason]


def _errors(truths: NDArray[Any], said: NDArray[Any]) -> Floats:
    if truths.dtype.kind != "f":
        return np.asarray(truths != said, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        # fmin takes the bound for NaN, too.
        return np.asarray(np.fmin(np.abs(truths - said), _LARGEST_ERROR), dtype=np.float64)


def _differs(spec: DetectorSpec, found: snapshot.Snapshot) -> str:
    """Tell why what was saved is not of this detector; empty if it is."""
    saved = found.detectors.get(spec.name)
    if saved is None:
        return "the checkpoint has none of it"
    if found.river != _river():
        return f"the checkpoint is of River {found.river}, this is River {_river()}"
    if saved.params == spec.params:
        return ""
    changed: Iterable[str] = (
        f"{name} was {saved.params.get(name)!r} and is {value!r}"
        for name, value in spec.params.items()
        if saved.params.get(name) != value
    )
    return ", ".join(changed) or "it had other parameters"


def _river() -> str:
    from river.__version__ import __version__  # noqa: PLC0415 - only where there are detectors

    return str(__version__)
