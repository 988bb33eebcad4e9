"""From an event's append to its prediction's append, at several rates, by the broker's clock.

Both topics stamp a record when it is appended, in whole milliseconds; the answer that tells the
producer so leaves at once after that.
"""

import itertools
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from numpy.typing import NDArray

from tests.benchmarks.contest import COMMAND, ContestError, settings_file
from tests.benchmarks.observing import Progress
from tests.benchmarks.reading import read_back
from tests.benchmarks.workload import PARTITIONS, create_topic, delete_topics, values

RATES = (10, 1_000, 50_000)
_START_TIMEOUT_S = 60.0
_WARM_S = 3.0  # figures of the first seconds are left out
_TICK_S = 0.001
_MANY = 10_000  # a request for each event would leave the broker no time


def measure(bootstrap: str, rate: int, seconds: float) -> dict[str, float]:
    """Send events at a rate for a while; gives percentiles in milliseconds."""
    name = f"bench-{uuid4().hex[:8]}"
    source, output, dead = f"{name}-in", f"{name}-out", f"{name}-dlq"
    for topic in (source, output):
        create_topic(bootstrap, topic, message_timestamp_type="LogAppendTime")
    create_topic(bootstrap, dead, 1)
    names = {"bootstrap": bootstrap, "input": source, "output": output, "group": name}
    with tempfile.TemporaryDirectory(prefix="streamfit-bench-") as folder:
        file = settings_file(Path(folder), "at_least_once", {**names, "dead_letters": dead})
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([COMMAND, "run", str(file)], stdout=log, stderr=log)
        try:
            progress = Progress(bootstrap, output, name, source)
            _ready(bootstrap, source, progress)
            sent = _send(bootstrap, source, rate, seconds + _WARM_S)
            _drained(progress, sent)
            progress.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    found = read_back(bootstrap, output)
    appended = _appended(bootstrap, source)
    delays = found.appended_ms - appended[found.partitions, found.offsets]
    late = found.appended_ms > found.appended_ms.min() + 1000 * _WARM_S
    delete_topics(bootstrap, source, output, dead)
    return _figures(delays[late], len(found) - sent - 1)


def _figures(delays_ms: NDArray[np.int64], surplus: int) -> dict[str, float]:
    p50, p99, p999 = np.percentile(delays_ms, [50, 99, 99.9])
    return {
        "events": len(delays_ms),
        "surplus": surplus,
        "p50": float(p50),
        "p99": float(p99),
        "p99.9": float(p999),
        "mean": float(delays_ms.mean()),
    }


def _ready(bootstrap: str, source: str, progress: Progress) -> None:
    """Send one event, and wait for its prediction."""
    _send(bootstrap, source, 1, 1.0)
    _drained(progress, 1)


def _drained(progress: Progress, count: int) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while progress.predictions() < count:
        if time.monotonic() > deadline:
            raise ContestError(f"{progress.predictions()} of {count} events were predicted")
        time.sleep(0.05)


def _send(bootstrap: str, topic: str, rate: int, seconds: float) -> int:
    """Send evenly; gives how many were sent."""
    # What it waits is no part of the figure, which begins at the append.
    linger_ms = 0 if rate < _MANY else 5
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": linger_ms})
    events = enumerate(values(int(rate * seconds)))
    began, sent = time.monotonic(), 0
    while chunk := list(itertools.islice(events, max(1, _due(rate, began) - sent))):
        for number, (key, value) in chunk:
            producer.produce(topic, value, key, number % PARTITIONS)
        sent += len(chunk)
        producer.poll(0)
        while _due(rate, began) <= sent:
            time.sleep(min(_TICK_S, 1 / rate))
    producer.flush(30)
    return sent


def _due(rate: int, began: float) -> int:
    return int((time.monotonic() - began) * rate)


def _appended(bootstrap: str, topic: str) -> NDArray[np.int64]:
    """Give the time of each record of a topic, of shape (partitions, offsets)."""
    options: dict[str, Any] = {"bootstrap.servers": bootstrap, "group.id": f"{topic}-reader"}
    consumer = Consumer({**options, "enable.auto.commit": False})
    places = [TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)]
    ends = [consumer.get_watermark_offsets(place, timeout=30)[1] for place in places]
    consumer.assign(places)
    times = np.zeros((PARTITIONS, max(ends)), dtype=np.int64)
    left = sum(ends)
    while left:
        for message in consumer.consume(10_000, 1.0):
            times[message.partition(), message.offset()] = message.timestamp()[1]
            left -= 1
    consumer.close()
    return times
