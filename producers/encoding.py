"""Predictions as records: the JSON value, and the key and partition that keep order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Any

import msgspec
import numpy as np

from learners.events import EventBatch, Headers, Ints, Predictions
from learners.slices import Slices
from learners.tokens import Tokens
from producers.prediction_rows import PredictionRows

# A partition that the key chooses.
BY_KEY = -1


# Key, value, partition.
Record = tuple[bytes | None, bytes, int]


@dataclass(frozen=True, slots=True, eq=False)
class PredictionRecords:
    """Records for the output topic, in columns of the same length.

    Attributes
    ----------
    keys : sequence of bytes or None
        Of the events.
    values : sequence of bytes
        The predictions as JSON.
    partitions : sequence or ndarray of int
        Where each goes; `BY_KEY` where its key decides.
    headers : sequence of list of (str, str or bytes or None), or None
        Of each; None where none has any, which is a third cheaper to hand over.
    """

    keys: Sequence[bytes | None]
    values: Sequence[bytes]
    partitions: Sequence[int] | Ints
    headers: Sequence[Headers] | None = None

    @classmethod
    def of(cls, records: Iterable[Record]) -> "PredictionRecords":
        """Put records into columns."""
        keys, values, partitions = list(zip(*records, strict=True)) or ((), (), ())
        return cls(keys, values, partitions)

    def __iter__(self) -> Iterator[Record]:
        return zip(self.keys, self.values, self._partitions(), strict=True)

    def with_headers(self) -> Iterator[tuple[bytes | None, bytes, int, Headers]]:
        """Give each record with its headers behind it; only where there are headers."""
        return zip(self.keys, self.values, self._partitions(), self.headers or (), strict=True)

    def runs(self) -> Iterator[tuple[int, slice]]:
        """Give runs of records that go to the same partition, in order."""
        partitions = np.asarray(self.partitions, dtype=np.int64)
        begins = np.flatnonzero(np.diff(partitions, prepend=partitions[:1] - 1)).tolist()
        for begin, end in pairwise([*begins, len(partitions)]):
            yield int(partitions[begin]), slice(begin, end)

    def _partitions(self) -> list[int]:
        partitions: list[int] = np.asarray(self.partitions, dtype=np.int64).tolist()
        return partitions


class PredictionRecord(msgspec.Struct, gc=False):
    """The value of a prediction, as JSON.

    Attributes
    ----------
    id : str or int
        The event's id.
    prediction : str, int or float
        Class label, number or cluster.
    probability : float
        Of the predicted class; left out where the estimator gives none.
    model_version : int
        Number of events the model had learned before this one.
    partition, offset : int
        Of the source event.
    """

    id: str | int
    prediction: Any
    probability: float | msgspec.UnsetType
    model_version: int
    partition: int
    offset: int


class PredictionEncoder:
    """Turns predictions into records.

    Parameters
    ----------
    classes : sequence of int or str, or None
        The sorted classes; None where predictions are numbers.
    partitions : int
        Number of partitions of the output topic.
    """

    def __init__(self, classes: Sequence[int | str] | None, partitions: int) -> None:
        self._classes = list(classes) if classes is not None else None
        self._partitions = partitions
        self._encode = msgspec.json.Encoder().encode
        self._rows = PredictionRows(classes)

    def encode(
        self,
        batch: EventBatch,
        predictions: Predictions,
        headers: Sequence[Headers] | None = None,
    ) -> PredictionRecords:
        """Give one record for each event, in order, with its headers if there are any.

        An event without a key goes to its source partition modulo the number of output
        partitions, so that events of one source partition stay in order.
        """
        if isinstance(batch.ids, Tokens) and headers is None:
            values: Sequence[bytes] = self._rows.write(
                batch.ids,
                predictions.values,
                predictions.of_predicted_class(),
                predictions.model_version,
                batch.partitions,
                batch.offsets,
            )
        else:
            values = self._one_by_one(batch, predictions)
        return PredictionRecords(batch.keys, values, self._partitions_of(batch), headers)

    def _one_by_one(self, batch: EventBatch, predictions: Predictions) -> list[bytes]:
        said: list[Any] = predictions.values.tolist()
        if self._classes is not None:
            said = [self._classes[index] for index in said]
        probability = predictions.of_predicted_class()
        # Without a loop in Python: this is done for every event.
        rows = map(
            PredictionRecord,
            batch.ids,
            said,
            repeat(msgspec.UNSET) if probability is None else probability.tolist(),
            predictions.model_version.tolist(),
            batch.partitions.tolist(),
            batch.offsets.tolist(),
        )
        return list(map(self._encode, rows))

    def _partitions_of(self, batch: EventBatch) -> Ints:
        without = 0 if isinstance(batch.keys, Slices) else batch.keys.count(None)
        if not without:
            return np.full(len(batch), BY_KEY)
        by_source: Ints = batch.partitions % self._partitions
        if without == len(batch):
            return by_source
        return np.where([key is None for key in batch.keys], by_source, BY_KEY)
