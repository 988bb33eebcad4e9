"""Asks Kafka what the doctor wants to know. Every question is bounded; nothing is changed."""

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from functools import cached_property
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # all of them are public
    AdminClient,
    ConfigResource,
    OffsetSpec,
)

from consumers.doctor.facts import (
    HIDDEN,
    BrokerFacts,
    Configs,
    GroupFacts,
    MemberFacts,
    PartitionFacts,
    PlaceFacts,
    TopicFacts,
)
from consumers.kafka.cluster import Cluster
from consumers.kafka.config import client_config, consumer_config, producer_config
from consumers.kafka.group_offsets import GroupOffsets
from consumers.settings import Settings

_log = logging.getLogger("streamfit.doctor")
TIMEOUT_S = 8.0
# For the first record that is not read of every partition.
READ_S = 4.0
_INTERNAL = ("__consumer_offsets", "__transaction_state")


class Asking:
    """Asks one cluster about the topics and the group of the settings.

    Parameters
    ----------
    settings : Settings

    Raises
    ------
    SettingsError
        If librdkafka does not take an option, or a file with a secret cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._options = client_config(settings)
        self._cluster = Cluster(self._options)

    @cached_property
    def there(self) -> dict[str, int]:
        """Number of partitions of every topic.

        Raises
        ------
        KafkaUnreachableError
            If no broker answers.
        """
        return self._cluster.partitions()

    @property
    def embedded(self) -> bool:
        """Whether it is librdkafka's mock cluster, which knows no admin calls."""
        return self.there != {} and self._cluster.embedded

    @cached_property
    def _admin(self) -> AdminClient:
        return AdminClient(dict(producer_config(self._options)), logger=_log)

    def broker(self) -> BrokerFacts:
        """Ask the cluster about itself."""
        address, there = self._settings.kafka.bootstrap_servers, self.there
        if self.embedded:
            return BrokerFacts(address, embedded=True, brokers=0, controller=None)
        found = _answer(self._admin.describe_cluster(request_timeout=TIMEOUT_S))
        nodes = [int(node.id) for node in found.nodes or ()] if found is not None else []
        controller = found.controller.id if found is not None and found.controller else None
        kind = ConfigResource.Type.BROKER
        return BrokerFacts(
            address=address,
            brokers=len(nodes),
            controller=controller,
            configs=self._configs(kind, str(nodes[0])) if nodes else None,
            internal_topics=frozenset(there).intersection(_INTERNAL),
        )

    def topics(self) -> list[TopicFacts]:
        """Ask about the topics of the settings that are there."""
        wanted = {k: name for k, name in self._settings.topics.items() if name in self.there}
        return [self._topic(key, name) for key, name in wanted.items()]

    def group(self) -> GroupFacts | None:
        """Ask who is in the group; None where the broker does not answer that."""
        if self.embedded:
            return None
        group, topic = self._settings.input.group, self._settings.input.topic
        asked = self._admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=TIMEOUT_S
        )
        found = _answer(asked[group])
        if found is None:
            return GroupFacts(HIDDEN, operations=frozenset()) if _is_hidden(asked[group]) else None
        members = tuple(_member(each, topic) for each in found.members)
        operations = _names(found.authorized_operations)
        return GroupFacts(found.state.name.lower(), members, operations, self._similar(group))

    def place(self) -> PlaceFacts:
        """Ask where the group stands, and how old the first record is that it has not read.

        Raises
        ------
        KafkaUnreachableError
            If Kafka does not tell.
        """
        topic = self._settings.input.topic
        config = self._reader()
        with closing(GroupOffsets(config, topic, range(self.there[topic]), None)) as offsets:
            committed = offsets.committed()
            bounds = {partition: offsets.bounds(partition) for partition in committed}
        facts = PlaceFacts(committed, bounds)
        behind = {
            p: max(place.offset, bounds[p][0])
            for p, place in committed.items()
            if place.offset is not None and facts.lag(p)
        }
        return PlaceFacts(committed, bounds, _times(config, topic, behind) if behind else {})

    def newest_ms(self) -> int | None:
        """Ask for the largest time among the input's records; None where none is told."""
        topic = self._settings.input.topic
        if self.embedded or topic not in self.there:
            return None
        newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]  # its package lacks it
        wanted = {TopicPartition(topic, p): newest for p in range(self.there[topic])}
        asked = self._admin.list_offsets(wanted, request_timeout=TIMEOUT_S)
        answers = [_answer(each) for each in asked.values()]
        return max(
            (a.timestamp for a in answers if a is not None and a.timestamp > 0), default=None
        )

    def _topic(self, key: str, name: str) -> TopicFacts:
        if self.embedded:
            count = self.there[name]
            return TopicFacts(key, name, tuple(PartitionFacts(p, 1, 1, 1) for p in range(count)))
        asked = self._admin.describe_topics(
            TopicCollection([name]), include_authorized_operations=True, request_timeout=TIMEOUT_S
        )
        found = _answer(asked[name])
        told = [] if found is None else found.partitions
        partitions = tuple(
            PartitionFacts(p.id, p.leader.id if p.leader else None, len(p.replicas), len(p.isr))
            for p in told
        )
        operations = None if found is None else _names(found.authorized_operations)
        configs = self._configs(ConfigResource.Type.TOPIC, name)
        return TopicFacts(key, name, partitions, configs, operations)

    def _configs(self, kind: Any, name: str) -> Configs | None:
        resource = ConfigResource(kind, name)
        asked = self._admin.describe_configs([resource], request_timeout=TIMEOUT_S)
        found = _answer(asked[resource])
        return None if found is None else {key: entry.value for key, entry in found.items()}

    def _similar(self, group: str) -> tuple[str, ...]:
        """Give groups whose transactional ids could be those of this group."""
        found = _answer(self._admin.list_consumer_groups(request_timeout=TIMEOUT_S))
        names = [] if found is None else [each.group_id for each in found.valid]
        return tuple(
            sorted(n for n in names if n.startswith(f"{group}-") or group.startswith(f"{n}-"))
        )

    def _reader(self) -> dict[str, Any]:
        config = consumer_config(self._options, self._settings.input.group, None)
        # Only looked at: an open transaction, which may yet move the offsets, is not waited for.
        return {**config, "isolation.level": "read_uncommitted"}


