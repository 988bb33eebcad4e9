"""Events in columns: what a read brought, what could be decoded, what was predicted.

Nothing here touches Kafka; `Records` is what an adapter fills from whatever it read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from learners.slices import taken
from learners.tokens import Tokens

Headers = list[tuple[str, str | bytes | None]]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
# Rows of features: an array, or CSR where any feature is hashed.
Features: TypeAlias = Floats | csr_array


@dataclass(frozen=True, slots=True)
class Records:
    """Undecoded records of one read, in the order of reading.

    Attributes
    ----------
    topic : str
        The topic that all of them come from.
    values, keys : sequence of bytes or None, of length n_records
        A value of None is a tombstone.
    partitions, offsets : ndarray of shape (n_records,)
        Where each record stands.
    time_ms : ndarray of shape (n_records,)
        The record's timestamp, ms since 1970 UTC.
    headers : callable
        Gives the headers of one record by its position, or None where they cannot be read; asked
        for only when that record becomes a dead letter, since fetching them costs more than
        decoding.
    """

    topic: str
    values: Sequence[bytes | None]
    keys: Sequence[bytes | None]
    partitions: Ints
    offsets: Ints
    time_ms: Ints
    headers: Callable[[int], Headers | None]

    @classmethod
    def joined(cls, parts: "Sequence[Records]") -> "Records":
        """Put reads of one topic together; at least one."""
        places = [(part, row) for part in parts for row in range(len(part))]

        def headers(row: int) -> Headers | None:
            part, its_row = places[row]
            return part.headers(its_row)

        return cls(
            topic=parts[0].topic,
            values=[value for part in parts for value in part.values],
            keys=[key for part in parts for key in part.keys],
            partitions=np.concatenate([part.partitions for part in parts]),
            offsets=np.concatenate([part.offsets for part in parts]),
            time_ms=np.concatenate([part.time_ms for part in parts]),
            headers=headers,
        )

    def __len__(self) -> int:
        return len(self.values)

    def head(self, count: int) -> Self:
        """Return the first records."""
        return type(self)(
            self.topic,
            self.values[:count],
            self.keys[:count],
            self.partitions[:count],
            self.offsets[:count],
            self.time_ms[:count],
            self.headers,
        )

    def take(self, rows: Ints) -> Self:
        """Return the records at some positions."""
        positions = rows.tolist()
        return type(self)(
            self.topic,
            taken(self.values, rows),
            taken(self.keys, rows),
            self.partitions[rows],
            self.offsets[rows],
            self.time_ms[rows],
            lambda row: self.headers(positions[row]),
        )

    def last_rows(self) -> dict[int, int]:
        """Position of the last record of every partition in this read."""
        if not len(self):
            return {}
        # A read brings runs of one partition: only the ends of runs are looked at.
        ends = np.append(np.flatnonzero(np.diff(self.partitions)), len(self) - 1)
        return dict(zip(self.partitions[ends].tolist(), ends.tolist(), strict=True))

    def next_offsets(self) -> dict[int, int]:
        """Next offset to read of every partition in this read.

        Returns
        -------
        dict of int to int
            Partition to the offset after its last record here.
        """
        return {
            partition: int(self.offsets[row]) + 1 for partition, row in self.last_rows().items()
        }


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Accepted events of one read, in columns.

    Attributes
    ----------
    X : ndarray or csr_array of shape (n_events, n_features)
        Features, float64, finite. An array is C-contiguous; CSR has int32 indices, ascending
        within a row, and stores no zeros.
    y : ndarray of shape (n_events,)
        Class index into the sorted classes (int64), or the target (float64). -1 or NaN where
        there is no label.
    labelled : ndarray of shape (n_events,)
        True where `y` holds a label.
    ids : sequence of str or int, of length n_events
        The event's id, as it came; `Tokens` are decoded where they are asked for.
    keys : sequence of bytes or None, of length n_events
        The record's key.
    time_ms : ndarray of shape (n_events,)
        Event time, ms since 1970 UTC.
    partitions, offsets : ndarray of shape (n_events,)
        The source of each event.
    rows : ndarray of shape (n_events,)
        Position of each event in the `Records` it was decoded from.
    """

    X: Features
    y: NDArray[Any]
    labelled: Bools
    ids: Sequence[str | int]
    keys: Sequence[bytes | None]
    time_ms: Ints
    partitions: Ints
    offsets: Ints
    rows: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, keep: Bools) -> Self:
        """Return the events where `keep` is true, as a new batch."""
        kept = np.flatnonzero(keep)
        ids = self.ids
        return type(self)(
            X=self.X[keep],
            y=self.y[keep],
            labelled=self.labelled[keep],
            ids=ids.take(kept) if isinstance(ids, Tokens) else taken(ids, kept),
            keys=taken(self.keys, kept),
            time_ms=self.time_ms[keep],
            partitions=self.partitions[keep],
            offsets=self.offsets[keep],
            rows=self.rows[keep],
        )


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a learner said of each event of a batch before it learned that event.

    Attributes
    ----------
    values : ndarray of shape (n_events,)
        Class index (int64), or the predicted number (float64), or the cluster (int64).
    probabilities : ndarray of shape (n_events, n_classes) or None
        None where the estimator gives none.
    model_version : ndarray of shape (n_events,)
        Number of events learned before each one, int64.
    accepted : ndarray of shape (n_events,)
        False for a row that the guard found guilty: it was not learned, and its prediction
        must not be used.
    """

    values: NDArray[Any]
    probabilities: Floats | None
    model_version: Ints
    accepted: Bools

    def __len__(self) -> int:
        return len(self.values)

    def take(self, keep: Bools) -> Self:
        """Return the predictions where `keep` is true."""
        probabilities = None if self.probabilities is None else self.probabilities[keep]
        return type(self)(
            self.values[keep], probabilities, self.model_version[keep], self.accepted[keep]
        )

    def of_predicted_class(self) -> Floats | None:
        """Probability of the predicted class of each event, or None where there is none."""
        if self.probabilities is None:
            return None
        column = np.asarray(self.probabilities)[np.arange(len(self)), self.values]
        return np.asarray(column, dtype=np.float64)
