"""What the client of Kafka raises, and the Kafka error in it."""

from confluent_kafka import KafkaError, KafkaException

# An error that ends a client for good comes out of whichever call serves its callbacks. Where
# delivery reports were to be served after it, it comes as a SystemError: one that has it as its
# cause, or one that has lost it.
CLIENT_ERRORS = (KafkaException, SystemError)
FATAL: int = KafkaError._FATAL  # noqa: SLF001 public: librdkafka's own codes begin so


def kafka_error(raised: BaseException) -> KafkaError | None:
    """Find the Kafka error in what a call of the client has raised."""
    cause: BaseException | None = raised
    while cause is not None:
        if isinstance(cause, KafkaException):
            error: KafkaError = cause.args[0]
            return error
        cause = cause.__cause__ or cause.__context__
    return None
