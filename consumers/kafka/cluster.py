"""What a Kafka cluster says of its topics: asked once at the start, and by `check`."""

import logging
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AclOperation,
    AdminClient,
    ConfigResource,
)

from consumers.errors import KafkaUnreachableError, SettingsError
from consumers.kafka.config import producer_config
from consumers.kafka.failures import Complaints
from consumers.kafka.membership import Coordinator

_log = logging.getLogger("streamfit.cluster")
TIMEOUT_S = 8.0
DEFAULT_MAX_BYTES = 1_048_588
# The embedded broker's cluster id begins so. It knows no admin calls, and says so only by silence.
_MOCK = "mockCluster"


class Cluster:
    """Asks a cluster about its topics.

    Parameters
    ----------
    config : mapping
        Client options, `bootstrap.servers` among them.

    Attributes
    ----------
    embedded : bool
        Whether it is librdkafka's mock cluster; known once `partitions` has asked.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._address = config["bootstrap.servers"]
        self._complaints = Complaints("")
        self.embedded = False
        self._options: dict[str, Any] = {**producer_config(config), "error_cb": self._complaints}
        try:
            self._admin = AdminClient(self._options, logger=_log)
        except KafkaException as error:  # an option that librdkafka does not know, or its value
            raise SettingsError(
                f"kafka.librdkafka: {error.args[0].str()}; mend or remove it"
            ) from None

    def partitions(self) -> dict[str, int]:
        """Give the number of partitions of every topic.

        Raises
        ------
        KafkaUnreachableError
            If no broker answers.
        """
        try:
            found = self._admin.list_topics(timeout=TIMEOUT_S)
        except KafkaException as error:
            self._admin.poll(0)  # hands over why
            why = self._complaints.last or error.args[0].str()
            raise KafkaUnreachableError(
                f"kafka.bootstrap_servers = {self._address!r}: no answer from Kafka ({why}); "
                "is the broker up, are address and login right?"
            ) from None
        self.embedded = str(found.cluster_id).startswith(_MOCK)
        return {name: len(topic.partitions) for name, topic in found.topics.items()}

    def partitions_of(self, wanted: Mapping[str, str]) -> dict[str, int]:
        """Give the number of partitions of some topics.

        Parameters
        ----------
        wanted : mapping of str to str
            Settings key to the topic that it names.

        Raises
        ------
        KafkaUnreachableError
            If one of them is not there.
        """
        there = self.partitions()
        missing = [
            f"{key} = {topic!r}: no such topic; create it, for example with "
            f"`kafka-topics.sh --create --topic {topic} --partitions 1`"
            for key, topic in wanted.items()
            if topic not in there
        ]
        if missing:
            raise KafkaUnreachableError("\n".join(missing))
        return {topic: there[topic] for topic in wanted.values()}

    def topic_id(self, topic: str) -> str | None:
        """Give the id of a topic; None where the broker cannot tell it."""
        described = self._describe(topic)
        return None if described is None else str(described.topic_id)

    def may_write(self, topic: str) -> bool | None:
        """Tell whether this login may write to a topic; None where the broker cannot tell."""
        described = self._describe(topic)
        if described is None or not described.authorized_operations:
            return None
        return AclOperation.WRITE in described.authorized_operations

    def max_message_bytes(self, topic: str) -> int:
        """Give the largest record that a topic takes; Kafka's default where nobody tells."""
        if self.embedded:
            return DEFAULT_MAX_BYTES
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        try:
            asked = self._admin.describe_configs([resource], request_timeout=TIMEOUT_S)
            return int(asked[resource].result(TIMEOUT_S)["max.message.bytes"].value)
        except (KafkaException, TimeoutError, KeyError, TypeError, ValueError) as error:
            _log.info("max.message.bytes of %s is not told: %s", topic, error)
            return DEFAULT_MAX_BYTES

    def coordinator_of(self, group: str) -> Coordinator:
        """Give what asks who is in a group; it connects by itself."""
        return Coordinator(lambda: AdminClient(self._options, logger=_log), group)

    def _describe(self, topic: str) -> Any:
        if self.embedded:
            return None
        try:
            asked = self._admin.describe_topics(
                TopicCollection([topic]),
                include_authorized_operations=True,
                request_timeout=TIMEOUT_S,
            )
            return asked[topic].result(TIMEOUT_S)
        except (KafkaException, TimeoutError) as error:
            _log.info("topic %s cannot be described: %s", topic, error)
            return None
