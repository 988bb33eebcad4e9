"""Rows 11 and 12: an orderly end, asked for at any moment; the whole program on a real broker."""

import signal
from pathlib import Path

import pytest

from tests.brokers.kafka import Kafka
from tests.chaos.life import Nest
from tests.chaos.trial import trial

GRACE_S = 10.0


def test_rows_11_12_a_signal_while_idle_ends_in_order_however_often_it_comes(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, "checkpoint.every=3m", delivery="exactly_once")
    for numbers in ([signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM], [signal.SIGINT]):
        with tried.running() as life:
            tried.give(10)
            life.until(lambda: life.total("model_version") == len(tried.given))
            with life.frozen():  # so that they come at once
                for number in numbers:
                    life.send(number)
            assert life.end(GRACE_S) == 0, life.told()
        assert tried.committed() == len(tried.given)
    assert tried.violations() == []


@pytest.mark.parametrize(
    ("delivery", "failpoint", "number"),
    [
        ("at_least_once", "assigned:1", signal.SIGTERM),
        ("at_least_once", "consumed:2", signal.SIGINT),
        ("at_least_once", "saved:1", signal.SIGTERM),
        ("exactly_once", "assigned:1", signal.SIGINT),
        ("exactly_once", "learned:2", signal.SIGTERM),
        ("exactly_once", "saved:1", signal.SIGTERM),
        ("exactly_once", "offsets_sent:1", signal.SIGTERM),
    ],
)
def test_rows_11_12_a_signal_in_the_middle_of_anything_loses_nothing_and_repeats_nothing(
    nest: Nest,
    kafka: Kafka,
    tmp_path: Path,
    delivery: str,
    failpoint: str,
    number: signal.Signals,
) -> None:
    tried = trial(nest, kafka, tmp_path, "learning.max_batch=10", delivery=delivery)
    tried.give(40)
    with tried.running(failpoint=f"{failpoint}=stop") as life:
        life.await_stopped()
        life.send(number)
        life.thaw()
        assert life.end(GRACE_S) == 0, life.told()
    assert tried.violations(complete=False) == []
    tried.run_to_the_end()
    assert tried.violations() == []
