"""Labels as they came to what a learner takes: class indices or targets; and which are no good."""

from collections.abc import Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from learners.events import Bools, Floats, Ints
from learners.rejections import Reason, Rejection, Stage
from learners.schema import Schema

# What stands in y where there is no label, and where there is one that is not declared.
_NONE, _UNKNOWN = -1, -2


class LabelColumn(NamedTuple):
    """The labels of a read.

    Attributes
    ----------
    y : ndarray of shape (n_events,)
        As in `EventBatch`.
    labelled : ndarray of shape (n_events,)
        Whether `y` holds a label.
    good : ndarray of shape (n_events,)
        False for events that are to be refused because of their label.
    """

    y: NDArray[Any]
    labelled: Bools
    good: Bools


class Labels:
    """Takes labels to class indices, or to targets.

    Parameters
    ----------
    schema : Schema
        The label's field, classes, bound on targets.
    keep_unknown : bool
        Keep events whose label is not declared, as unlabelled ones.
    """

    def __init__(self, schema: Schema, *, keep_unknown: bool) -> None:
        self._classes = schema.classes
        self._max_abs = schema.max_abs
        self._keep_unknown = keep_unknown
        self._index: dict[Any, int] = {label: i for i, label in enumerate(schema.classes or ())}
        self._index[None] = _NONE

    def column(self, labels: Sequence[Any] | Floats | Ints | None, n_events: int) -> LabelColumn:
        """Take the labels of a read.

        Parameters
        ----------
        labels : sequence, or ndarray of shape (n_events,), or None
            See `learners.formats.Fields`; those of a sequence are of the declared type, and an
            array of int64 holds indices already, all of them good.
        n_events : int
            Number of events.
        """
        if labels is None:
            labels = [None] * n_events
        if self._classes is None:
            return self._targets(labels)
        if isinstance(labels, np.ndarray) and labels.dtype == np.int64:
            return LabelColumn(labels, labels != _NONE, np.ones(n_events, dtype=np.bool_))
        if isinstance(labels, np.ndarray):
            indices = self._indices_of_floats(labels)
            whole = np.isnan(labels) | ((labels == np.floor(labels)) & np.isfinite(labels))
        else:
            numbers = map(self._index.get, labels, repeat(_UNKNOWN))
            indices = np.fromiter(numbers, np.int64, n_events)
            whole = None
        good = indices != _UNKNOWN
        if self._keep_unknown and not good.all():
            indices[~good] = _NONE
            good = np.ones(n_events, dtype=np.bool_)
        return LabelColumn(indices, indices != _NONE, good if whole is None else good & whole)

    def refusal(self, row: int, label: Any) -> Rejection:
        """Tell why the event of a row is refused because of its label."""
        if self._classes is None:
            detail = f"label is beyond learning.max_abs = {self._max_abs:g}"
            return Rejection(row, Stage.LABEL, Reason.OUT_OF_RANGE, detail)
        if isinstance(label, float) and not label.is_integer():
            detail = "label is not a whole number, as classes are"
            return Rejection(row, Stage.LABEL, Reason.WRONG_TYPE, detail)
        detail = "label is not declared; add it to schema.classes or set learning.on_unknown_label"
        return Rejection(row, Stage.LABEL, Reason.UNKNOWN_LABEL, detail)

    def _targets(self, labels: Sequence[Any] | Floats | Ints) -> LabelColumn:
        y = np.array(labels, dtype=np.float64)  # of None, it makes NaN
        labelled = ~np.isnan(y)
        if not isinstance(labels, np.ndarray) and not labelled.all():
            # MessagePack can say NaN, and then does not mean that there is no label.
            labelled = np.fromiter((label is not None for label in labels), np.bool_, len(y))
        return LabelColumn(y, labelled, ~labelled | (np.abs(y) <= self._max_abs))

    def _indices_of_floats(self, labels: NDArray[Any]) -> Ints:
        classes = np.array(self._classes, dtype=np.float64)
        indices = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        indices[classes[indices] != labels] = _UNKNOWN
        indices[np.isnan(labels)] = _NONE
        return indices
