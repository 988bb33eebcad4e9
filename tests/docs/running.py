"""`streamfit run` as a page starts it: behind the other commands, until told to stop.

`python -m tests.docs.running run my.toml ...` returns once the run is ready and has learned
all that is there, or, if it ends before that, prints what it said and gives its exit code.
`stopping` ends what was started.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers.errors import SettingsError
from consumers.settings import Settings, load
from tests.docs.pages import COMMAND
from tests.docs.stopping import LOG, PIDS, TIMEOUT_S, lives, started


class Started(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its id."""

    def poll(self) -> int | None:
        """Give its exit code; None while it runs."""


def _command(words: list[str], log: int) -> Started:
    return subprocess.Popen([COMMAND, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def start(words: list[str], launch: Callable[[list[str], int], Started] = _command) -> int:
    """Start a run and wait until it has caught up; gives an exit code."""
    # Beside another one it stands by; alone it does so for a moment, and then runs or refuses to.
    wanted = "" if any(map(lives, started())) else "running"
    with LOG.open("ab") as log:
        began = log.tell()
        process = launch(words, log.fileno())
    with PIDS.open("a") as pids:
        pids.write(f"{process.pid}\n")
    settings = _settings(words)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            sys.stderr.write(LOG.read_text()[began:])
            return code
        if settings is not None and _ready(settings, wanted) and _caught_up(settings):
            return 0
        time.sleep(0.1)
    sys.stderr.write(LOG.read_text()[began:])
    return 1


def _settings(words: list[str]) -> Settings | None:
    """Give the settings of a run; None where they are wrong, which it tells itself."""
    try:
        return load(Path(words[1]), [word for word in words[2:] if word != "--set"])
    except SettingsError:
        return None


def _ready(settings: Settings, wanted: str) -> bool:
    address = f"http://{settings.metrics.host}:{settings.metrics.port}/readyz"
    try:
        with urlopen(address, timeout=5.0) as answer:
            return bool(answer.status == 200) and wanted in answer.read().decode()
    except (URLError, OSError):
        return False


def _caught_up(settings: Settings) -> bool:
    """Tell whether the group has committed all that is in its topic."""
    topic, group = settings.input.topic, settings.input.group
    admin = AdminClient(settings.kafka.client_config())
    asked = [ConsumerGroupTopicPartitions(group)]
    found = admin.list_consumer_group_offsets(asked)[group].result(TIMEOUT_S)
    committed = {p.partition: p.offset for p in found.topic_partitions or [] if p.topic == topic}
    consumer = Consumer({**settings.kafka.client_config(), "group.id": f"{group}-watermarks"})
    try:
        partitions = consumer.list_topics(topic, TIMEOUT_S).topics[topic].partitions
        ends = {
            partition: consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)
            for partition in partitions
        }
    finally:
        consumer.close()
    return all(committed.get(partition, -1) == end[1] for partition, end in ends.items())


if __name__ == "__main__":
    sys.exit(start(sys.argv[1:]))
