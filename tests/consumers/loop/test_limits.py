"""The dead letter limits against a model so simple that it is right."""

import contextlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.errors import DeadLetterLimitError
from consumers.loop.limits import DeadLetterLimits


@dataclass
class Naive:
    """Every record ever seen, in a list; looked through anew at each read."""

    window: int
    count: int
    run: int
    seen: list[bool] = field(default_factory=list)

    def update(self, flags: list[bool]) -> bool:
        """Take a read; tell whether a refused record of it makes it too many."""
        before = len(self.seen)
        self.seen += flags
        runs = [self._run_up_to(end) for end in range(before + 1, len(self.seen) + 1)]
        too_long = max(runs, default=0) >= self.run
        return any(flags) and (too_long or sum(self.seen[-self.window :]) > self.count)

    def _run_up_to(self, end: int) -> int:
        length = 0
        while length < end and self.seen[end - 1 - length]:
            length += 1
        return length


def stops(limits: DeadLetterLimits, flags: list[bool]) -> bool:
    try:
        limits.update(len(flags), [i for i, refused in enumerate(flags) if refused])
    except DeadLetterLimitError:
        return True
    return False


reads = st.lists(st.lists(st.booleans(), max_size=12), max_size=12)


@given(reads, st.integers(1, 20), st.integers(0, 8), st.integers(1, 8), st.data())
def test_the_limits_are_those_of_a_naive_count_across_reads_and_restarts(
    parts: list[list[bool]], window: int, count: int, run: int, data: st.DataObject
) -> None:
    limits, naive = DeadLetterLimits(window, count, run), Naive(window, count, run)
    for part in parts:
        assert stops(limits, part) == naive.update(part)
        assert np.count_nonzero(limits._ring) == sum(naive.seen[-window:])
        if data.draw(st.booleans(), label="restart"):
            snapshot = limits.snapshot()
            limits = DeadLetterLimits(window, count, run)
            limits.restore(snapshot)


@given(reads, reads, st.integers(1, 20), st.integers(1, 20), st.integers(0, 8), st.integers(1, 8))
def test_a_changed_window_goes_on_with_the_newest_records_of_the_old_one(
    before: list[list[bool]],
    after: list[list[bool]],
    old: int,
    new: int,
    count: int,
    run: int,
) -> None:
    limits, naive = DeadLetterLimits(old, count, run), Naive(new, count, run)
    for part in before:
        stops(limits, part)
        naive.update(part)
    # What the old window has forgotten is not known; how long the run is, is.
    kept = len(naive.seen) - old
    naive_run = naive._run_up_to(len(naive.seen))
    naive.seen = [flag and i >= kept for i, flag in enumerate(naive.seen)]
    restored = DeadLetterLimits(new, count, run)
    restored.restore(limits.snapshot())
    for part in after:
        in_row = naive_run + _leading(part)
        expected = naive.update(part) or (_leading(part) > 0 and in_row >= run)
        assert stops(restored, part) == expected
        assert np.count_nonzero(restored._ring) == sum(naive.seen[-new:])
        naive_run = in_row if all(part) else 0


def _leading(flags: list[bool]) -> int:
    return flags.index(False) if False in flags else len(flags)


@given(st.lists(st.booleans(), max_size=40), st.lists(st.integers(1, 7), max_size=10))
def test_the_counts_do_not_depend_on_how_records_are_cut_into_reads(
    flags: list[bool], sizes: list[int]
) -> None:
    whole, parts = DeadLetterLimits(10, 3, 4), DeadLetterLimits(10, 3, 4)
    stops(whole, flags)
    for size in (*sizes, 40):
        stops(parts, flags[:size])
        flags = flags[size:]
    # The ring may begin elsewhere; a restored one begins at the oldest record.
    one, other = DeadLetterLimits(10, 3, 4), DeadLetterLimits(10, 3, 4)
    one.restore(whole.snapshot())
    other.restore(parts.snapshot())
    assert one.snapshot() == other.snapshot()


def test_a_window_that_is_not_full_at_a_restart_forgets_the_oldest_first() -> None:
    limits = DeadLetterLimits(4, 1, 9)
    assert stops(limits, [True, False, True])
    restored = DeadLetterLimits(4, 1, 9)
    restored.restore(limits.snapshot())
    assert not stops(restored, [False, False, False])
    # The first of the two is forgotten by now, the second with this read.
    assert not stops(restored, [True])
    assert stops(restored, [True])


def test_row_46_only_bad_input_stops_at_the_run() -> None:
    limits = DeadLetterLimits(10_000, 500, 100)
    assert not stops(limits, [True] * 99)
    with pytest.raises(DeadLetterLimitError, match=r"100 dead letters in a row .*run = 100"):
        limits.update(1, [0])


def test_the_count_stops_at_one_more_than_it_and_names_itself() -> None:
    limits = DeadLetterLimits(10_000, 500, 100)
    every_other = [True, False] * 500
    assert not stops(limits, every_other)
    assert not stops(limits, [False])
    with pytest.raises(DeadLetterLimitError, match=r"501 dead letters among the last 10,000"):
        limits.update(1, [0])


def test_good_records_alone_never_stop_even_after_too_many() -> None:
    limits = DeadLetterLimits(10, 0, 1)
    assert stops(limits, [True])
    assert not stops(limits, [False])
    assert not stops(limits, [])


@given(reads, st.integers(1, 20), st.integers(0, 8), st.integers(1, 8))
def test_it_tells_the_record_at_which_a_naive_count_would_stop(
    cut: list[list[bool]], window: int, count: int, run: int
) -> None:
    limits, seen, in_a_row = DeadLetterLimits(window, count, run), list[bool](), 0
    for flags in cut:
        expected = None
        for row, flag in enumerate(flags):
            seen.append(flag)
            in_a_row = in_a_row + 1 if flag else 0
            too_many = in_a_row >= run or sum(seen[-window:]) > count
            if flag and too_many and expected is None:
                expected = row
        refused = [row for row, flag in enumerate(flags) if flag]
        assert limits.trips_at(len(flags), refused) == expected
        with contextlib.suppress(DeadLetterLimitError):
            limits.update(len(flags), refused)


def test_a_limit_ends_with_exit_code_5() -> None:
    assert DeadLetterLimitError.exit_code == 5
