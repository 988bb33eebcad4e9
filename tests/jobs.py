"""The installed command as a process against a real broker, and what it left there."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import skops.io
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from prometheus_client.parser import text_string_to_metric_families
from sklearn.pipeline import Pipeline

from consumers.kafka.failures import passes

COMMAND = str(Path(sys.executable).parent / "streamfit")
TIMEOUT_S = 120.0
FEATURES = ("a", "b", "c")
SETTINGS = """
[kafka]
bootstrap_servers = "{bootstrap}"
[input]
topic = "{topic}"
group = "{group}"
[schema]
id = "id"
label = "label"
features = ["a", "b", "c"]
classes = ["down", "up"]
[[model.steps]]
use = "StandardScaler"
[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
learning_rate = "constant"
eta0 = 0.01
[output]
topic = "{predictions}"
dead_letter_topic = "{dead_letters}"
[checkpoint]
store = "file://{store}"
every = "200ms"
[metrics]
port = 0
"""


def run_command(
    *words: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **(env or {})},
    )


class Broker(Protocol):
    """What a job takes of a broker: the session's `Kafka` has it, and one inside the test."""

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""

    def unique(self, prefix: str) -> str:
        """Give a name that nothing else there has."""

    def create_topic(self, partitions: int = 1) -> str:
        """Make a topic; gives its name, a new one."""


@dataclass
class Job:
    """One model on its own topics."""

    kafka: Broker
    folder: Path
    partitions: int = 1
    group: str = ""
    topic: str = ""
    predictions: str = ""
    dead_letters: str = ""
    file: Path = field(init=False)
    _produced: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.group = self.group or self.kafka.unique("group")
        self.topic = self.topic or self.kafka.create_topic(self.partitions)
        self.predictions = self.kafka.create_topic(self.partitions)
        self.dead_letters = self.kafka.create_topic()
        self.file = self.folder / f"{self.group}.toml"
        text = SETTINGS.format(
            bootstrap=self.kafka.bootstrap_servers,
            topic=self.topic,
            group=self.group,
            predictions=self.predictions,
            dead_letters=self.dead_letters,
            store=self.folder / self.group,
        )
        self.file.write_text(text)

    def produce(self, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Append records, partition by partition in turn."""
        producer = Producer({"bootstrap.servers": self.kafka.bootstrap_servers})
        for key, value in records:
            headers: list[tuple[str, str | bytes | None]] = [("origin", b"test")]
            producer.produce(
                self.topic, value, key, self._produced % self.partitions, headers=headers
            )
            self._produced += 1
        assert producer.flush(TIMEOUT_S) == 0

    @contextlib.contextmanager
    def running(self, *words: str) -> Iterator["Running"]:
        """Start `streamfit run`; ended by kill if the block does not end it."""
        log = self.folder / f"{self.group}-{time.monotonic_ns()}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen([COMMAND, "run", str(self.file), *words], stderr=stderr)
        try:
            yield Running(process, log)
        finally:
            process.kill()
            process.wait()

    def run_until(self, offset: int, *words: str) -> str:
        """Run until so many records are committed, then end it in order; gives its log."""
        with self.running(*words) as running:
            running.address()
            self.await_committed(offset, running)
            running.stop()
            return running.log.read_text()

    def await_committed(self, records: int, running: "Running | None" = None) -> None:
        """Wait until the group has committed so many records in all."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            if sum(max(0, place.offset) for place in self.committed()) >= records:
                return
            assert running is None or running.process.poll() is None, running.log.read_text()
            time.sleep(0.02)
        raise TimeoutError(f"{records} records not committed: {self.committed()}")

    def committed(self) -> list[TopicPartition]:
        """Committed offsets of the group, with their metadata."""
        with self._consumer() as consumer:
            return self.committed_by(consumer)

    def committed_by(self, consumer: Consumer) -> list[TopicPartition]:
        """The same, asked by a consumer of the group that sees what it is to see."""
        places = [TopicPartition(self.topic, p) for p in range(self.partitions)]
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                return consumer.committed(places, timeout=TIMEOUT_S)
            except KafkaException as error:  # the coordinator of a new broker is not up yet
                if not passes(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def commit(self, offset: int, metadata: str = "") -> None:
        """Commit as something else would."""
        with self._consumer() as consumer:
            place = TopicPartition(self.topic, 0, offset, metadata)
            consumer.commit(offsets=[place], asynchronous=False)

    def read(self, topic: str) -> list[Message]:
        """Read all of a topic, partition by partition."""
        messages: list[Message] = []
        with self._consumer() as consumer:
            partitions = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic].partitions
            for partition in partitions:
                consumer.assign([TopicPartition(topic, partition, 0)])
                deadline = time.monotonic() + TIMEOUT_S
                at_end = False
                while not at_end:
                    found = consumer.consume(500, 0.2)
                    messages += [m for m in found if m.error() is None]
                    at_end = any(m.error() is not None for m in found)
                    assert time.monotonic() < deadline
        return messages

    def predicted(self) -> list[dict[str, Any]]:
        """Values of all predictions."""
        return [json.loads(message.value() or b"") for message in self.read(self.predictions)]

    def checkpoint(self, partition: int = 0) -> bytes:
        """Bytes of the checkpoint that the committed offset of a partition points to."""
        key: str = json.loads(self.committed()[partition].metadata or "")["key"]
        return (self.folder / self.group / key).read_bytes()

    def model(self, partition: int = 0) -> Pipeline:
        """The pipeline of that checkpoint, opened by skops alone."""
        with zipfile.ZipFile(io.BytesIO(self.checkpoint(partition))) as archive:
            return skops.io.loads(archive.read("model.skops"))

    @contextlib.contextmanager
    def _consumer(self) -> Iterator[Consumer]:
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka.bootstrap_servers,
                "group.id": self.group,
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
            }
        )
        try:
            yield consumer
        finally:
            consumer.close()


@dataclass
class Running:
    """A started `streamfit run`."""

    process: subprocess.Popen[bytes]
    log: Path

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it in order."""
        self.process.send_signal(number)
        assert self.process.wait(TIMEOUT_S) == 0, self.log.read_text()

    def address(self) -> str:
        """Address of its HTTP server, from its log."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            for line in self.log.read_text().splitlines():
                if "metrics on " in line:
                    found: str = json.loads(line)["message"].rpartition("metrics on ")[2]
                    return found.removesuffix("/metrics")
            time.sleep(0.02)
        raise TimeoutError(self.log.read_text())


def last_words(stderr: str) -> dict[str, Any]:
    """Give the one line of a run's log that tells what has ended it; nothing else is not JSON."""
    lines = [json.loads(line) for line in stderr.splitlines()]
    (line,) = [line for line in lines if line["event"] == "failed"]
    found: dict[str, Any] = line
    return found


def samples(text: str) -> dict[str, float]:
    """Metrics by name and labels, as `name{key=value}`."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found
