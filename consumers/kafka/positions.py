"""Where a group stands in a topic, asked without joining it."""

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicPartition

from consumers.kafka.queries import Queries
from consumers.kafka.source import Committed

TIMEOUT_S = 10.0


def committed_of(consumer: Queries, topic: str, partitions: Iterable[int]) -> dict[int, Committed]:
    """Ask what a consumer's group has committed.

    Raises
    ------
    confluent_kafka.KafkaException
        If the broker does not answer, or refuses a partition.
    """
    places = [TopicPartition(topic, partition) for partition in sorted(partitions)]
    found = consumer.committed(places, TIMEOUT_S)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
    return {
        place.partition: Committed(place.offset if place.offset >= 0 else None, place.metadata)
        for place in found
    }
