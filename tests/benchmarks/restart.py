"""From a process's start to its first prediction, by the size of the checkpoint it begins with."""

import json
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import numpy as np
from confluent_kafka import Consumer, Producer

from tests.benchmarks.contest import ContestError
from tests.benchmarks.observing import Progress
from tests.benchmarks.tables import Spread
from tests.benchmarks.workload import create_topic, delete_topics

# Features and classes of models whose checkpoints take about 10 kB, 1 MB and 8 MB.
SIZES = ((8, 2), (999, 128), (999, 1000))
_TIMEOUT_S = 60.0
SETTINGS = """
[kafka]
bootstrap_servers = "{bootstrap}"
[input]
topic = "{input}"
group = "{input}"
[schema]
id = "id"
label = "label"
features = {features}
classes = {classes}
[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
[output]
topic = "{output}"
dead_letter_topic = "{output}-dlq"
[checkpoint]
store = "file://{folder}/store"
[metrics]
port = 0
"""


def measure(bootstrap: str, command: str, rounds: int) -> dict[str, dict[str, float]]:
    """Give medians in seconds, by the checkpoint's size in bytes; `join_s` is a bare consumer's.

    Parameters
    ----------
    bootstrap : str
        The broker.
    command : str
        Streamfit's.
    rounds : int
        Starts of each size, and joins.
    """
    joins = [_join_s(bootstrap) for _ in range(rounds)]
    found = {}
    for n_features, n_classes in SIZES:
        size, seconds = _restarts((bootstrap, command), (n_features, n_classes), rounds)
        total, join = Spread.of(seconds).median, Spread.of(joins).median
        found[str(size)] = {"start_s": total, "join_s": join, "beyond_s": total - join}
    return found


def _join_s(bootstrap: str) -> float:
    name = f"bench-{uuid4().hex[:8]}"
    create_topic(bootstrap, name, 1)
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": name})
    joined: list[float] = []
    began = time.monotonic()
    consumer.subscribe([name], on_assign=lambda *_: joined.append(time.monotonic()))
    while not joined and time.monotonic() < began + _TIMEOUT_S:
        consumer.poll(0.01)
    consumer.close()
    delete_topics(bootstrap, name)
    return joined[0] - began


def _restarts(
    where: tuple[str, str], shape: tuple[int, int], rounds: int
) -> tuple[int, list[float]]:
    """Give the size of the newest checkpoint, and seconds from start to first prediction."""
    bootstrap, _ = where
    n_features, n_classes = shape
    name = f"bench-{uuid4().hex[:8]}"
    source, output = f"{name}-in", f"{name}-out"
    topics = (source, output, f"{output}-dlq")
    for topic in topics:
        create_topic(bootstrap, topic, 4)
    with tempfile.TemporaryDirectory(prefix="streamfit-bench-") as folder:
        file = Path(folder) / "settings.toml"
        file.write_text(
            SETTINGS.format(
                bootstrap=bootstrap,
                input=source,
                output=output,
                folder=folder,
                features=json.dumps([f"f{number}" for number in range(n_features)]),
                classes=json.dumps(list(range(n_classes))),
            )
        )
        progress = Progress(bootstrap, output, name, source)
        seconds = [
            _first_prediction_s(where, file, source, progress, shape) for _ in range(rounds + 1)
        ]
        stored = [path for path in Path(folder, "store").rglob("*") if path.is_file()]
        size = max(path.stat().st_size for path in stored)
        progress.close()
    delete_topics(bootstrap, *topics)
    return size, seconds[1:]  # the first has no checkpoint to begin with


def _first_prediction_s(
    where: tuple[str, str],
    file: Path,
    source: str,
    progress: Progress,
    shape: tuple[int, int],
) -> float:
    """Send some events, start, wait for a prediction, stop in order."""
    bootstrap, command = where
    before = progress.predictions()
    _send(bootstrap, source, *shape)
    began = time.monotonic()
    process = subprocess.Popen(
        [command, "run", str(file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while progress.predictions() == before:
            if time.monotonic() > began + _TIMEOUT_S or process.poll() is not None:
                raise ContestError("no prediction after a restart")
            time.sleep(0.01)
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _send(bootstrap: str, topic: str, n_features: int, n_classes: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    rng = np.random.default_rng(0)
    for number in range(8):
        features = np.round(rng.normal(size=n_features), 3).tolist()
        event = {"id": number, "features": features, "label": number % n_classes}
        producer.produce(topic, json.dumps(event), partition=number % 4)
    producer.flush(30)
