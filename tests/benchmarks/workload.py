"""What every contestant works on: Elec2, again and again, in one topic of four partitions.

Event number n stands in partition n % 4 at offset n // 4, so that where a prediction comes from
tells which row it is of.
"""

import itertools
import json
import time
from collections.abc import Iterator

import numpy as np
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from numpy.typing import NDArray

from producers.elec2 import CLASSES, FEATURES, ROWS, Elec2

PARTITIONS = 4
TIMEOUT_S = 60.0
FIRST_MS = 1_700_000_000_000
_CHUNK = 10_000


def rows() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give the features, of shape (45312, 8), and the class of each row, 1 for `UP`."""
    columns = list(zip(*Elec2(), strict=True))
    X = np.array(columns[1:-1], dtype=np.float64).T.copy()
    return X, np.array([CLASSES.index(label) for label in columns[-1]], dtype=np.int64)


def row_of(partitions: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the row of Elec2 that stands at each place."""
    return (offsets * PARTITIONS + partitions) % ROWS


def values(count: int, first: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Give key and value of so many events, from number `first` on."""
    tails = [
        json.dumps(
            {"features": dict(zip(FEATURES, row[1:-1], strict=True)), "label": row[-1]},
            separators=(",", ":"),
        )[1:]
        for row in Elec2()
    ]
    for number in range(first, first + count):
        key = f"e{number}"
        head = f'{{"id":"{key}","ts":{FIRST_MS + number},'
        yield key.encode(), (head + tails[number % ROWS]).encode()


def create_topic(
    bootstrap: str, name: str, partitions: int = PARTITIONS, **config: str | int
) -> None:
    """Make a topic, and wait until each partition has a leader; `_` stands for `.` in settings."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    settings = {key.replace("_", "."): str(value) for key, value in config.items()}
    topic = NewTopic(name, partitions, config=settings)
    admin.create_topics([topic], request_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        known = admin.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions
        if len(known) == partitions and all(each.leader >= 0 for each in known.values()):
            return
    raise TimeoutError(f"topic {name} has no leader after {TIMEOUT_S:.0f} s")


def delete_topics(bootstrap: str, *names: str) -> None:
    """Delete topics, so that the disk does not fill while the others run."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 2})
    for deleted in admin.delete_topics(list(names)).values():
        deleted.result(TIMEOUT_S)


def fill(bootstrap: str, topic: str, count: int) -> None:
    """Send so many events, and wait until all are there.

    Raises
    ------
    RuntimeError
        If any of them failed.
    """
    failures: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "compression.type": "lz4",
            "enable.idempotence": True,
            "queue.buffering.max.messages": 1_000_000,
            "on_delivery": lambda error, _: failures.append(str(error)) if error else None,
            "delivery.report.only.error": True,
        }
    )
    events = enumerate(values(count))
    while chunk := list(itertools.islice(events, _CHUNK)):
        for number, (key, value) in chunk:
            while True:
                try:
                    producer.produce(topic, value, key, number % PARTITIONS)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    if producer.flush(TIMEOUT_S) or failures:
        raise RuntimeError(f"{topic} could not be filled: {failures[:1]}")
