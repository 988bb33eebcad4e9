"""How far a reader is behind, as far as its client knows; asks nobody."""

from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import KafkaError, TopicPartition

from consumers.kafka.failures import Complaints
from consumers.kafka.messages import Failure
from consumers.kafka.queries import Queries


class Lags:
    """Remembers where partitions ended.

    Parameters
    ----------
    consumer : Queries
        Who reads.
    topic : str
        What it reads.
    """

    def __init__(self, consumer: Queries, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic
        self._ends: dict[int, int] = {}

    def take_note(self, failures: Sequence[Failure], complaints: Complaints) -> None:
        """Sort messages that are none: ends of partitions from what there is to complain of."""
        for failure in failures:
            if failure.error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 public
                self._ends[failure.partition] = failure.offset
            else:
                complaints.check(failure.error)

    def forget(self) -> None:
        """Forget them: other places are read from now on."""
        self._ends.clear()

    def of(self, partitions: Collection[int], next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give the records not yet read of each partition, where that is known."""
        lags = {}
        for partition in partitions:
            place = TopicPartition(self._topic, partition)
            known = self._consumer.get_watermark_offsets(place, cached=True)
            if known[1] >= 0:
                # The last offsets may be markers of transactions, which no record comes for.
                reached = max(next_offsets[partition], self._ends.get(partition, 0))
                lags[partition] = max(0, known[1] - reached)
        return lags
