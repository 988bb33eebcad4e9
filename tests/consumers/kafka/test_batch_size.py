"""Reads fit to the pace at which they are worked off."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.kafka.batch_size import FIRST, TARGET_S, BatchSize


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def work_off(size: BatchSize, clock: Clock, seconds_each: float, there: int = 1_000_000) -> int:
    count = min(size.next(), there)
    size.given(count)
    clock.now += count * seconds_each
    return count


def test_a_slow_model_gets_what_it_works_off_in_a_moment() -> None:
    clock = Clock()
    size = BatchSize(8192, clock)
    assert [work_off(size, clock, 0.001) for _ in range(4)] == [FIRST, 250, 250, 250]


def test_a_quick_model_gets_all_that_it_may() -> None:
    clock = Clock()
    size = BatchSize(8192, clock)
    assert [work_off(size, clock, 2e-6) for _ in range(3)] == [FIRST, 8192, 8192]


def test_it_is_never_more_than_allowed_and_never_none() -> None:
    clock = Clock()
    assert work_off(BatchSize(10, clock), clock, 0.0) == 10
    size = BatchSize(10, clock)
    assert [work_off(size, clock, 60.0) for _ in range(2)] == [10, 1]


def test_reads_that_bring_nothing_change_nothing() -> None:
    clock = Clock()
    size = BatchSize(8192, clock)
    work_off(size, clock, 0.001)
    sizes = []
    for _ in range(3):
        sizes.append(size.next())
        clock.now += 1_000.0  # it waits for records, and works at none
    assert sizes == [250, 250, 250]


@given(st.lists(st.floats(0.0, 10.0), max_size=30), st.integers(1, 100_000))
def test_however_the_pace_changes_a_read_takes_no_longer_than_the_last_pace_allows(
    paces: list[float], most: int
) -> None:
    clock, size_before = Clock(), None
    size = BatchSize(most, clock)
    for pace in paces:
        count = work_off(size, clock, pace)
        assert 1 <= count <= most
        if size_before is not None:
            assert count == 1 or count * size_before <= TARGET_S * 1.001
        size_before = pace
