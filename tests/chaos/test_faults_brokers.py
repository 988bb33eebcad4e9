"""Brokers that die, freeze, restart and are cut off, against the whole program as a process.

Each test ends with all events learned, all promises held against an oracle, and the process that
it began with.
"""

import time
from pathlib import Path

import pytest

from tests.brokers.cluster import ThreeBrokers
from tests.brokers.nodes import NUMBERS
from tests.chaos.siege import siege, total

# The deadlines of a siege are longer than the usual time-out of a test.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
DELIVERIES = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
DOWN_S, PAUSED_S = 30.0, 20.0
# Transactions end before members are missed.
LONG_SESSION = ("--set", "kafka.librdkafka.session.timeout.ms=60000")
INSTANCE = ("--set", "input.instance=one")
ASKED_OFTEN_S = 3.0
# Longer than a standby's question lasts.
ANSWER_S = 27.0


@pytest.mark.parametrize(
    ("delivery", "role"),
    [
        ("at_least_once", "predictions"),
        ("exactly_once", "topic"),
        pytest.param("at_least_once", "topic", marks=pytest.mark.slow),
        pytest.param("exactly_once", "predictions", marks=pytest.mark.slow),
    ],
)
def test_row_30_the_leader_of_input_or_output_dies_and_the_run_goes_on(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str, role: str
) -> None:
    with siege(three_brokers, tmp_path, delivery) as besieged:
        three_brokers.kill(besieged.leader_of(role))
        besieged.caught_up(f"the leader of {role} killed")
        besieged.end()


@pytest.mark.parametrize(
    "delivery", ["at_least_once", pytest.param("exactly_once", marks=pytest.mark.slow)]
)
def test_row_30_the_coordinator_of_the_group_dies_and_the_run_goes_on(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str
) -> None:
    with siege(three_brokers, tmp_path, delivery) as besieged:
        three_brokers.kill(three_brokers.group_coordinator())
        besieged.caught_up("the coordinator of the group killed")
        besieged.end()


@pytest.mark.slow
def test_row_39_the_coordinator_of_transactions_dies_and_nothing_is_predicted_twice(
    three_brokers: ThreeBrokers, tmp_path: Path
) -> None:
    with siege(three_brokers, tmp_path, "exactly_once") as besieged:
        three_brokers.kill(three_brokers.transaction_coordinator())
        besieged.caught_up("the coordinator of transactions killed")
        besieged.end()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delivery", "words"),
    [("at_least_once", ()), ("at_least_once", INSTANCE), ("exactly_once", INSTANCE)],
    ids=["at_least_once", "at_least_once, instance", "exactly_once, instance"],
)
def test_row_28_all_brokers_are_down_for_30_s_and_the_process_waits_for_them(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str, words: tuple[str, ...]
) -> None:
    with siege(three_brokers, tmp_path, delivery, *words) as besieged:
        began = time.monotonic()
        for node in NUMBERS:
            three_brokers.kill(node)
        besieged.last(DOWN_S)
        red = besieged.lookout.unready_s(began)
        assert red is not None
        three_brokers.restart(*NUMBERS)
        besieged.caught_up(f"all brokers killed for {DOWN_S:g} s, not ready after {red:.0f} s")
        three_brokers.heal()
        besieged.end()


@pytest.mark.slow
@DELIVERIES
def test_row_28_all_brokers_are_frozen_for_20_s_and_the_process_waits_for_them(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str
) -> None:
    with siege(three_brokers, tmp_path, delivery) as besieged:
        began = time.monotonic()
        for node in NUMBERS:
            three_brokers.pause(node)
        besieged.last(PAUSED_S)
        red = besieged.lookout.unready_s(began)
        assert red is not None
        for node in NUMBERS:
            three_brokers.unpause(node)
        besieged.caught_up(f"all brokers frozen for {PAUSED_S:g} s, not ready after {red:.0f} s")
        besieged.end()


