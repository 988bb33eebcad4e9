"""Predictions as records: the JSON value, and the key and partition that keep order."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import msgspec

from learners.events import EventBatch, Predictions

# A partition that the key chooses.
BY_KEY = -1
# Key, value, partition.
Record = tuple[bytes | None, bytes, int]


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

    def encode(self, batch: EventBatch, predictions: Predictions) -> Iterator[Record]:
        """Give one record for each event, in order.

        An event without a key goes to its source partition modulo the number of output
        partitions, so that events of one source partition stay in order.
        """
        said: list[Any] = predictions.values.tolist()
        if self._classes is not None:
            said = [self._classes[index] for index in said]
        probability = predictions.of_predicted_class()
        sources = batch.partitions.tolist()
        # Without a loop in Python: this is done for every event.
        values = map(
            self._encode,
            map(
                PredictionRecord,
                batch.ids,
                said,
                repeat(msgspec.UNSET) if probability is None else probability.tolist(),
                predictions.model_version.tolist(),
                sources,
                batch.offsets.tolist(),
            ),
        )
        for key, value, source in zip(batch.keys, values, sources, strict=True):
            yield key, value, source % self._partitions if key is None else BY_KEY