def _times(config: Mapping[str, Any], topic: str, offsets: Mapping[int, int]) -> dict[int, int]:
    """Read one record of each partition, as no member of any group."""
    small = {"queued.min.messages": 1, "queued.max.messages.kbytes": 1024}
    found: dict[int, int] = {}
    with closing(Consumer({**config, **small}, logger=_log)) as consumer:
        consumer.assign([TopicPartition(topic, p, offset) for p, offset in offsets.items()])
        deadline = time.monotonic() + READ_S
        while len(found) < len(offsets) and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            partition = None if message is None else message.partition()
            if message is None or message.error() or partition is None or partition in found:
                continue
            found[partition] = int(message.timestamp()[1])
            consumer.pause([TopicPartition(topic, partition)])
    return found


def _answer(asked: "Future[Any]") -> Any:
    """Wait for an answer; None where there is none, or it is a refusal."""
    try:
        return asked.result(TIMEOUT_S + 1)
    except (KafkaException, TimeoutError) as error:
        _log.info("not told: %s", error)
        return None


def _is_hidden(asked: "Future[Any]") -> bool:
    """Tell whether an answer was refused for want of DESCRIBE, which any other right implies."""
    error = asked.exception() if asked.done() else None
    if not isinstance(error, KafkaException):
        return False
    return bool(error.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED)


def _names(operations: Any) -> frozenset[str] | None:
    return None if not operations else frozenset(each.name for each in operations)


def _member(told: Any, topic: str) -> MemberFacts:
    owned = told.assignment.topic_partitions if told.assignment else ()
    return MemberFacts(
        id=told.member_id,
        instance=told.group_instance_id or None,
        client=told.client_id,
        host=told.host,
        partitions=tuple(sorted(p.partition for p in owned if p.topic == topic)),
    )
