"""Decoded events to columns, and which of them are out of the schema's bounds."""

from collections.abc import Iterable
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from learners.events import Bools, EventBatch, Floats, Ints, Records
from learners.rejections import Reason, Rejection, Stage
from learners.schema import Schema

# A time beyond 64 bits is a producer's mistake; it must not stop anything.
_TIME_BOUND_MS = 2**62


class Columns:
    """Turns structs made by `learners.structs.event_type` into an `EventBatch`.

    Parameters
    ----------
    schema : Schema
        Fields, classes and bounds.
    keep_unknown : bool
        Keep events whose label is not declared, as unlabelled ones.
    """

    def __init__(self, schema: Schema, *, keep_unknown: bool) -> None:
        self._schema = schema
        self._keep_unknown = keep_unknown
        names = [f"f{i}" for i in range(len(schema.features))]
        # attrgetter of one name gives the value itself, not a tuple of it.
        self._flat = attrgetter(*names) if len(names) > 1 else lambda event: (event.f0,)
        self._classes: dict[Any, int] = {c: i for i, c in enumerate(schema.classes or ())}

    def batch(
        self, records: Records, events: list[Any], rows: Ints
    ) -> tuple[EventBatch, list[Rejection]]:
        """Put events into columns, and leave out those that are out of bounds.

        Parameters
        ----------
        records : Records
            What the events were decoded from.
        events : list of Struct
            The decoded events.
        rows : ndarray of shape (n_events,)
            Position of each event in `records`.

        Returns
        -------
        EventBatch, list of Rejection
            The events within bounds, and the others, in order.
        """
        X, (y, labelled, known) = self._matrix(events), self._labels(events)
        in_range = np.asarray((np.abs(X) <= self._schema.max_abs).all(axis=1))
        partitions, offsets = records.partitions[rows], records.offsets[rows]
        whole = len(events) == len(records)
        batch = EventBatch(
            X=X,
            y=y,
            labelled=labelled,
            ids=self._ids(events, records.topic, partitions, offsets),
            keys=list(records.keys) if whole else [records.keys[i] for i in rows.tolist()],
            time_ms=self._times(events) if self._schema.time else records.time_ms[rows],
            partitions=partitions,
            offsets=offsets,
            rows=rows,
        )
        accepted = known & in_range
        if accepted.all():
            return batch, []
        refused = [self._out_of_range(row, X[i]) for i, row in _false(in_range, rows)]
        refused += [self._bad_label(row) for _, row in _false(known | ~in_range, rows)]
        return batch.take(accepted), refused

    def _matrix(self, events: list[Any]) -> Floats:
        n, d = len(events), len(self._schema.features)
        values: Iterable[Iterable[float]]
        if self._schema.features_in:
            nested = list(map(attrgetter("features"), events))
            named = tuple not in set(map(type, nested))
            values = map(msgspec.structs.astuple if named else _astuple, nested)
        else:
            values = map(self._flat, events)
        return np.fromiter(chain.from_iterable(values), np.float64, n * d).reshape(n, d)

    def _labels(self, events: list[Any]) -> tuple[NDArray[Any], Bools, Bools]:
        """Give y, whether there is a label, and whether it is one that can be learned."""
        n, classes = len(events), self._schema.classes
        labels = [event.label for event in events] if self._schema.label else [None] * n
        given = np.fromiter((label is not None for label in labels), np.bool_, n)
        if classes is None:
            targets = np.fromiter((np.nan if v is None else v for v in labels), np.float64, n)
            return targets, given, ~given | (np.abs(targets) <= self._schema.max_abs)
        indices = np.array([self._classes.get(label, -1) for label in labels], dtype=np.int64)
        if self._keep_unknown:
            return indices, indices >= 0, np.ones(n, dtype=np.bool_)
        return indices, given, ~given | (indices >= 0)

    def _ids(
        self, events: list[Any], topic: str, partitions: Ints, offsets: Ints
    ) -> list[str | int]:
        if self._schema.id:
            return [event.id for event in events]
        places = zip(partitions.tolist(), offsets.tolist(), strict=True)
        return [f"{topic}/{partition}/{offset}" for partition, offset in places]

    def _times(self, events: list[Any]) -> Ints:
        times = (min(max(event.time, -_TIME_BOUND_MS), _TIME_BOUND_MS) for event in events)
        return np.fromiter(times, np.int64, len(events))

    def _out_of_range(self, row: int, x: Floats) -> Rejection:
        name = self._schema.features[int(np.argmax(np.abs(x) > self._schema.max_abs))]
        detail = f"feature `{name}` is beyond learning.max_abs = {self._schema.max_abs:g}"
        return Rejection(row, Stage.SCHEMA, Reason.OUT_OF_RANGE, detail)

    def _bad_label(self, row: int) -> Rejection:
        if self._schema.classes is None:
            detail = f"label is beyond learning.max_abs = {self._schema.max_abs:g}"
            return Rejection(row, Stage.LABEL, Reason.OUT_OF_RANGE, detail)
        detail = "label is not declared; add it to schema.classes or set learning.on_unknown_label"
        return Rejection(row, Stage.LABEL, Reason.UNKNOWN_LABEL, detail)


def _false(mask: Bools, rows: Ints) -> list[tuple[int, int]]:
    """Give position and row of each event where the mask is false."""
    return [(i, int(rows[i])) for i in np.flatnonzero(~mask).tolist()]


def _astuple(features: Any) -> tuple[float, ...]:
    return features if isinstance(features, tuple) else msgspec.structs.astuple(features)
