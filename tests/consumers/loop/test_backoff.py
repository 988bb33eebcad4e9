"""How long to wait after going back: longer after each failure in a row, and not for ever."""

import pytest

from consumers.errors import EpochLostError, FencedError
from consumers.loop.backoff import AFTER_A_FENCE_S, LONGEST_S, MOST_FENCES, Backoff
from metrics.facts import RollbackReason

FAILED = EpochLostError(RollbackReason.KAFKA, "no answer")


def waits(backoff: Backoff, count: int, error: EpochLostError = FAILED) -> list[float]:
    """Fail so often at the same time, and give how long it waits after each."""
    found = []
    for _ in range(count):
        backoff.failed(error, 100.0)
        found.append(backoff.due_s - 100.0)
    return found


def test_the_first_failure_is_tried_again_at_once_and_each_next_one_later() -> None:
    found = waits(Backoff(), 8)
    assert found[:4] == [0.0, 1.0, 2.0, 4.0]
    assert found == sorted(found)
    assert found[-1] == LONGEST_S


def test_row_28_an_outage_of_days_does_not_end_the_run() -> None:
    assert waits(Backoff(), 5000)[-1] == LONGEST_S


def test_a_commit_forgets_the_failures_before_it() -> None:
    backoff = Backoff()
    waits(backoff, 5)
    backoff.succeeded()
    assert waits(backoff, 2) == [0.0, 1.0]


def test_a_change_is_followed_at_once() -> None:
    backoff = Backoff()
    waits(backoff, 5)
    backoff.now()
    assert backoff.due_s == 0.0


@pytest.mark.parametrize("reason", [RollbackReason.FENCED, RollbackReason.LOST])
def test_row_13_who_may_have_been_replaced_waits_for_a_heartbeat_first(
    reason: RollbackReason,
) -> None:
    assert waits(Backoff(), 1, EpochLostError(reason, "x")) == [AFTER_A_FENCE_S]


def test_being_fenced_again_and_again_ends_with_exit_code_4() -> None:
    backoff, fenced = Backoff(), EpochLostError(RollbackReason.FENCED, "fenced")
    waits(backoff, MOST_FENCES - 1, fenced)
    with pytest.raises(FencedError, match="stop one") as caught:
        backoff.failed(fenced, 100.0)
    assert caught.value.exit_code == 4


def test_other_failures_never_count_as_a_fence() -> None:
    backoff, fenced = Backoff(), EpochLostError(RollbackReason.FENCED, "fenced")
    for _ in range(MOST_FENCES - 1):
        backoff.failed(fenced, 100.0)
        backoff.failed(FAILED, 100.0)
    backoff.succeeded()
    waits(backoff, MOST_FENCES - 1, fenced)
