"""Where a sink writes, and what became of what was written."""

from dataclasses import dataclass

from confluent_kafka import KafkaError

from producers.dead_letters import DeadLetter, undeliverable

# Errors that no waiting mends.
DEFINITE = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001 public: librdkafka's own codes begin so
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    KafkaError.INVALID_TRANSACTION_TIMEOUT,
}


class DeliveryError(Exception):
    """A record was not delivered: nothing that it belongs to may be committed.

    Parameters
    ----------
    message : str
        What happened.
    definite : bool
        No waiting will mend it: a topic is missing, or a right.
    """

    def __init__(self, message: str, *, definite: bool = False) -> None:
        super().__init__(message)
        self.definite = definite


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a sink writes.

    Attributes
    ----------
    predictions, dead_letters : str
        The topics.
    dead_letter_partitions : int
        How many the second one has.
    max_bytes : int
        Largest record that both topics take.
    """

    predictions: str
    dead_letters: str
    dead_letter_partitions: int
    max_bytes: int = 1_000_000


class Reports:
    """What became of the records of one client: told of each that was not delivered.

    What it has noted is looked at when the epoch is flushed.

    Parameters
    ----------
    outputs : Outputs
        Where the client writes.
    """

    def __init__(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._failures: list[str] = []
        self._definite = False
        self._too_large: list[DeadLetter] = []

    def __call__(
        self, error: KafkaError, topic: str, key: bytes | None, value: bytes | None
    ) -> None:
        """Note a failure."""
        is_prediction = topic == self._outputs.predictions
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE and is_prediction:
            self._too_large.append(undeliverable(key, value))
        else:
            self._definite = self._definite or error.code() in DEFINITE
            self._failures.append(f"{topic}: {error.str()}")

    def check(self) -> None:
        """Raise what has failed since the last call, if anything has."""
        if self._failures:
            failures, self._failures = self._failures, []
            definite, self._definite = self._definite, False
            raise DeliveryError(f"{len(failures)} not delivered: {failures[0]}", definite=definite)

    def too_large(self) -> list[DeadLetter]:
        """Give predictions that the broker found too large since the last call."""
        found, self._too_large = self._too_large, []
        return found
