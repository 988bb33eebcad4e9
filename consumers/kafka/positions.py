"""Where a group stands in a topic, asked without joining it."""

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumers.kafka.source import Committed

TIMEOUT_S = 10.0


def committed_of(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, Committed]:
    """Ask what a consumer's group has committed.

    Raises
    ------
    confluent_kafka.KafkaException
        If the broker does not answer, or refuses a partition.
    """
    places = [TopicPartition(topic, partition) for partition in sorted(partitions)]
    found = consumer.committed(places, timeout=TIMEOUT_S)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
    return {
        place.partition: Committed(
            place.offset if place.offset >= 0 else None, place.metadata or ""
        )
        for place in found
    }


class GroupPositions:
    """What a group has committed, seen from outside; its members notice nothing.

    Parameters
    ----------
    consumer : Consumer
        With the group's id; it has joined nothing.
    topic : str
        The input topic.
    partitions : int
        How many it has.
    topic_id : str or None
        The broker's id of it.
    """

    def __init__(
        self, consumer: Consumer, topic: str, partitions: int, topic_id: str | None
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._partitions = partitions
        self._topic_id = topic_id

    def topic_id(self) -> str | None:
        """Give the broker's id of the topic; None where it cannot tell."""
        return self._topic_id

    def committed(self) -> dict[int, Committed]:
        """Ask what the group has committed for every partition."""
        return committed_of(self._consumer, self._topic, range(self._partitions))

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last."""
        place = TopicPartition(self._topic, partition)
        low, high = self._consumer.get_watermark_offsets(place, timeout=TIMEOUT_S)
        return int(low), int(high)
