"""Fields of events to an `EventBatch`, and which of the events are out of the schema's bounds."""

from typing import Any

import numpy as np

from learners.events import Bools, EventBatch, Features, Floats, Ints, Records
from learners.formats import Fields
from learners.hashing import HashedColumns
from learners.labels import LabelColumn, Labels
from learners.rejections import Reason, Rejection, Stage
from learners.schema import Schema
from learners.slices import taken


class Columns:
    """Turns fields, whatever format they came in, into an `EventBatch`.

    Parameters
    ----------
    schema : Schema
        Fields, classes and bounds.
    keep_unknown : bool
        Keep events whose label is not declared, as unlabelled ones.
    """

    def __init__(self, schema: Schema, *, keep_unknown: bool) -> None:
        self._numbers = schema.numbers
        self._max_abs = schema.max_abs
        self._labels = Labels(schema, keep_unknown=keep_unknown)
        self._hashed = HashedColumns(schema) if schema.is_sparse else None

    def batch(
        self, records: Records, fields: Fields, rows: Ints
    ) -> tuple[EventBatch, list[Rejection]]:
        """Put events into columns, and leave out those that are out of bounds.

        Parameters
        ----------
        records : Records
            What the events were decoded from.
        fields : Fields
            The decoded events.
        rows : ndarray of shape (n_events,)
            Position of each event in `records`.

        Returns
        -------
        EventBatch, list of Rejection
            The events within bounds, and the others, in order.
        """
        labels = self._labels.column(fields.labels, len(rows))
        batch = self._whole(records, fields, rows, labels)
        # One look at the matrix as a whole, which is nearly always within bounds. False for NaN.
        if np.abs(fields.numbers).max(initial=0.0) <= self._max_abs and labels.good.all():
            return batch, []
        in_range = np.asarray((np.abs(fields.numbers) <= self._max_abs).all(axis=1))
        refused = [self._out_of_range(row, fields.numbers[i]) for i, row in _false(in_range, rows)]
        for i, row in _false(labels.good | ~in_range, rows):
            refused.append(self._labels.refusal(row, _nth(fields.labels, i)))
        return batch.take(labels.good & in_range), refused

    def _whole(
        self, records: Records, fields: Fields, rows: Ints, labels: LabelColumn
    ) -> EventBatch:
        partitions, offsets = records.partitions, records.offsets
        keys, time_ms = records.keys, records.time_ms
        if len(rows) < len(records):
            partitions, offsets, time_ms = partitions[rows], offsets[rows], time_ms[rows]
            keys = taken(keys, rows)
        ids = fields.ids
        return EventBatch(
            X=self._matrix(fields),
            y=labels.y,
            labelled=labels.labelled,
            ids=_places(records.topic, partitions, offsets) if ids is None else ids,
            keys=keys,
            time_ms=time_ms if fields.time_ms is None else fields.time_ms,
            partitions=partitions,
            offsets=offsets,
            rows=rows,
        )

    def _matrix(self, fields: Fields) -> Features:
        if self._hashed is None:
            return fields.numbers
        return self._hashed.matrix(fields.numbers, fields.words)

    def _out_of_range(self, row: int, x: Floats) -> Rejection:
        # The first that is not within bounds: NaN never is.
        name = self._numbers[int(np.argmin(np.abs(x) <= self._max_abs))]
        detail = f"feature `{name}` is not a number within learning.max_abs = {self._max_abs:g}"
        return Rejection(row, Stage.SCHEMA, Reason.OUT_OF_RANGE, detail)


def _places(topic: str, partitions: Ints, offsets: Ints) -> list[str | int]:
    """Make ids of topic, partition and offset."""
    before = {partition: f"{topic}/{partition}/" for partition in set(partitions.tolist())}
    places = zip(partitions.tolist(), offsets.tolist(), strict=True)
    return [f"{before[partition]}{offset}" for partition, offset in places]


def _false(mask: Bools, rows: Ints) -> list[tuple[int, int]]:
    """Give position and row of each event where the mask is false."""
    return [(i, int(rows[i])) for i in np.flatnonzero(~mask).tolist()]


def _nth(labels: Any, i: int) -> Any:
    return None if labels is None else labels[i]
