"""What ends the program, and as what."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.errors import FencedError, KafkaUnreachableError, OffsetsLostError, StreamfitError
from consumers.kafka_errors import Complaints, ending, passes


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        (KafkaError.FENCED_INSTANCE_ID, FencedError, 4),
        (KafkaError.ILLEGAL_GENERATION, FencedError, 4),
        (KafkaError.UNKNOWN_MEMBER_ID, FencedError, 4),
        (KafkaError._FATAL, FencedError, 4),
        (KafkaError._AUTO_OFFSET_RESET, OffsetsLostError, 5),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaUnreachableError, 3),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaUnreachableError, 3),
    ],
)
def test_an_error_that_cannot_be_waited_out_ends_the_program_with_its_exit_code(
    code: int, kind: type[StreamfitError], exit_code: int
) -> None:
    end = ending(KafkaError(code), "events")
    assert type(end) is kind
    assert end.exit_code == exit_code
    with pytest.raises(kind):
        Complaints("events").check(KafkaError(code))


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.NOT_COORDINATOR]
)
def test_what_the_client_retries_by_itself_ends_nothing(code: int) -> None:
    assert ending(KafkaError(code), "events") is None
    Complaints("events").check(KafkaError(code))
    Complaints("events").check(None)


def test_a_coordinator_that_moves_is_asked_again() -> None:
    assert passes(KafkaException(KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS)))
    assert not passes(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))


def test_the_cause_is_told_and_not_that_all_brokers_are_down() -> None:
    complaints = Complaints("events")
    complaints(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    error = complaints.unreachable(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    assert isinstance(error, KafkaUnreachableError)
    assert "wrong password" in str(error)
