"""The input of a round: seeded events of every sort, written while replicas are killed."""

import json
from collections.abc import Iterator

import numpy as np
from confluent_kafka import KafkaError, Message, Producer

from tests.jobs import FEATURES

UNLABELLED, BAD, TOMBSTONES, KEYLESS = 0.05, 0.01, 0.005, 0.1
FLUSH_TIMEOUT_S = 60.0
BAD_VALUES = (
    b'{"id":"x","features":{"a":1',
    b"",
    b'{"id":"x","features":{"a":"1","b":1,"c":1},"label":"up"}',
    b'{"id":"x","features":{"a":1,"b":1},"label":"up"}',
    b'{"id":"x","features":{"a":NaN,"b":1,"c":1},"label":"up"}',
    b'{"id":"x","features":{"a":1e30,"b":1,"c":1},"label":"up"}',
    b'{"id":"x","features":{"a":1,"b":1,"c":1},"label":"sideways"}',
)
Record = tuple[int, bytes | None, bytes | None]


def records(seed: int, partitions: int) -> Iterator[Record]:
    """Give partition, key and value of one record after the other, without end.

    The label follows a line that turns slowly; most records have one.
    """
    random = np.random.default_rng(seed)
    number = 0
    while True:
        X = random.normal(size=(256, 3)) * [1.0, 50.0, 0.01] + [0.0, 1000.0, 0.0]
        where = random.integers(partitions, size=256).tolist()
        luck = random.random((256, 2)).tolist()
        for x, partition, (sort, keyed) in zip(X.tolist(), where, luck, strict=True):
            key = None if keyed < KEYLESS else f"k{number % 7}".encode()
            yield partition, key, _value(number, x, sort)
            number += 1


def _value(number: int, x: list[float], sort: float) -> bytes | None:
    if sort < TOMBSTONES:
        return None
    if sort < TOMBSTONES + BAD:
        return BAD_VALUES[number % len(BAD_VALUES)]
    event: dict[str, object] = {
        "id": f"e{number}",
        "features": dict(zip(FEATURES, x, strict=True)),
    }
    if sort >= TOMBSTONES + BAD + UNLABELLED:
        angle = number / 5000
        side = x[0] * np.cos(angle) + (x[1] - 1000) / 50 * np.sin(angle)
        event["label"] = "up" if side > 0 else "down"
    return json.dumps(event).encode()


class Traffic:
    """Writes records at a rate, and waits while too many are not committed yet.

    Parameters
    ----------
    bootstrap_servers : str
        The broker.
    topic : str
        The input topic.
    partitions : int
        Its partitions.
    seed : int
        Decides every record.
    rate : float
        Records a second.
    backlog : int
        Most records beyond the committed ones.

    Attributes
    ----------
    sent : int
        Records written so far.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        partitions: int,
        seed: int,
        rate: float,
        backlog: int = 2000,
    ) -> None:
        self.sent = 0
        self._topic = topic
        self._records = records(seed, partitions)
        self._rate, self._backlog = rate, backlog
        self._due = 0.0
        self._at_s: float | None = None
        self._failed: list[str] = []
        # Idempotent: a broker that is killed and comes back must neither lose nor repeat input.
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 1,
                "log_level": 2,
            }
        )

    def pump(self, now_s: float, committed: int) -> None:
        """Write what is due at this time."""
        past_s = 0.0 if self._at_s is None else now_s - self._at_s
        self._at_s = now_s
        room = self._backlog - (self.sent - committed)
        self._due = min(self._due + past_s * self._rate, float(max(0, room)))
        for _ in range(int(self._due)):
            self.write()
        self._due -= int(self._due)
        self._producer.poll(0)

    def write(self) -> None:
        """Write the next record."""
        partition, key, value = next(self._records)
        self._producer.produce(self._topic, value, key, partition, on_delivery=self._delivered)
        self.sent += 1

    def end(self) -> None:
        """Write no more, and wait until every record is there.

        Raises
        ------
        TimeoutError
            If one is not.
        """
        self._rate = 0.0
        left = self._producer.flush(FLUSH_TIMEOUT_S)
        if left or self._failed:
            raise TimeoutError(f"input: {left} records not written, refused: {self._failed[:3]}")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed.append(error.str())
