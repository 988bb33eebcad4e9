"""Batches that the broker gives and nobody can read: asked for anew a few times, then the end."""

from collections import Counter
from collections.abc import Collection, Sequence

from confluent_kafka import KafkaError

from consumers.errors import DataPolicyError, EpochLostError
from consumers.kafka.messages import Failure
from metrics.facts import RollbackReason

# What came to harm on its way is whole the next time; what lies damaged on a disk is not.
MOST_READS = 3
_DAMAGED = {
    KafkaError._BAD_MSG,  # noqa: SLF001 public; a checksum that is not right, too
    KafkaError._BAD_COMPRESSION,  # noqa: SLF001
}


class Damage:
    """Counts how often a batch could not be read. The client itself would ask for it for good.

    Parameters
    ----------
    topic : str
        What is read.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._reads: Counter[tuple[int, int]] = Counter()

    def sort_out(self, failures: Sequence[Failure], reached: Collection[int]) -> list[Failure]:
        """Look for damaged batches, and give the other failures.

        Parameters
        ----------
        failures : sequence of Failure
            Messages that are none.
        reached : collection of int
            Partitions that the same read brought records of: those come first, and what stands
            behind them is told again.

        Raises
        ------
        EpochLostError
            If there is one: to commit what came before it, and read it anew.
        DataPolicyError
            If it could not be read a few times.
        """
        others = []
        for failure in failures:
            if failure.error.code() not in _DAMAGED:
                others.append(failure)
            elif failure.partition not in reached:
                raise self._end_of(failure)
        return others

    def _end_of(self, failure: Failure) -> EpochLostError | DataPolicyError:
        place = failure.partition, failure.offset
        self._reads[place] += 1
        told = f"{self._where(*place)}: {failure.error.str()}"
        if self._reads[place] < MOST_READS:
            return EpochLostError(RollbackReason.GAP, f"{told}; reading it anew")
        return DataPolicyError(
            f"{told}, {MOST_READS} times; bring back a replica that is whole, or leave the batch "
            "out: stop what runs, set the group's offset behind it, and start once with "
            "learning.on_reset = 'follow_kafka'"
        )

    def _where(self, partition: int, offset: int) -> str:
        at = f", offset {offset}" if offset >= 0 else ""
        return f"input.topic = {self._topic!r}: partition {partition}{at}"
