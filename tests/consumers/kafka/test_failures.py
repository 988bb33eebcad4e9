"""What errors of Kafka mean: wait, go back to the last commit, or end."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.errors import (
    EpochLostError,
    FencedError,
    InstanceHeldError,
    KafkaUnreachableError,
    PostponedError,
    SettingsError,
    StreamfitError,
    UnansweredError,
)
from consumers.kafka.failures import AWAY_S, Complaints, ending, passes
from metrics.facts import RollbackReason


@pytest.mark.parametrize(
    ("code", "kind", "exit_code"),
    [
        (KafkaError.FENCED_INSTANCE_ID, FencedError, 4),
        (KafkaError._FATAL, FencedError, 4),
        (KafkaError.UNRELEASED_INSTANCE_ID, InstanceHeldError, 4),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaUnreachableError, 3),
        (KafkaError._UNKNOWN_TOPIC, KafkaUnreachableError, 3),
        (KafkaError._UNKNOWN_PARTITION, KafkaUnreachableError, 3),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaUnreachableError, 3),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaUnreachableError, 3),
    ],
)
def test_rows_21_and_23_what_cannot_be_waited_out_ends_the_program_with_its_exit_code(
    code: int, kind: type[StreamfitError], exit_code: int
) -> None:
    end = ending(KafkaError(code), "events")
    assert type(end) is kind
    assert end.exit_code == exit_code
    with pytest.raises(kind):
        Complaints("events").check(KafkaError(code))


@pytest.mark.parametrize(
    ("code", "kind", "named"),
    [
        (KafkaError.INVALID_SESSION_TIMEOUT, SettingsError, "kafka.librdkafka.session.timeout.ms"),
        (KafkaError.INVALID_GROUP_ID, SettingsError, "input.group"),
        (KafkaError.UNSUPPORTED_ASSIGNOR, SettingsError, "group.remote.assignor"),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, KafkaUnreachableError, "cooperative-sticky"),
        (KafkaError.GROUP_MAX_SIZE_REACHED, KafkaUnreachableError, "group.max.size"),
    ],
)
def test_a_member_that_the_group_refuses_for_good_ends_and_names_the_key(
    code: int, kind: type[StreamfitError], named: str
) -> None:
    with pytest.raises(kind) as end:
        Complaints("events").check(KafkaError(code))
    assert named in str(end.value)
    assert KafkaError(code).str() in str(end.value)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (KafkaError.ILLEGAL_GENERATION, RollbackReason.LOST),
        (KafkaError.UNKNOWN_MEMBER_ID, RollbackReason.LOST),
        (KafkaError.STALE_MEMBER_EPOCH, RollbackReason.LOST),
        (KafkaError.FENCED_MEMBER_EPOCH, RollbackReason.LOST),
        (KafkaError._ASSIGNMENT_LOST, RollbackReason.LOST),
        (KafkaError._AUTO_OFFSET_RESET, RollbackReason.GAP),
        (KafkaError.OFFSET_OUT_OF_RANGE, RollbackReason.GAP),
    ],
)
def test_rows_18_20_and_31_what_makes_the_open_epoch_void_tells_why(
    code: int, reason: RollbackReason
) -> None:
    end = ending(KafkaError(code), "events")
    assert type(end) is EpochLostError
    assert end.reason is reason
    with pytest.raises(EpochLostError):
        Complaints("events").check(KafkaError(code))


class After:
    """Complaints of a client that lost its broker, some seconds later."""

    def __init__(self, seconds: float, lost: int = KafkaError._TRANSPORT) -> None:
        now = iter((0.0, seconds, seconds))
        self.complaints = Complaints("events", lambda: next(now))
        self.complaints(KafkaError(lost))

    def check(self, code: int = KafkaError._FATAL) -> None:
        self.complaints.check(KafkaError(code))


@pytest.mark.parametrize("code", [KafkaError._FATAL, KafkaError.FENCED_INSTANCE_ID])
@pytest.mark.parametrize("lost", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN])
def test_row_28_an_instance_that_is_fenced_after_an_outage_joins_anew_once(
    lost: int, code: int
) -> None:
    after = After(AWAY_S, lost)
    with pytest.raises(UnansweredError, match="joining anew") as end:
        after.check(code)
    assert end.value.reason is RollbackReason.FENCED
    with pytest.raises(FencedError):
        after.check(code)
    assert type(After(1.0).complaints.lost(KafkaException(KafkaError(code)))) is UnansweredError


def test_row_17_an_instance_that_is_fenced_long_after_an_outage_ends() -> None:
    with pytest.raises(FencedError, match="another member took over"):
        After(AWAY_S + 1.0).check()


def test_row_17_one_that_the_broker_holds_waits_after_an_outage_too() -> None:
    with pytest.raises(InstanceHeldError):
        After(1.0).check(KafkaError.UNRELEASED_INSTANCE_ID)


def test_row_19_a_rebalance_only_postpones_a_commit() -> None:
    end = ending(KafkaError(KafkaError.REBALANCE_IN_PROGRESS), "events")
    assert type(end) is PostponedError
    assert end.reason is RollbackReason.COMMIT


def test_row_17_an_instance_that_is_held_is_known_by_its_text_too() -> None:
    told = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
    text = f"ConsumerGroupHeartbeat fatal error: {told}"
    end = ending(KafkaError(KafkaError._FATAL, text), "events")
    assert type(end) is InstanceHeldError
    assert "input.instance" in str(end)


@pytest.mark.parametrize(
    "code", [KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError.NOT_COORDINATOR]
)
def test_what_the_client_retries_by_itself_ends_nothing(code: int) -> None:
    assert ending(KafkaError(code), "events") is None
    Complaints("events").check(KafkaError(code))
    Complaints("events").check(None)


def test_row_44_a_read_that_took_too_long_names_the_knobs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Complaints("events").check(KafkaError(KafkaError._MAX_POLL_EXCEEDED))
    assert "learning.max_batch" in caplog.text
    assert "max.poll.interval.ms" in caplog.text


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    ],
)
def test_row_22_a_coordinator_that_moves_is_asked_again(code: int) -> None:
    assert passes(KafkaException(KafkaError(code)))


def test_what_is_refused_for_good_is_not_asked_again() -> None:
    assert not passes(KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))


def test_the_cause_is_told_and_not_that_all_brokers_are_down() -> None:
    complaints = Complaints("events")
    complaints(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    error = complaints.lost(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    assert type(error) is EpochLostError
    assert error.reason is RollbackReason.KAFKA
    assert error.exit_code == 3
    assert "wrong password" in str(error)


def test_where_nothing_else_was_told_it_is_that_all_brokers_are_down() -> None:
    complaints = Complaints("events")
    complaints(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    error = complaints.lost(KafkaException(KafkaError(KafkaError._TIMED_OUT)))
    assert "1/1 brokers are down" in str(error)


def test_a_request_that_is_refused_for_good_ends_the_run_at_once() -> None:
    refused = KafkaException(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
    assert type(Complaints("events").lost(refused)) is KafkaUnreachableError
