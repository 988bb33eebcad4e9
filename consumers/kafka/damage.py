"""Batches that the broker gives and nobody can read: asked for anew a few times, then the end."""

from collections import Counter
from collections.abc import Collection, Sequence

from confluent_kafka import KafkaError, Message

from consumers.errors import DataPolicyError, EpochLostError
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
        self._reads: Counter[tuple[int | None, int | None]] = Counter()

    def sort_out(self, errors: Sequence[Message], reached: Collection[int | None]) -> list[Message]:
        """Look for damaged batches, and give the other errors.

        Parameters
        ----------
        errors : sequence of Message
            Messages that are errors.
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
        for message in errors:
            error, partition = message.error(), message.partition()
            if error is None or error.code() not in _DAMAGED:
                others.append(message)
            elif partition not in reached:
                raise self._end_of(error, partition, message.offset())
        return others

    def _end_of(
        self, error: KafkaError, partition: int | None, offset: int | None
    ) -> EpochLostError | DataPolicyError:
        self._reads[partition, offset] += 1
        told = f"{self._where(partition, offset)}: {error.str()}"
        if self._reads[partition, offset] < MOST_READS:
            return EpochLostError(RollbackReason.GAP, f"{told}; reading it anew")
        return DataPolicyError(
            f"{told}, {MOST_READS} times; bring back a replica that is whole, or leave the batch "
            "out: stop what runs, set the group's offset behind it, and start once with "
            "learning.on_reset = 'follow_kafka'"
        )

    def _where(self, partition: int | None, offset: int | None) -> str:
        at = f", offset {offset}" if offset is not None and offset >= 0 else ""
        return f"input.topic = {self._topic!r}: partition {partition}{at}"
