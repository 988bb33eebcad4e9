"""Rows 1 to 10 and 50: kill -9 at each named point; the whole program on a real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from tests.brokers.kafka import Kafka
from tests.chaos.killer import COMBINATIONS
from tests.chaos.life import Nest
from tests.chaos.trial import trial
from tests.jobs import TIMEOUT_S

# Points at which the nth time is one with an epoch behind it, and work that no epoch holds.
POINTS = {
    "row 1": "consumed:6",
    "row 1, decoded": "decoded:6",
    "row 2": "predicted:6",
    "row 3": "learned:6",
    "row 4": "flushed:3",
    "row 5": "saving:3",
    "row 6": "saved:3",
    "row 7": "offsets_sent:3",
    "row 8": "committed:3",
    "row 9": "gc:5",
    "row 10": "assigned:1",
}
# By day only these: the short chaos run kills at every point, too. Here the store is looked at.
BY_DAY = {
    "row 3": "at_least_once",
    "row 5": "at_least_once",
    "row 6": "exactly_once",
    "row 7": "exactly_once",
    "row 9": "at_least_once",
}
WORDS = ("learning.max_batch=5", "checkpoint.keep=2")


def cases() -> Iterator[object]:
    """Give some rows once by day, and all of them in each delivery and scope by night."""
    for row, failpoint in POINTS.items():
        for delivery, scope in COMBINATIONS:
            if "offsets_sent" in failpoint and delivery == "at_least_once":
                continue
            by_day = scope == "global" and delivery == BY_DAY.get(row)
            marks = () if by_day else (pytest.mark.slow,)
            name = f"{row}, {delivery}, {scope}"
            yield pytest.param(failpoint, delivery, scope, id=name, marks=marks)


@pytest.mark.parametrize(("failpoint", "delivery", "scope"), [*cases()])
def test_rows_1_to_10_after_kill_9_at_a_point_all_is_as_if_nothing_had_happened(
    nest: Nest, kafka: Kafka, tmp_path: Path, failpoint: str, delivery: str, scope: str
) -> None:
    tried = trial(nest, kafka, tmp_path, *WORDS, delivery=delivery, scope=scope, partitions=2)
    tried.give(20)
    if failpoint.startswith("assigned"):
        tried.run_to_the_end()
    with tried.running(failpoint=f"{failpoint}=kill") as life:
        while life.code is None:
            if tried.committed() == len(tried.given):
                tried.give(20)
        assert life.code == -9, life.told()
    killed_with, left = tried.keys(), tried.files()
    assert killed_with <= left  # row 9
    with tried.running() as life:
        for _ in range(3):
            tried.give(10)
            tried.settle(life)
        life.stop()
    assert tried.violations(faults=1) == []
    point = failpoint.partition(":")[0]
    temporary = {name for name in left if name.endswith(".tmp")}
    assert bool(temporary) == (point == "saving")  # row 5
    orphans = {name for name in left - temporary if is_orphan(name, killed_with)}
    if scope == "global":  # else another model's may be there in any case
        assert bool(orphans) == (point in {"saved", "offsets_sent"})  # row 6
    kept = tried.files()
    assert not kept & (temporary | orphans)
    assert tried.keys() <= kept


def is_orphan(name: str, committed: set[str]) -> bool:
    """Tell a checkpoint that is newer than the committed one of its model."""
    folder, _, own = name.rpartition("/")
    newest = [key for key in committed if key.rpartition("/")[0] == folder]
    return not newest or own.partition("-")[0] > newest[0].rpartition("/")[2].partition("-")[0]


def test_row_50_kill_9_again_and_again_is_as_if_nothing_had_happened(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, *WORDS, delivery="exactly_once", partitions=2)
    for kill in range(4):
        tried.give(10)
        with tried.running() as life:
            life.until_told("state: running" if kill % 2 else "partitions assigned")
            life.kill()
    tried.run_to_the_end()
    assert tried.violations(faults=4) == []


@pytest.mark.slow
def test_offsets_that_a_foreign_transaction_holds_are_waited_for_and_the_mend_is_named(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, delivery="exactly_once")
    tried.give(20)
    tried.run_to_the_end()
    options: dict[str, str | int | float | bool] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "log_level": 2,
    }
    producer = Producer({**options, "transactional.id": kafka.unique("foreign")})
    member = Consumer({**options, "group.id": tried.job.group})
    try:
        producer.init_transactions(TIMEOUT_S)
        producer.begin_transaction()
        offsets = list(tried.places().values())
        producer.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), TIMEOUT_S)
        with tried.running() as life:
            life.until_told(
                "Kafka is up, and does not tell the committed offsets of partitions [0]"
            )
            assert "kafka-transactions.sh find-hanging" in life.told()
            producer.abort_transaction(TIMEOUT_S)
            tried.give(20)
            tried.settle(life)
            life.stop()
    finally:
        member.close()
    assert tried.violations() == []
