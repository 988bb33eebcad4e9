"""A consumer group seen from outside: who is in it, what it has committed, and a commit for it.

Joins nothing. The commit is the one that `models rollback` needs; the running program's own is in
`epochs`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers.errors import FencedError, KafkaUnreachableError
from consumers.kafka.consumer import Consumer
from consumers.kafka.failures import Complaints, ending, making_a_client
from consumers.kafka.positions import TIMEOUT_S, committed_of
from consumers.kafka.source import Committed

_log = logging.getLogger("streamfit.group")
# What a broker answers to a commit from outside while the group has a member, of either protocol.
_NOT_EMPTY = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
}
_STOP_THEM = (
    "stop what runs and try again (a static member, one with an instance, stays a member until its "
    "session timeout, even when it has left in order)"
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a group, as the broker tells it."""

    id: str
    instance: str | None
    host: str

    def __str__(self) -> str:
        instance = f", instance {self.instance}" if self.instance else ""
        return f"member {self.id}{instance}, host {self.host.lstrip('/')}"


class GroupOffsets:
    """Tells, and moves, where a group stands in a topic: `Positions`, and a commit.

    Parameters
    ----------
    config : mapping
        Options of a consumer, `group.id` among them.
    topic : str
        The input topic.
    partitions : sequence of int
        Those of the model.
    topic_id : str or None
        The broker's id of the topic.

    Raises
    ------
    SettingsError
        If librdkafka does not take an option.
    """

    def __init__(
        self, config: Mapping[str, Any], topic: str, partitions: Sequence[int], topic_id: str | None
    ) -> None:
        self._group = config["group.id"]
        self._topic = topic
        self._partitions = partitions
        self._topic_id = topic_id
        self._complaints = Complaints(topic)
        with making_a_client():
            self._consumer = Consumer(config, self._complaints, _log)

    def topic_id(self) -> str | None:
        """Give the broker's id of the topic; None where it cannot tell."""
        return self._topic_id

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed, partition by partition.

        Raises
        ------
        KafkaUnreachableError
            If Kafka does not tell.
        """
        try:
            return committed_of(self._consumer, self._topic, self._partitions)
        except KafkaException as error:
            raise self._unanswered(error) from None

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last.

        Raises
        ------
        KafkaUnreachableError
            If Kafka does not tell.
        """
        place = TopicPartition(self._topic, partition)
        try:
            return self._consumer.get_watermark_offsets(place, TIMEOUT_S)
        except KafkaException as error:
            raise self._unanswered(error) from None

    def commit(self, next_offsets: Mapping[int, int], metadata: str) -> None:
        """Commit for a group without members, each offset with the same string, in one request.

        Raises
        ------
        FencedError
            If the group has a member: then nothing is changed.
        KafkaUnreachableError
            If Kafka refuses, or does not answer: then it may be changed in part or in whole.
        """
        places = [
            TopicPartition(self._topic, partition, offset, metadata)
            for partition, offset in sorted(next_offsets.items())
        ]
        try:
            done = self._consumer.commit(places)
        except KafkaException as error:
            if error.args[0].code() in _NOT_EMPTY:
                raise FencedError(
                    f"input.group = {self._group!r}: a member came meanwhile, and nothing is "
                    f"changed; {_STOP_THEM}"
                ) from None
            raise self._unanswered(error) from None
        for place in done:
            if place.error is not None:
                raise KafkaUnreachableError(
                    f"committed offset of partition {place.partition}: {place.error.str()}; "
                    "run it again"
                )

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _unanswered(self, error: KafkaException) -> KafkaUnreachableError:
        refused = ending(error.args[0], self._topic)
        if isinstance(refused, KafkaUnreachableError):  # a right is missing, or the topic
            return refused
        why = self._complaints.last or error.args[0].str()
        return KafkaUnreachableError(
            f"input.group = {self._group!r}: no answer from Kafka ({why}); is the broker up, and "
            "may this login read the group? If a process was killed in a transaction: try again "
            "when that has timed out"
        )


def require_empty(config: Mapping[str, Any], group: str) -> None:
    """See that a group has no members.

    Parameters
    ----------
    config : mapping
        Options of any client of the cluster.
    group : str
        The group.

    Raises
    ------
    FencedError
        If it has; names them.
    KafkaUnreachableError
        If Kafka does not tell.
    """
    found = members_of(config, group)
    if found:
        named = "; ".join(map(str, found))
        raise FencedError(f"input.group = {group!r}: has members ({named}); {_STOP_THEM}")


def members_of(config: Mapping[str, Any], group: str) -> list[Member]:
    """Ask who is in a group; empty where there is no such group.

    Raises
    ------
    KafkaUnreachableError
        If Kafka does not tell.
    """
    with making_a_client():
        admin = AdminClient(dict(config), logger=_log)
    try:
        asked = admin.describe_consumer_groups([group], request_timeout=TIMEOUT_S)
        described = asked[group].result(TIMEOUT_S)
    except (KafkaException, TimeoutError) as error:
        code = error.args[0].code() if isinstance(error, KafkaException) else None
        if code == KafkaError.GROUP_ID_NOT_FOUND:
            return []
        if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise KafkaUnreachableError(
                f"input.group = {group!r}: this login may not see the group; grant READ on it"
            ) from None
        raise KafkaUnreachableError(
            f"input.group = {group!r}: its members cannot be told ({error}); is the broker up?"
        ) from None
    return [
        Member(member.member_id, member.group_instance_id, member.host)
        for member in described.members
    ]
