"""What is seen of a job from outside while its brokers fail: its probes, and committed offsets.

Also writes its input, at a steady rate; what must be true of all that is not decided here.
"""

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.chaos.ground import History
from tests.chaos.traffic import Traffic
from tests.jobs import Job, Running

RATE = 100.0  # records a second
SEED = 28
TICK_S, LOOK_S = 0.02, 0.1
PROBE_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """What the probes of a process said at one moment; silent ones say no."""

    time_s: float
    live: bool
    ready: bool


class Lookout:
    """Feeds a job, and watches one of its processes.

    Parameters
    ----------
    job : Job
        The job.

    Attributes
    ----------
    watched : Running or None
        The process whose probes are asked.
    looks : list of Look
        What they said.
    history : list of dict
        Committed offset and epoch of each partition, each time that they had changed.
    committed : int
        Records below the committed offsets, as last seen.
    traffic : Traffic
        Writes the input.
    """

    def __init__(self, job: Job) -> None:
        self.watched: Running | None = None
        self.looks: list[Look] = []
        self.history: History = []
        self.committed = 0
        address = job.kafka.bootstrap_servers
        self.traffic = Traffic(address, job.topic, job.partitions, SEED, RATE, backlog=100_000)
        self._places = [TopicPartition(job.topic, p) for p in range(job.partitions)]
        self._ending = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": job.group,
                "enable.auto.commit": False,
                # Else it would wait for the end of an open transaction.
                "isolation.level": "read_uncommitted",
                "socket.timeout.ms": 3000,
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,
            }
        )

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Write and watch while the block lasts."""
        tasks = ((self._pump, TICK_S), (self._look, LOOK_S), (self._sample, LOOK_S))
        threads = [threading.Thread(target=self._repeat, args=each, daemon=True) for each in tasks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ending.set()
            for thread in threads:
                thread.join()
            self._consumer.close()

    def unready_s(self, since_s: float) -> float | None:
        """Tell after how many seconds the process was not ready for the first time."""
        red = (look.time_s for look in self.looks if not look.ready and look.time_s >= since_s)
        first = next(red, None)
        return None if first is None else first - since_s

    def _repeat(self, task: Callable[[], None], every_s: float) -> None:
        while not self._ending.wait(every_s):
            task()

    def _pump(self) -> None:
        self.traffic.pump(time.monotonic(), self.committed)

    def _look(self) -> None:
        watched = self.watched
        if watched is None:
            return
        live, ready = (is_green(watched, path) for path in ("/livez", "/readyz"))
        if self.watched is watched:  # still so
            self.looks.append(Look(time.monotonic(), live, ready))

    def _sample(self) -> None:
        try:
            found = self._consumer.committed(self._places, timeout=REQUEST_TIMEOUT_S)
        except KafkaException:  # nobody answers
            return
        seen = {
            place.partition: (place.offset, json.loads(place.metadata or "")["epoch"])
            for place in found
            if place.offset >= 0
        }
        if seen and (not self.history or self.history[-1] != seen):
            self.history.append(seen)
            self.committed = sum(offset for offset, _ in seen.values())


def is_green(running: Running, path: str) -> bool:
    """Ask a probe; one that does not answer says no."""
    try:
        with urllib.request.urlopen(running.address() + path, timeout=PROBE_TIMEOUT_S):
            return True
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False
    except OSError:
        return False
