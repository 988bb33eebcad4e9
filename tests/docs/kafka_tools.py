"""Kafka's command line tools, as far as the documentation names them, by this project's client.

Options are those of Kafka's own tools, and any other is refused. A consumer ends at the end of the
topic, where Kafka's waits for more. Run as `python -m tests.docs.kafka_tools kafka-topics.sh ...`.
"""

import argparse
import sys
from collections.abc import Sequence

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

TIMEOUT_S = 30.0


def topics(words: Sequence[str]) -> None:
    """Make, list or describe topics."""
    parser = _parser("kafka-topics.sh")
    what = parser.add_mutually_exclusive_group(required=True)
    for action in ("--create", "--list", "--describe"):
        what.add_argument(action, action="store_true")
    parser.add_argument("--topic")
    parser.add_argument("--partitions", type=int, default=1)
    parser.add_argument("--replication-factor", type=int, default=-1)
    parser.add_argument("--config", action="append", default=[])
    parser.add_argument("--if-not-exists", action="store_true")
    given = parser.parse_args(words)
    admin = AdminClient({"bootstrap.servers": given.bootstrap_server})
    known = admin.list_topics(timeout=TIMEOUT_S).topics
    if given.list:
        _tell("\n".join(sorted(known)))
    elif given.describe:
        _tell(f"Topic: {given.topic}\tPartitionCount: {len(known[given.topic].partitions)}")
    elif given.topic not in known or not given.if_not_exists:
        config = dict(pair.split("=", 1) for pair in given.config)
        topic = NewTopic(given.topic, given.partitions, given.replication_factor, config=config)
        admin.create_topics([topic])[given.topic].result(TIMEOUT_S)
        _tell(f"Created topic {given.topic}.")


def consume(words: Sequence[str]) -> None:
    """Print the values of a topic."""
    parser = _parser("kafka-console-consumer.sh")
    parser.add_argument("--topic", required=True)
    parser.add_argument("--from-beginning", action="store_true", required=True)
    parser.add_argument("--max-messages", type=int, default=sys.maxsize)
    levels = ("read_committed", "read_uncommitted")
    parser.add_argument("--isolation-level", choices=levels, default="read_uncommitted")
    given = parser.parse_args(words)
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap_server,
            "group.id": "documentation",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": given.isolation_level,
        }
    )
    partitions = consumer.list_topics(given.topic, TIMEOUT_S).topics[given.topic].partitions
    consumer.assign([TopicPartition(given.topic, partition, 0) for partition in partitions])
    ended: set[int | None] = set()
    left = given.max_messages
    while left > 0 and len(ended) < len(partitions):
        messages = consumer.consume(min(left, 500), 0.5)
        ended |= {message.partition() for message in messages if message.error() is not None}
        values = [_text(message) for message in messages if message.error() is None]
        left -= len(values)
        sys.stdout.writelines(values)
    consumer.close()


def _text(message: Message) -> str:
    return f"{(message.value() or b'').decode(errors='replace')}\n"


def produce(words: Sequence[str]) -> None:
    """Send the lines of standard input."""
    parser = _parser("kafka-console-producer.sh")
    parser.add_argument("--topic", required=True)
    given = parser.parse_args(words)
    producer = Producer({"bootstrap.servers": given.bootstrap_server})
    for line in sys.stdin:
        producer.produce(given.topic, line.rstrip("\n").encode())
    if producer.flush(TIMEOUT_S):
        sys.exit("not everything was sent")


def groups(words: Sequence[str]) -> None:
    """Describe the offsets of a group, or set them."""
    parser = _parser("kafka-consumer-groups.sh")
    parser.add_argument("--group", required=True)
    what = parser.add_mutually_exclusive_group(required=True)
    for action in ("--describe", "--reset-offsets"):
        what.add_argument(action, action="store_true")
    parser.add_argument("--topic")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--to-earliest", action="store_true")
    where.add_argument("--to-offset", type=int)
    parser.add_argument("--execute", action="store_true")
    given = parser.parse_args(words)
    admin = AdminClient({"bootstrap.servers": given.bootstrap_server})
    if given.describe:
        asked = ConsumerGroupTopicPartitions(given.group)
        found = admin.list_consumer_group_offsets([asked])[given.group].result(TIMEOUT_S)
        for place in found.topic_partitions or []:
            _tell(f"{given.group}\t{place.topic}\t{place.partition}\t{place.offset}")
        return
    if not given.execute or (given.to_offset is None and not given.to_earliest):
        parser.error("--reset-offsets takes --execute, and --to-earliest or --to-offset")
    partitions = admin.list_topics(given.topic, timeout=TIMEOUT_S).topics[given.topic].partitions
    offset = 0 if given.to_earliest else given.to_offset
    places = [TopicPartition(given.topic, partition, offset) for partition in partitions]
    wanted = ConsumerGroupTopicPartitions(given.group, places)
    admin.alter_consumer_group_offsets([wanted])[given.group].result(TIMEOUT_S)


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(name, allow_abbrev=False)
    parser.add_argument("--bootstrap-server", required=True)
    return parser


TOOLS = {
    "kafka-topics.sh": topics,
    "kafka-console-consumer.sh": consume,
    "kafka-console-producer.sh": produce,
    "kafka-consumer-groups.sh": groups,
}

if __name__ == "__main__":
    TOOLS[sys.argv[1]](sys.argv[2:])
