"""Rows 13, 16, 17: a process that is frozen, restarted, or started twice, on a real broker."""

from pathlib import Path

import pytest

from tests.brokers.kafka import Kafka
from tests.chaos.life import Life, Nest
from tests.chaos.trial import SHORT_SESSION, trial

NEW_PROTOCOL = "kafka.librdkafka.group.protocol=consumer"
FENCED_WITHIN_S = 10.0


def is_in(life: Life, state: str) -> bool:
    return life.total(f"state{{state={state}}}") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("delivery", "failpoint"),
    [
        ("at_least_once", "learned:10"),
        ("at_least_once", "saved:3"),
        ("exactly_once", "learned:10"),
        ("exactly_once", "saved:3"),
        ("exactly_once", "offsets_sent:3"),
    ],
)
def test_row_13_what_a_process_frozen_past_its_session_has_learned_is_dropped(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str, failpoint: str
) -> None:
    words = (SHORT_SESSION, "learning.max_batch=5")
    tried = trial(nest, kafka, tmp_path, *words, delivery=delivery, partitions=2)
    tried.instance = ""
    with tried.running(failpoint=f"{failpoint}=stop") as zombie:
        zombie.until(lambda: is_in(zombie, "running"))
        with tried.running() as heir:
            heir.until(lambda: is_in(heir, "standby"))
            while not zombie.is_stopped:
                tried.give(20)
                zombie.until(lambda: tried.committed() == len(tried.given) or zombie.is_stopped)
            heir.until(lambda: is_in(heir, "running"))
            tried.give(20)
            tried.settle(heir)
            zombie.thaw()
            zombie.until(lambda: zombie.total("rollbacks_total") >= 1)
            zombie.until(lambda: is_in(zombie, "standby"))
            tried.give(20)
            tried.settle(heir)
            assert is_in(heir, "running")
            assert tried.violations(faults=1) == []
            heir.stop()
            zombie.until(lambda: is_in(zombie, "running"))
            tried.give(20)
            tried.settle(zombie)
            zombie.stop()
    assert tried.violations(faults=1) == []


def test_row_16_a_static_member_that_restarts_at_once_makes_no_rebalance(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, scope="partition", partitions=4)
    with tried.running() as first:
        first.until(lambda: is_in(first, "running"))
        with tried.running(instance="two") as other:
            first.until(lambda: first.total("rebalances_total{event=revoked}") == 1)
            other.until(lambda: is_in(other, "running"))
            tried.give(40)
            tried.settle(other)
            before = other.total("rebalances_total")
            first.stop()
            with tried.running() as again:
                tried.give(40)
                tried.settle(again)
                assert again.total("rebalances_total") == 1
                assert other.total("rebalances_total") == before
                again.stop()
            other.stop()
    assert tried.violations() == []


@pytest.mark.slow
def test_row_16_what_a_static_member_gave_up_as_it_was_killed_is_given_to_another(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    words = ("checkpoint.every=2m",)  # so that the first epoch is the one of the revoke
    tried = trial(
        *(nest, kafka, tmp_path, *words),
        delivery="exactly_once",
        scope="partition",
        partitions=4,
    )
    tried.give(40)
    with tried.running(failpoint="committed:1=kill") as first:
        first.until(lambda: first.total("records_consumed_total") == 40)
        with tried.running("checkpoint.every=200ms", instance="two") as other:
            assert first.end() == -9
            with tried.running("checkpoint.every=200ms") as again:
                # No rebalance: it has the two partitions that are left to it, and nobody the rest.
                again.until(lambda: is_in(again, "running"))
                tried.give(40)
                other.until_told("nobody in the group has partitions")
                tried.settle(other)
                other.until(lambda: is_in(other, "running"))
                tried.give(40)
                tried.settle(other)
                assert is_in(again, "running")
                again.stop()
            other.stop()
    assert tried.violations() == []


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_row_17_of_two_processes_of_one_instance_the_older_ends(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str
) -> None:
    tried = trial(nest, kafka, tmp_path, delivery=delivery)
    tried.give(20)
    with tried.running() as old:
        tried.settle(old)
        with tried.running() as new:
            assert old.end(FENCED_WITHIN_S) == 4
            assert "another member took over" in old.told()
            tried.give(20)
            tried.settle(new)
            new.stop()
    assert tried.violations(faults=1) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_row_17_by_the_newer_protocol_the_younger_waits_until_the_older_is_given_up_or_ends(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    orphaned = trial(nest, kafka, tmp_path, NEW_PROTOCOL)
    doubled = trial(nest, kafka, tmp_path, NEW_PROTOCOL, delivery="exactly_once")
    orphaned.give(20)
    doubled.give(20)
    with orphaned.running() as dead, doubled.running() as old:
        orphaned.settle(dead)
        doubled.settle(old)
        dead.kill()
        with orphaned.running() as heir, doubled.running() as young:
            young.until_told("waiting for the broker to release input.instance")
            heir.until_told("waiting for the broker to release input.instance")
            orphaned.give(20)
            heir.until(lambda: orphaned.committed() == 40, 90)
            heir.stop()
            assert young.end(90) == 4
            assert "another process uses this input.instance" in young.told()
            doubled.give(20)
            doubled.settle(old)
            old.stop()
    assert orphaned.violations() == []
    assert doubled.violations() == []
