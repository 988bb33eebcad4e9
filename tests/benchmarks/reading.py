"""Reads every prediction of a contestant back."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from numpy.typing import NDArray

from producers.elec2 import CLASSES
from tests.benchmarks.workload import PARTITIONS

_BATCH = 10_000


class _Prediction(msgspec.Struct, gc=False):
    prediction: str
    probability: float
    model_version: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Predictions:
    """All predictions in a topic, in the order of the model's versions.

    Attributes
    ----------
    versions, partitions, offsets, classes : ndarray of shape (n_predictions,)
        Model version; source; predicted class, 1 for `UP`.
    probabilities : ndarray of shape (n_predictions,)
        Of the predicted class.
    appended_ms : ndarray of shape (n_predictions,)
        When the broker appended each to its log, ms since 1970.
    """

    versions: NDArray[np.int64]
    partitions: NDArray[np.int64]
    offsets: NDArray[np.int64]
    classes: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    appended_ms: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.versions)

    @property
    def first_s(self) -> float:
        """When the first was appended, seconds since 1970."""
        return float(self.appended_ms.min()) / 1000

    @property
    def last_s(self) -> float:
        """When the last was appended, seconds since 1970."""
        return float(self.appended_ms.max()) / 1000

    def rate(self) -> float:
        """Give events per second, from the first append to the last."""
        return len(self) / max(self.last_s - self.first_s, 1e-3)


def read_back(bootstrap: str, topic: str) -> Predictions:
    """Read a topic to its end, as a `read_committed` reader does."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"{topic}-reader",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    columns: list[NDArray[Any]] = []
    ended = 0
    decode = msgspec.json.Decoder(_Prediction).decode
    while ended < PARTITIONS:
        messages = consumer.consume(_BATCH, 1.0)
        errors = [error for m in messages if (error := m.error()) is not None]
        for error in errors:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
        ended += len(errors)
        good = [m for m in messages if m.error() is None]
        if good:
            columns.append(_columns([decode(m.value() or b"") for m in good], good))
    consumer.close()
    return _in_order(np.concatenate(columns)) if columns else _in_order(np.empty((0, 6)))


def _columns(found: list[_Prediction], messages: list[Any]) -> NDArray[np.float64]:
    """Numbers up to 2**53 stand in a float64 as they are."""
    return np.array(
        [
            (
                p.model_version,
                p.partition,
                p.offset,
                CLASSES.index(p.prediction),
                p.probability,
                m.timestamp()[1],
            )
            for p, m in zip(found, messages, strict=True)
        ],
        dtype=np.float64,
    )


def _in_order(table: NDArray[np.float64]) -> Predictions:
    table = table[np.argsort(table[:, 0], kind="stable")]
    whole = table.astype(np.int64)
    return Predictions(
        versions=whole[:, 0],
        partitions=whole[:, 1],
        offsets=whole[:, 2],
        classes=whole[:, 3],
        probabilities=table[:, 4],
        appended_ms=whole[:, 5],
    )
