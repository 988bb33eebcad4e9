"""Where a round takes place: its topics, group and store, and what Kafka tells of the group."""

import json
import time
import warnings
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers.kafka.assignments import partitions_in
from tests.brokers.kafka import Kafka
from tests.jobs import Job

REQUEST_TIMEOUT_S = 2.0
History = list[dict[int, tuple[int, int]]]
MORE_SETTINGS = """
[kafka.librdkafka]
"session.timeout.ms" = 6000
"""


class Ground:
    """One job on topics of its own, looked at from outside.

    Parameters
    ----------
    kafka : Kafka
        The broker.
    folder : Path
        Takes the settings file and the store.
    partitions : int
        Of the input and the predictions.

    Attributes
    ----------
    job : Job
        Its names.
    committed : int
        Records below the committed offsets, as last seen.
    history : list of dict
        Committed offset and epoch of each partition, each time that they had changed.
    """

    def __init__(self, kafka: Kafka, folder: Path, partitions: int) -> None:
        self.job = Job(kafka, folder, partitions)
        with self.job.file.open("a") as file:
            file.write(MORE_SETTINGS)  # the shortest that a broker allows
        self.committed = 0
        self.history: History = []
        self._options: dict[str, str | int | float | bool] = {
            "bootstrap.servers": kafka.bootstrap_servers,
            "log_level": 2,
        }
        self._consumer = Consumer(
            {
                **self._options,
                "group.id": self.job.group,
                "enable.auto.commit": False,
                # Else it would wait for the end of a dead replica's transaction.
                "isolation.level": "read_uncommitted",
            }
        )
        self._admin = AdminClient(self._options)

    @property
    def store(self) -> Path:
        """Root folder of the checkpoints."""
        return self.job.folder / self.job.group

    def sample(self) -> None:
        """Look at the committed offsets; keeps silent while the broker is away."""
        places = [TopicPartition(self.job.topic, p) for p in range(self.job.partitions)]
        try:
            found = self._consumer.committed(places, timeout=REQUEST_TIMEOUT_S)
        except KafkaException:
            return
        seen = {}
        for place in found:
            if place.offset >= 0:
                seen[place.partition] = (place.offset, json.loads(place.metadata or "")["epoch"])
        self.committed = sum(offset for offset, _ in seen.values())
        if seen and (not self.history or self.history[-1] != seen):
            self.history.append(seen)

    def offset(self, partition: int) -> int:
        """Committed offset of a partition, as last seen; 0 where there is none."""
        return self.history[-1].get(partition, (0, 0))[0] if self.history else 0

    def members(self) -> dict[str, set[int]]:
        """Ask which member of the group, by its `client.id`, has which partitions.

        A member that was killed stands here until its session ends.
        """
        # The newer call ends the process in librdkafka 2.16 where a broker goes while it is asked.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            try:
                found: Any = self._admin.list_groups(self.job.group, timeout=REQUEST_TIMEOUT_S)
            except KafkaException:
                return {}
        return {
            member.client_id: set(partitions_in(member.assignment, self.job.topic))
            for group in found
            for member in group.members
        }

    def end(self) -> int:
        """Ask how many records the input has.

        Raises
        ------
        TimeoutError
            If the broker does not tell.
        """
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                return sum(
                    self._consumer.get_watermark_offsets(
                        TopicPartition(self.job.topic, partition), timeout=REQUEST_TIMEOUT_S
                    )[1]
                    for partition in range(self.job.partitions)
                )
            except KafkaException:
                continue
        raise TimeoutError("the broker does not tell the end of the input")

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
