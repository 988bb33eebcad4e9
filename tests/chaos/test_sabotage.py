"""The program broken on purpose: what would go wrong then is what the checker must notice."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.brokers.kafka import Kafka
from tests.chaos.life import Nest
from tests.chaos.trial import Trial, trial

pytestmark = pytest.mark.integration


def broken(way: str) -> dict[str, str]:
    return {"STREAMFIT_TEST_SABOTAGE": way}


def rules(violations: list[str]) -> set[str]:
    return {violation.partition(":")[0] for violation in violations}


@pytest.fixture
def tried(nest: Nest, kafka: Kafka, tmp_path: Path) -> Trial:
    return trial(nest, kafka, tmp_path, "learning.max_batch=5", partitions=2)


def test_a_commit_before_its_checkpoint_is_saved_is_noticed(tried: Trial) -> None:
    tried.give(20)
    with tried.running(env=broken("commit_before_save")) as life:
        tried.settle(life)
        life.kill()
    assert "O1" in rules(tried.violations(faults=1))


def test_an_offset_that_is_one_too_far_is_noticed(tried: Trial) -> None:
    tried.give(20)
    with tried.running(env=broken("offset_one_too_far")) as life:
        tried.settle(life)
        life.kill()
    tried.give(20)
    tried.run_to_the_end()
    assert "O2" in rules(tried.violations(faults=1))


def test_a_commit_of_what_was_never_flushed_is_noticed(tried: Trial) -> None:
    tried.give(20)
    words = ("kafka.librdkafka.linger.ms=60000",)
    with tried.running(*words, env=broken("skip_the_flush")) as life:
        tried.settle(life)
        life.kill()
    tried.give(10)
    tried.run_to_the_end()
    assert "O2" in rules(tried.violations(faults=1))


def test_a_revoked_partition_that_was_forgotten_is_noticed(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, scope="partition", partitions=2)
    tried.instance = ""
    way = broken("forget_a_revoked_partition")
    with tried.running("checkpoint.every=1h", env=way) as life:
        life.address()
        tried.give(20)
        life.until(lambda: life.total("records_consumed_total") == 20)
        with tried.running() as other:
            # It reads again what the first one had learned, and not committed when it gave way.
            other.until(lambda: other.total("records_consumed_total") > 0)
            other.stop()
        life.stop()
    tried.run_to_the_end()
    assert "O3" in rules(tried.violations(faults=0))


def test_commits_of_partitions_that_others_own_are_noticed(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, scope="partition", partitions=2)
    tried.instance = ""
    tried.give(20)
    with ExitStack() as stack:
        life = stack.enter_context(tried.running(env=broken("no_fence_filter")))
        tried.settle(life)
        other = stack.enter_context(tried.running())
        life.until_told("partitions revoked")
        tried.give(40)
        other.until(lambda: other.total("records_consumed_total") > 0)
        watched = [tried.places() for _ in range(200)]
        other.stop()
        life.stop()
    offsets = [[place.offset for place in each.values()] for each in watched]
    assert tried.violations(faults=0), offsets
