"""What a Kafka cluster says of its topics: asked once at the start, and by `check`."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AclOperation,
    AdminClient,
    ConfigResource,
)

from consumers.errors import KafkaUnreachableError
from consumers.kafka.config import producer_config
from consumers.kafka.coordinator import Coordinator
from consumers.kafka.failures import LATER, Complaints, making_a_client
from consumers.kafka.refusals import why_refused
from metrics.events import TOPIC_NOT_DESCRIBED

_log = logging.getLogger("streamfit.cluster")
TIMEOUT_S = 8.0
# While it asks, the client tells nobody why it gets no answer: so it asks in short turns.
TURN_S = 1.0
NAP_S = 0.1
# After this without an answer, and without a reason, it is asked at the port itself.
PATIENCE_S = 2.0
# A broker that is starting, or a proxy before it, hangs up as one does that wants another protocol.
GUESS_S = 5.0
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
        self._complaints = Complaints("")
        self.embedded = False
        self._options: dict[str, Any] = {**producer_config(config), "error_cb": self._complaints}
        with making_a_client():
            self._admin = AdminClient(self._options, logger=_log)

    def partitions(self) -> dict[str, int]:
        """Give the number of partitions of every topic.

        Raises
        ------
        KafkaUnreachableError
            If no broker answers.
        """
        found = _metadata(self._admin, self._options, self._complaints)
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
            If one of them is not there or has no partitions, or this login may not see it.
        """
        there = self.partitions()
        problems = [self.problem(key, topic, there.get(topic)) for key, topic in wanted.items()]
        if any(problems):
            raise KafkaUnreachableError("\n".join(filter(None, problems)))
        return {topic: there[topic] for topic in wanted.values()}

    def problem(self, key: str, topic: str, count: int | None) -> str | None:
        """Give the line for a topic that nothing can be read from or written to.

        Parameters
        ----------
        key : str
            Settings key that names it.
        topic : str
            The topic.
        count : int or None
            Number of its partitions; None where it was not told.
        """
        if count == 0:  # it is just being made or deleted
            return f"{key} = {topic!r}: no partitions; create the topic, or name another"
        return self._missing(key, topic) if count is None else None

    def _missing(self, key: str, topic: str) -> str:
        """Give the line for a topic that was not told: there is none, or it is hidden from us."""
        right = "READ" if key.startswith("input.") else "WRITE"
        try:
            self._asked(topic)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return f"{key} = {topic!r}: this login may not see it; grant {right} on the topic"
        except TimeoutError:
            pass
        return (
            f"{key} = {topic!r}: no such topic; create it, for example with "
            f"`kafka-topics.sh --create --topic {topic} --partitions 1`"
        )

    def topic_id(self, topic: str) -> str | None:
        """Give the id of a topic; None where the broker cannot tell it."""
        described = self._describe(topic)
        return None if described is None else str(described.topic_id)

    def may_write(self, topic: str) -> bool | None:
        """Tell whether this login may write to a topic; None where the broker cannot tell."""
        return self._may(AclOperation.WRITE, topic)

    def may_read(self, topic: str) -> bool | None:
        """Tell whether this login may read a topic; None where the broker cannot tell."""
        return self._may(AclOperation.READ, topic)

    def _may(self, operation: AclOperation, topic: str) -> bool | None:
        described = self._describe(topic)
        if described is None or not described.authorized_operations:
            return None
        return operation in described.authorized_operations

    def max_message_bytes(self, topic: str) -> int:
        """Give the largest record that a topic takes; Kafka's default where nobody tells."""
        if self.embedded:
            return DEFAULT_MAX_BYTES
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        try:
            asked = self._admin.describe_configs([resource], request_timeout=TIMEOUT_S)
            return int(asked[resource].result(TIMEOUT_S)["max.message.bytes"].value)
        except (KafkaException, TimeoutError, KeyError, TypeError, ValueError) as error:
            _log.info(
                "max.message.bytes of %s is not told: %s",
                topic,
                error,
                extra=TOPIC_NOT_DESCRIBED(topic=topic),
            )
            return DEFAULT_MAX_BYTES

    def coordinator_of(self, group: str) -> Coordinator:
        """Give what asks who is in a group; it connects by itself."""

        def connect() -> AdminClient:
            with making_a_client(LATER):
                return AdminClient(self._options, logger=_log)

        return Coordinator(connect, group)

    def _describe(self, topic: str) -> Any:
        if self.embedded:
            return None
        try:
            return self._asked(topic)
        except (KafkaException, TimeoutError) as error:
            _log.info(
                "topic %s cannot be described: %s",
                topic,
                error,
                extra=TOPIC_NOT_DESCRIBED(topic=topic),
            )
            return None

    def _asked(self, topic: str) -> Any:
        if self.embedded:
            return None
        asked = self._admin.describe_topics(
            TopicCollection([topic]),
            include_authorized_operations=True,
            request_timeout=TIMEOUT_S,
        )
        return asked[topic].result(TIMEOUT_S)


def require_rights(cluster: Cluster, wanted: Mapping[str, str]) -> None:
    """See that this login may read the input, and write all other topics.

    Parameters
    ----------
    cluster : Cluster
        Tells what this login may do.
    wanted : mapping of str to str
        Settings key to the topic that it names.

    Raises
    ------
    KafkaUnreachableError
        If a right is missing.
    """
    problems = []
    for key, topic in wanted.items():
        reads = key.startswith("input.")
        if (cluster.may_read if reads else cluster.may_write)(topic) is False:
            verb, right = ("read", "READ") if reads else ("write to", "WRITE")
            problems.append(
                f"{key} = {topic!r}: this login may not {verb} it; grant {right} on the topic"
            )
    if problems:
        raise KafkaUnreachableError("\n".join(problems))


def _metadata(admin: AdminClient, options: Mapping[str, Any], complaints: Complaints) -> Any:
    began = time.monotonic()
    while True:
        try:
            return admin.list_topics(timeout=TURN_S)
        except KafkaException as error:
            admin.poll(0)  # hands over why
            waited_s = time.monotonic() - began
            if complaints.is_refusal or waited_s > PATIENCE_S:
                may_guess = waited_s > GUESS_S
                reason = why_refused(options, complaints.error, may_guess=may_guess)
                if reason is not None:
                    raise KafkaUnreachableError(reason) from None
            if waited_s > TIMEOUT_S:
                why, servers = complaints.last or error.args[0].str(), options["bootstrap.servers"]
                raise KafkaUnreachableError(
                    f"kafka.bootstrap_servers = {servers!r}: no answer from Kafka ({why}); "
                    "is the broker up, are address and login right?"
                ) from None
        time.sleep(NAP_S)  # where no broker is left, the client answers at once
