"""Brokers that are away, slow or have forgotten, and processes that stand still, come and go."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.brokers.faulty import FaultyBroker
from tests.chaos.embedded_job import embedded_trial, started
from tests.chaos.evidence import Model
from tests.chaos.inputs import Event
from tests.chaos.life import Life, Nest
from tests.chaos.oracle import Fold
from tests.chaos.trial import Trial

EVENTS = 50


@pytest.fixture
def tried(nest: Nest, faulty_broker: FaultyBroker, tmp_path: Path) -> Trial:
    return embedded_trial(nest, faulty_broker, tmp_path)


def lags(life: Life) -> list[float]:
    """Records not yet read of each partition that a process owns."""
    told = life.metrics().items()
    return [value for key, value in told if key.startswith("streamfit_consumer_lag_records{")]


def test_row_13_a_process_that_stood_still_past_its_session_commits_nothing_when_it_goes_on(
    tried: Trial,
) -> None:
    with (
        started(tried, "checkpoint.every=1h", instance="") as zombie,
        tried.running(instance="") as heir,
    ):
        tried.give(EVENTS)
        zombie.until(lambda: zombie.total("model_version") == EVENTS)
        with zombie.frozen():
            heir.until(heir.log.exists)
            tried.settle(heir)
            tried.give(EVENTS)
        tried.settle(heir)
        zombie.until(lambda: zombie.total("rollbacks_total{reason=lost}") == 1)
        zombie.until(lambda: zombie.total("state{state=standby}") == 1)
    assert tried.violations(faults=2) == []


@pytest.mark.slow
def test_row_14_models_follow_their_partitions_to_a_second_member_and_back(
    nest: Nest, faulty_broker: FaultyBroker, tmp_path: Path
) -> None:
    tried = embedded_trial(nest, faulty_broker, tmp_path, "partition", 4)
    with started(tried, instance="") as stays:
        for _ in range(2):
            with started(tried, instance="") as guest:
                tried.give(EVENTS)
                tried.settle(guest)
                assert len(lags(guest)) == len(lags(stays)) == 2
                guest.stop()
            stays.until(lambda: len(lags(stays)) == 4)
            tried.give(EVENTS)
            tried.settle(stays)
        assert stays.total("rollbacks_total") == 0
        stays.stop()
    assert tried.violations() == []


def test_row_15_members_that_all_restart_together_share_the_partitions_again(
    nest: Nest, faulty_broker: FaultyBroker, tmp_path: Path
) -> None:
    tried = embedded_trial(nest, faulty_broker, tmp_path, "partition", 4)
    for starts in (1, 2):
        tried.give(EVENTS)
        with tried.running(instance="a") as one, tried.running(instance="b") as other:
            tried.settle(one)
            other.until(other.log.exists)
            one.until(lambda: len(lags(one)) == len(lags(other)) == 2)
            one.until(lambda: sum(lags(one)) + sum(lags(other)) == 0)
        assert tried.violations(faults=starts) == []


@pytest.mark.slow
def test_row_28_while_all_brokers_are_down_it_lives_and_is_not_ready_and_then_catches_up(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    with started(tried, "checkpoint.every=2s") as life:
        tried.give(EVENTS)
        life.until(lambda: life.total("model_version") == EVENTS)
        faulty_broker.down()
        life.until(lambda: not life.is_green("/readyz"))
        assert life.is_green("/livez")
        faulty_broker.up()
        tried.give(EVENTS)
        tried.settle(life)
        life.until(lambda: life.is_green("/readyz") and lags(life) == [0])
        life.stop()
    assert tried.violations(faults=1) == []


def test_row_29_a_slow_network_makes_nothing_be_done_twice(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    with started(tried) as life:
        tried.give(EVENTS)
        tried.settle(life)
        with life.frozen():
            tried.give(EVENTS)
            faulty_broker.rtt(300)
        life.until(lambda: life.total("committed_offset") == 2 * EVENTS)
        assert "max.poll.interval.ms" not in life.told()
        faulty_broker.rtt(0)
        assert tried.violations(life=life) == []


@pytest.mark.slow
def test_row_29_answers_that_take_5_s_end_nothing_for_good(
    nest: Nest, faulty_broker: FaultyBroker, tmp_path: Path
) -> None:
    tried = embedded_trial(nest, faulty_broker, tmp_path)
    tried.words = ()  # with the session of the settings, twice as long
    with started(tried) as life:
        tried.give(EVENTS)
        tried.settle(life)
        with life.frozen():
            tried.give(EVENTS)
            faulty_broker.rtt(5_000)
        life.until(lambda: life.total("committed_offset") == 2 * EVENTS)
        assert life.is_green("/livez")
        assert "max.poll.interval.ms" not in life.told()
        faulty_broker.rtt(0)
        tried.give(EVENTS)
        tried.settle(life)
        life.until(lambda: life.is_green("/readyz") and lags(life) == [0])
    assert tried.violations(faults=1) == []


def test_row_31_records_removed_before_they_were_read_stop_it_or_are_skipped_and_counted(
    tried: Trial, faulty_broker: FaultyBroker
) -> None:
    skipped = "records_skipped_total{reason=gap}"

    def lose_the_next(life: Life) -> None:
        """Give twice, the first of it gone before the process can read it."""
        with life.frozen():
            tried.give(EVENTS)
            first_left = len(tried.given)
            tried.give(EVENTS)
            faulty_broker.delete_records(tried.job.topic, 0, first_left)

    with started(tried) as life:
        tried.give(EVENTS)
        tried.settle(life)
        lose_the_next(life)
        assert life.end() == 5
        assert "50 records lost to the topic's retention" in life.told()
    assert tried.committed() == EVENTS
    with started(tried, "learning.on_gap=skip") as life:
        tried.settle(life)
        assert life.total(skipped) == EVENTS
        lose_the_next(life)
        tried.settle(life)
        assert life.total(skipped) == 2 * EVENTS
    left = [n for n in range(5 * EVENTS) if n // EVENTS in {0, 2, 4}]
    expected = fold(tried, left)
    predicted = tried.job.predicted()
    assert [each["offset"] for each in predicted] == left
    assert [each["prediction"] for each in predicted] == [said.value for said in expected.said]
    learned, right = tried.job.model()[-1], expected.steps[-1]
    np.testing.assert_allclose(learned.coef_, right.coef_, rtol=1e-9)
    assert learned.t_ == right.t_


def fold(tried: Trial, offsets: list[int]) -> Fold:
    """Learn what was given at some offsets by scikit-learn alone."""
    learned = Fold(Model())
    for offset in offsets:
        value = json.loads(tried.given[offset][1] or b"")
        x = np.array([[value["features"][name] for name in "abc"]])
        learned.advance(Event(0, offset, None, value["id"], x, value["label"], True, True))
    return learned
