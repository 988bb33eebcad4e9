"""What an event costs without Kafka, by features, classes and size of batch.

Decode, test-then-train, scores and encode, as the loop does them; the fastest of several runs of
each, since what disturbs a run only ever makes it slower.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from consumers.loop.step import Step
from consumers.settings import Settings, from_tables
from consumers.wiring import decoder_of, learning_of
from learners.events import Records
from producers.encoding import PredictionEncoder
from tests.benchmarks.workload import PARTITIONS

FEATURES = (8, 30, 100, 300, 1000)
CLASSES = (2, 10, 100)
BATCHES = (1, 10, 100, 512, 4096)
_USUAL = (8, 2, 512)
_ROUNDS = 5
_EVENTS = 8192


def measure() -> dict[str, dict[str, float]]:
    """Give microseconds an event, by what is varied and its value."""
    n_features, n_classes, batch = _USUAL
    return {
        "features": {str(n): cost_us(n, n_classes, batch) for n in FEATURES},
        "classes": {str(n): cost_us(n_features, n, batch) for n in CLASSES},
        "batch": {str(n): cost_us(n_features, n_classes, n) for n in BATCHES},
    }


def cost_us(n_features: int, n_classes: int, size: int) -> float:
    """Give microseconds an event of one shape."""
    events = min(_EVENTS, max(512, _EVENTS * 8 // (n_features * n_classes // 16 + 8)))
    batches = _batches(n_features, n_classes, size, events)
    work = _work(_settings(n_features, n_classes))
    work(batches[0])
    fastest = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        for records in batches:
            work(records)
        fastest = min(fastest, time.perf_counter() - began)
    return fastest / sum(map(len, batches)) * 1e6


def _work(settings: Settings) -> Callable[[Records], Any]:
    decoder, learning = decoder_of(settings), learning_of(settings)
    step = Step(learning.learner, learning.scores)
    classes = sorted(settings.schema_.classes or ())
    encoder = PredictionEncoder(classes, PARTITIONS)

    def work(records: Records) -> None:
        result = step(decoder.decode(records).batch)
        list(encoder.encode(result.batch, result.predictions))

    return work


def _batches(n_features: int, n_classes: int, size: int, events: int) -> list[Records]:
    rng = np.random.default_rng(0)
    names = [f"f{number}" for number in range(n_features)]
    values = [
        json.dumps(
            {
                "id": f"e{number}",
                "features": dict(zip(names, row, strict=True)),
                "label": number % n_classes,
            }
        ).encode()
        for number, row in enumerate(np.round(rng.normal(size=(events, n_features)), 6).tolist())
    ]
    return [_records(values[begin : begin + size], begin) for begin in range(0, events, size)]


def _records(values: list[bytes], begin: int) -> Records:
    count = len(values)
    return Records(
        topic="events",
        values=values,
        keys=[None] * count,
        partitions=np.zeros(count, dtype=np.int64),
        offsets=np.arange(begin, begin + count),
        time_ms=np.zeros(count, dtype=np.int64),
        headers=lambda _: [],
    )


def _settings(n_features: int, n_classes: int) -> Settings:
    return from_tables(
        {
            "kafka": {"bootstrap_servers": "localhost:9092"},
            "input": {"topic": "events", "group": "bench"},
            "schema": {
                "id": "id",
                "label": "label",
                "features": [f"f{number}" for number in range(n_features)],
                "classes": list(range(n_classes)),
            },
            "model": {
                "steps": [
                    {"use": "StandardScaler"},
                    {
                        "use": "SGDClassifier",
                        "loss": "log_loss",
                        "learning_rate": "constant",
                        "eta0": 0.005,
                        "penalty": "none",
                    },
                ]
            },
            "output": {"topic": "predictions"},
            "checkpoint": {"store": "file:///nowhere"},
        }
    )
