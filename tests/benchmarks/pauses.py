"""How long an epoch's end stops the flow, for models of different size, in both deliveries.

Run as `python -m tests.benchmarks.pauses BOOTSTRAP SECONDS`; prints one line of JSON.
"""

import json
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from confluent_kafka import Producer

from consumers.connecting import open_runner
from consumers.settings import from_tables
from consumers.views.observers import Observers
from metrics.facts import EpochFacts
from tests.benchmarks.workload import create_topic, delete_topics

# Features and classes; a model of two classes has one row of weights.
SIZES = {"10": (9, 2), "1,000": (999, 2), "1,000,000": (999, 1000)}
DELIVERIES = ("at_least_once", "exactly_once")
EVERY_S = 0.2
_EVENTS_PER_S = 100
_SKIPPED = 3  # the first epochs make connections


class Epochs(Observers):
    """An observer that keeps what each epoch's end took, in seconds by step."""

    def __init__(self) -> None:
        super().__init__(())
        self.seconds: list[dict[str, float]] = []

    def epoch(self, facts: EpochFacts) -> None:
        """Keep one."""
        if facts.ok:
            self.seconds.append(dict(facts.seconds))


class Trickle(threading.Thread):
    """Sends an event every few milliseconds, so that each epoch has something to commit."""

    def __init__(self, bootstrap: str, topic: str, n_features: int, n_classes: int) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
        self._topic, self._shape = topic, (n_features, n_classes)
        self.ended = threading.Event()

    def run(self) -> None:
        """Send until `ended` is set."""
        n_features, n_classes = self._shape
        rng, number = np.random.default_rng(0), 0
        while not self.ended.wait(1 / _EVENTS_PER_S):
            features = np.round(rng.normal(size=n_features), 3).tolist()
            event = {"id": number, "features": features, "label": number % n_classes}
            self._producer.produce(self._topic, json.dumps(event))
            self._producer.poll(0)
            number += 1
        self._producer.flush(10)


def measure(bootstrap: str, size: str, delivery: str, seconds: float) -> dict[str, Any]:
    """Let a model of one size learn for a while; gives p50 and p99 in milliseconds."""
    n_features, n_classes = SIZES[size]
    name = f"bench-{uuid4().hex[:8]}"
    topics = (f"{name}-in", f"{name}-out", f"{name}-dlq")
    for topic in topics:
        create_topic(bootstrap, topic, 1)
    epochs = Epochs()
    trickle = Trickle(bootstrap, topics[0], n_features, n_classes)
    with tempfile.TemporaryDirectory(prefix="streamfit-bench-") as folder:
        settings = from_tables(_tables(bootstrap, topics, size, delivery, Path(folder)))
        with open_runner(settings, epochs) as runner:
            trickle.start()
            threading.Timer(seconds, runner.stop).start()
            runner.run()
    trickle.ended.set()
    trickle.join()
    delete_topics(bootstrap, *topics)
    kept = epochs.seconds[_SKIPPED:]
    pauses = [1000 * sum(each.values()) for each in kept]
    steps = sorted({step for each in kept for step in each})
    return {
        "epochs": len(kept),
        "pause_ms": _percentiles(pauses),
        "steps_ms": {s: _percentiles([1000 * e.get(s, 0.0) for e in kept]) for s in steps},
    }


def _percentiles(figures: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(figures, [50, 99])
    return {"p50": float(p50), "p99": float(p99)}


def _tables(
    bootstrap: str, topics: tuple[str, str, str], size: str, delivery: str, folder: Path
) -> dict[str, Any]:
    n_features, n_classes = SIZES[size]
    return {
        "kafka": {"bootstrap_servers": bootstrap},
        "input": {"topic": topics[0], "group": topics[0]},
        "schema": {
            "id": "id",
            "label": "label",
            "features": [f"f{number}" for number in range(n_features)],
            "classes": list(range(n_classes)),
        },
        "model": {"steps": [{"use": "SGDClassifier", "loss": "log_loss"}]},
        "output": {"topic": topics[1], "dead_letter_topic": topics[2], "delivery": delivery},
        "checkpoint": {"store": f"file://{folder}/store", "every": f"{EVERY_S}s"},
    }


def main() -> None:
    """Measure every size in every delivery."""
    bootstrap, seconds = sys.argv[1], float(sys.argv[2])
    figures = {
        size: {delivery: measure(bootstrap, size, delivery, seconds) for delivery in DELIVERIES}
        for size in SIZES
    }
    print(json.dumps(figures))  # noqa: T201 its output


if __name__ == "__main__":
    main()