@pytest.mark.slow
@pytest.mark.timeout(400)
@DELIVERIES
def test_row_30_an_upgrade_restarts_one_broker_after_the_other_and_the_run_goes_on(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str
) -> None:
    with siege(three_brokers, tmp_path, delivery) as besieged:
        three_brokers.rolling_restart()
        besieged.caught_up("all brokers restarted one after the other")
        besieged.end()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delivery", "fault", "role"),
    [
        ("at_least_once", "cut", "predictions"),
        ("exactly_once", "cut", "transactions"),
        ("at_least_once", "pause", "topic"),
        ("at_least_once", "pause", "group"),
        ("exactly_once", "pause", "predictions"),
        ("exactly_once", "pause", "transactions"),
    ],
)
def test_row_30_a_broker_that_does_not_answer_is_replaced_while_it_is_away(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str, fault: str, role: str
) -> None:
    with siege(three_brokers, tmp_path, delivery) as besieged:
        getattr(three_brokers, fault)(besieged.leader_of(role))
        besieged.caught_up(f"{fault} of the leader of {role}")
        three_brokers.heal()
        besieged.caught_up(f"{fault} of the leader of {role}, after healing")
        besieged.end()


@pytest.mark.slow
def test_row_39_the_coordinator_of_transactions_bounces_again_and_again(
    three_brokers: ThreeBrokers, tmp_path: Path
) -> None:
    with siege(three_brokers, tmp_path, "exactly_once") as besieged:
        for bounce in range(1, 4):
            coordinator = three_brokers.transaction_coordinator()
            three_brokers.kill(coordinator)
            three_brokers.restart(coordinator)
            besieged.caught_up(f"bounce {bounce} of the coordinator of transactions")
            three_brokers.heal()
        besieged.end()


@pytest.mark.slow
def test_row_39_after_a_commit_with_unknown_result_it_goes_on_from_what_is_committed(
    three_brokers: ThreeBrokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMFIT_FAILPOINT", "offsets_sent:8=stop")
    with siege(three_brokers, tmp_path, "exactly_once") as besieged:
        with besieged.stopped():
            coordinator = three_brokers.transaction_coordinator()
            three_brokers.pause(coordinator)
        gave_up = besieged.logged("going back to the last commit")
        three_brokers.unpause(coordinator)
        besieged.caught_up(f"commit unanswered, given up after {gave_up:.1f} s")
        assert besieged.metrics()["streamfit_rollbacks_total{reason=commit}"] >= 1
        three_brokers.heal()
        besieged.end()


@pytest.mark.slow
def test_row_40_a_transaction_that_the_broker_has_aborted_meanwhile_is_done_again(
    three_brokers: ThreeBrokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMFIT_FAILPOINT", "offsets_sent:8=stop")
    with siege(three_brokers, tmp_path, "exactly_once", *LONG_SESSION) as besieged:
        with besieged.stopped():
            assert besieged.has_open_transaction(wait_s=0.0)
            assert not besieged.has_open_transaction(wait_s=60.0)
        besieged.caught_up("a transaction open for longer than its time-out")
        assert total(besieged.metrics(), "rollbacks_total") == 1
        besieged.end()


@pytest.mark.slow
@pytest.mark.timeout(600)
@DELIVERIES
def test_row_30_standbys_outlive_the_coordinator_that_they_ask(
    three_brokers: ThreeBrokers, tmp_path: Path, delivery: str
) -> None:
    with siege(three_brokers, tmp_path, delivery, processes=3) as besieged:
        for death in range(1, 6):
            coordinator = three_brokers.group_coordinator()
            three_brokers.kill(coordinator)
            besieged.caught_up(f"death {death} of the coordinator that two standbys ask")
            besieged.last(ASKED_OFTEN_S)
            three_brokers.restart(coordinator)
            three_brokers.wait_until_whole()
        besieged.end()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_row_28_standbys_outlive_brokers_that_do_not_answer_for_longer_than_they_wait(
    three_brokers: ThreeBrokers, tmp_path: Path
) -> None:
    with siege(three_brokers, tmp_path, "at_least_once", processes=3) as besieged:
        coordinator = three_brokers.group_coordinator()
        three_brokers.pause(coordinator)
        besieged.last(ANSWER_S)
        three_brokers.unpause(coordinator)
        three_brokers.wait_until_whole()
        besieged.caught_up("the coordinator that two standbys ask frozen")
        for node in NUMBERS:
            three_brokers.pause(node)
        besieged.last(ANSWER_S)
        for node in NUMBERS:
            three_brokers.unpause(node)
        besieged.caught_up("all brokers that two standbys ask frozen")
        besieged.end()
