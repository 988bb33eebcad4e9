"""Rows 31 to 35: what may happen to the input topic and to the group's offsets in a real broker."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from tests.brokers.kafka import Kafka
from tests.chaos.life import Nest
from tests.chaos.trial import Trial, trial
from tests.jobs import TIMEOUT_S

QUICK_METADATA = "kafka.librdkafka.topic.metadata.refresh.interval.ms=200"


def admin_of(tried: Trial) -> AdminClient:
    return AdminClient({"bootstrap.servers": tried.job.kafka.bootstrap_servers, "log_level": 2})


def expire(tried: Trial, before: int) -> None:
    """Let retention remove the records of the first partition before an offset."""
    place = TopicPartition(tried.job.topic, 0, before)
    admin = admin_of(tried)  # kept: its futures fail when it is collected
    for found in admin.delete_records([place]).values():
        assert found.result(TIMEOUT_S).low_watermark == before


def grow(tried: Trial, partitions: int) -> None:
    """Add partitions to the topic, and wait until they can be written to."""
    admin = admin_of(tried)
    for done in admin.create_partitions([NewPartitions(tried.job.topic, partitions)]).values():
        done.result(TIMEOUT_S)
    deadline = time.monotonic() + TIMEOUT_S
    while len(admin.list_topics(tried.job.topic).topics[tried.job.topic].partitions) < partitions:
        assert time.monotonic() < deadline
    tried.job.partitions = partitions


def make_anew(tried: Trial) -> None:
    """Delete the topic, and make one of its name as soon as it is gone everywhere."""
    admin, topic = admin_of(tried), tried.job.topic
    admin.delete_topics([topic])[topic].result(TIMEOUT_S)
    new = NewTopic(topic, tried.job.partitions)
    until_done(lambda: admin.create_topics([new])[topic], KafkaError.TOPIC_ALREADY_EXISTS)


def delete_group(tried: Trial) -> None:
    """Delete the group as soon as its last member has left."""
    admin, group = admin_of(tried), tried.job.group
    until_done(lambda: admin.delete_consumer_groups([group])[group], KafkaError.NON_EMPTY_GROUP)


def until_done(ask: Callable[[], Future[Any]], not_yet: int) -> None:
    """Ask again while the answer is a certain error."""
    deadline = time.monotonic() + TIMEOUT_S
    while (error := ask().exception(TIMEOUT_S)) is not None:
        if error.args[0].code() != not_yet or time.monotonic() > deadline:
            raise error


def test_row_31_records_removed_before_a_start_stop_it_or_are_skipped_and_counted(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path)
    tried.give(20)
    tried.run_to_the_end()
    tried.give(30)
    expire(tried, 45)
    with tried.running() as life:
        assert life.end() == 5
        told = "the next offset is 20, the first one still there is 45: 25 records lost"
        assert told in life.told()
        assert "learning.on_gap = 'fail'" in life.told()
    assert tried.committed() == 20
    with tried.running("learning.on_gap=skip") as life:
        tried.settle(life)
        assert life.total("records_skipped_total{reason=gap}") == 25
        assert life.total("records_learned_total") == 5
        life.stop()
    assert [each["offset"] for each in tried.job.predicted()] == [*range(20), *range(45, 50)]
    assert tried.job.model()[-1].t_ == 26.0


@pytest.mark.parametrize(
    ("delivery", "policy"), [("at_least_once", "fail"), ("exactly_once", "skip")]
)
def test_row_31_records_removed_under_a_running_reader_stop_it_or_are_skipped_and_counted(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str, policy: str
) -> None:
    words = (f"learning.on_gap={policy}", "limits.max_uncheckpointed=1")
    tried = trial(nest, kafka, tmp_path, *words, delivery=delivery)
    tried.give(20)
    with tried.running() as life:
        tried.settle(life)
        with tried.without_store():  # so that it holds still, and fetches nothing
            tried.give(1)
            life.until(lambda: life.total("paused") == 1)
            tried.give(29)
            expire(tried, 45)
        if policy == "fail":
            assert life.end() == 5
            told = "the next offset is 21, the first one still there is 45: 24 records lost"
            assert told in life.told()
        else:
            tried.settle(life)
            assert life.total("records_skipped_total{reason=gap}") == 24
            life.stop()
    last = [] if policy == "fail" else [*range(45, 50)]
    assert tried.committed() == (50 if last else 21)
    assert [each["offset"] for each in tried.job.predicted()] == [*range(21), *last]
    assert tried.job.model()[-1].t_ == 22.0 + len(last)


@pytest.mark.parametrize(
    ("delivery", "scope"), [("at_least_once", "partition"), ("exactly_once", "global")]
)
def test_row_33_a_partition_that_is_added_is_read_from_its_start(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str, scope: str
) -> None:
    tried = trial(nest, kafka, tmp_path, QUICK_METADATA, delivery=delivery, scope=scope)
    tried.give(20)
    with tried.running() as life:
        tried.settle(life)
        grow(tried, 3)
        tried.give(60)
        tried.settle(life)
        life.until(lambda: life.total("consumer_lag_records") == 0)
        assert tried.violations(life=life) == []
        life.stop()
    tried.give(30)
    tried.run_to_the_end()
    assert tried.violations() == []
    assert {each["partition"] for each in tried.job.predicted()} == {0, 1, 2}


def test_row_32_a_topic_made_anew_stops_a_start_or_is_begun_with_the_model_that_there_was(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path)
    for _ in range(2):
        tried.give(15)
        tried.run_to_the_end()
    make_anew(tried)  # the committed offsets go with it
    tried.job.produce(tried.given[:10])
    with tried.running() as life:
        assert life.end() == 5
        assert "the group has no committed offsets, but the store holds" in life.told()
        assert "learning.on_reset = 'fail'" in life.told()
    with tried.running("learning.on_reset=follow_checkpoint") as life:
        assert life.end() == 5
        assert "set learning.on_reset to 'follow_kafka'" in life.told()
    with tried.running("learning.on_reset=follow_kafka") as life:
        life.until(lambda: tried.committed() == 10)
        assert life.total("model_version") == 40
        life.stop()
    said = [(each["offset"], each["model_version"]) for each in tried.job.predicted()]
    assert said == [*((n, n) for n in range(30)), *((n, 30 + n) for n in range(10))]
    tried.job.produce(tried.given[10:20])
    with tried.running() as life:  # nothing is amiss any more
        life.until(lambda: tried.committed() == 20)
        life.stop()
    assert tried.job.model()[-1].t_ == 51.0


def test_row_32_a_topic_deleted_under_a_running_reader_ends_it_and_nothing_is_pretended(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, QUICK_METADATA)
    with tried.running() as life:
        for _ in range(2):
            tried.give(15)
            tried.settle(life)
        make_anew(tried)
        tried.job.produce(tried.given[:10])
        assert life.end() in {3, 5}
        assert tried.job.topic in life.told()
    assert tried.places() == {}
    with tried.running() as life:
        assert life.end() == 5
        assert "learning.on_reset = 'fail'" in life.told()


@pytest.mark.parametrize("policy", ["follow_kafka", "follow_checkpoint"])
def test_row_34_a_group_that_was_deleted_stops_a_start_or_is_replaced(
    nest: Nest, kafka: Kafka, tmp_path: Path, policy: str
) -> None:
    tried = trial(nest, kafka, tmp_path)
    tried.instance = ""  # a member that leaves the group when it ends
    for _ in range(2):
        tried.give(15)
        tried.run_to_the_end()
    delete_group(tried)
    with tried.running() as life:
        assert life.end() == 5
        assert "offsets expired, or the group was deleted" in life.told()
        assert "learning.on_reset = 'fail'" in life.told()
    assert tried.places() == {}
    tried.give(10)
    with tried.running(f"learning.on_reset={policy}") as life:
        tried.settle(life)
        life.stop()
    again = 30 if policy == "follow_kafka" else 0  # from the start, with the model that there was
    assert tried.job.model()[-1].t_ == 41.0 + again


@pytest.mark.parametrize("policy", ["follow_kafka", "follow_checkpoint"])
def test_row_35_offsets_that_an_operator_reset_stop_a_start_or_are_followed_or_not(
    nest: Nest, kafka: Kafka, tmp_path: Path, policy: str
) -> None:
    tried = trial(nest, kafka, tmp_path)
    tried.instance = ""  # a member that leaves the group when it ends
    tried.give(20)
    tried.run_to_the_end()
    tried.job.commit(5)
    with tried.running() as life:
        assert life.end() == 5
        assert "something else committed for this group" in life.told()
        assert "learning.on_reset = 'fail'" in life.told()
    assert tried.committed() == 5
    tried.give(10)
    with tried.running(f"learning.on_reset={policy}") as life:
        tried.settle(life)
        life.stop()
    again = 15 if policy == "follow_kafka" else 0
    assert tried.job.model()[-1].t_ == 31.0 + again
    versions = [each["model_version"] for each in tried.job.predicted()]
    assert versions == list(range(30 + again))
