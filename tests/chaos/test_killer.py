"""The plans, without a broker: what a seed decides, and what no plan leaves out."""

import itertools

import pytest

from tests.chaos.killer import (
    COMBINATIONS,
    START_POINT,
    Kind,
    battery,
    dealt,
    fixed,
    mixtures,
    points,
)
from tests.chaos.traffic import records


def test_the_same_seed_gives_the_same_plans_and_another_seed_others() -> None:
    one, same, other = (
        list(itertools.islice(mixtures(seed, broker_is_mortal=True), 8)) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other
    assert battery(1, "at_least_once", "global", 20) == battery(1, "at_least_once", "global", 20)
    assert battery(1, "at_least_once", "global", 20) != battery(2, "at_least_once", "global", 20)


@pytest.mark.parametrize(("delivery", "scope"), COMBINATIONS)
def test_a_battery_kills_as_often_as_asked_and_at_every_failpoint(
    delivery: str, scope: str
) -> None:
    faults = battery(1, delivery, scope, 25).faults
    assert len(faults) == 25
    assert {fault.kind for fault in faults} == {Kind.POINT, Kind.KILL}
    assert {fault.point for fault in faults if fault.point} == set(points(delivery))


@pytest.mark.parametrize(("delivery", "scope"), COMBINATIONS)
def test_the_short_run_kills_at_every_failpoint(delivery: str, scope: str) -> None:
    faults = fixed(1, delivery, scope).faults
    assert sorted(fault.point for fault in faults if fault.point) == sorted(dealt(delivery, scope))


def test_offsets_are_sent_in_transactions_only() -> None:
    assert "offsets_sent" in points("exactly_once")
    assert "offsets_sent" not in points("at_least_once")


@pytest.mark.parametrize("mortal", [True, False])
def test_mixed_rounds_leave_no_kind_of_fault_and_no_combination_out(*, mortal: bool) -> None:
    plans = list(itertools.islice(mixtures(1, broker_is_mortal=mortal), 8))
    assert {(plan.delivery, plan.scope) for plan in plans[:4]} == set(COMBINATIONS)
    for pair in COMBINATIONS:
        faults = [f for plan in plans if (plan.delivery, plan.scope) == pair for f in plan.faults]
        assert {fault.kind for fault in faults} >= set(Kind) - {Kind.BROKER}
    found = any(fault.kind is Kind.BROKER for plan in plans for fault in plan.faults)
    assert found is mortal


def test_a_storm_has_30_kills_and_a_freeze_a_failpoint_that_stops() -> None:
    plans = itertools.islice(mixtures(1, broker_is_mortal=False), 8)
    faults = [fault for plan in plans for fault in plan.faults]
    storms = [fault for fault in faults if fault.kind is Kind.STORM]
    assert {len(storm.pauses_s) for storm in storms} == {30}
    assert all(0.1 <= pause <= 1 for storm in storms for pause in storm.pauses_s)
    freezes = [fault for fault in faults if fault.kind is Kind.FREEZE_POINT]
    assert all(fault.failpoint.endswith("=stop") for fault in freezes)
    starts = [fault for fault in faults if fault.point == START_POINT]
    assert {fault.nth for fault in starts} == {1}


def test_the_input_holds_every_sort_of_record_and_only_the_seed_decides() -> None:
    one, same, other = (list(itertools.islice(records(seed, 4), 3000)) for seed in (1, 1, 2))
    assert one == same
    assert one != other
    values = [value for _, _, value in one]
    assert 0 < values.count(None) < 50
    assert 0 < sum(value is not None and b'"label"' not in value for value in values) < 300
    assert b"" in values
    assert {partition for partition, _, _ in one} == set(range(4))
    assert any(key is None for _, key, _ in one)
