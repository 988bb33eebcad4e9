"""Finds the topic to write to, and makes it where asked."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

_ANSWER_S = 5.0
_CREATION_S = 3.0
_APPEARANCE_S = 5.0
_NAP_S = 0.1


class TopicError(Exception):
    """Kafka or the topic cannot be reached; the message is one line and names the mend."""


class LastError:
    """Remembers what a Kafka client complained of; given to it as its error callback."""

    def __init__(self) -> None:
        self.reason = ""

    def __call__(self, error: KafkaError) -> None:
        """Keep the first reason; that all brokers are down is only its consequence."""
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - public, named so by Kafka
            self.reason = self.reason or error.str()


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that is there: its name, its partitions, and a line on what differs from the wish."""

    name: str
    partitions: int
    notice: str | None = None


def find_topic(
    producer: Producer,
    name: str,
    partitions: int | None,
    config: Mapping[str, Any],
    errors: LastError,
) -> Topic:
    """Find a topic, and make it with `partitions` partitions if it is not there.

    Where no number is given, or the broker takes no admin calls, a broker that makes topics on
    use makes it with its own number.

    Parameters
    ----------
    producer : Producer
        Asks the broker.
    name : str
        The topic.
    partitions : int or None
        Wanted number of partitions.
    config : mapping
        librdkafka options of the cluster, for the admin client.
    errors : LastError
        The producer's error callback.

    Raises
    ------
    TopicError
        If the broker does not answer within 5 s, or the topic is not there and cannot be made.
    """
    known = _existing(producer, config, errors)
    refusal = None
    if name not in known and partitions is not None:
        refusal = _create(name, partitions, config)
    found = _await(producer, name, refusal)
    if partitions in (None, found):
        return Topic(name, found)
    notice = f"topic {name} has {found} partitions, not {partitions}"
    return Topic(name, found, f"{notice}: {refusal or 'it was there before and is left as it is'}")


def _existing(producer: Producer, config: Mapping[str, Any], errors: LastError) -> set[str]:
    """Names of all topics; asking for all of them makes none."""
    try:
        return set(producer.list_topics(timeout=_ANSWER_S).topics)
    except KafkaException as error:
        producer.poll(0)  # hands over why
        reason = errors.reason or error.args[0].str()
        raise TopicError(
            f"kafka.bootstrap_servers = {config['bootstrap.servers']!r}: no answer from Kafka "
            f"({reason}); is the broker up, are address and login right?"
        ) from None


def _create(name: str, partitions: int, config: Mapping[str, Any]) -> str | None:
    """Ask for a topic; returns why the broker did not make it."""
    admin = AdminClient({**config, "log_level": 0})
    topic = NewTopic(name, num_partitions=partitions)
    try:
        admin.create_topics([topic], request_timeout=_CREATION_S)[name].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return None
        return f"the broker did not make it ({error.args[0].str()})"
    return None


def _await(producer: Producer, name: str, refusal: str | None) -> int:
    """Wait until the topic has partitions; asking for it makes it, where the broker does that."""
    deadline_s = time.monotonic() + _APPEARANCE_S
    reason = refusal or ""
    while time.monotonic() < deadline_s:
        try:
            topic = producer.list_topics(name, timeout=_ANSWER_S).topics[name]
        except KafkaException as error:
            reason = error.args[0].str()
        else:
            if topic.partitions and topic.error is None:
                return len(topic.partitions)
            reason = refusal or (topic.error.str() if topic.error else reason)
        time.sleep(_NAP_S)
    mend = "create it first" if refusal else "create it, or give --partitions to have it created"
    raise TopicError(f"topic {name}: not there or not ready ({reason}); {mend}")
