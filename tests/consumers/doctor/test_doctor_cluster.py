"""What the doctor makes of what a cluster tells: brokers, topics, rights and clocks."""

from dataclasses import replace
from typing import Any

import pytest

from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Place
from consumers.doctor import broker, clock, rights, topics
from consumers.doctor.facts import BrokerFacts, GroupFacts, PartitionFacts, TopicFacts
from consumers.doctor.finding import Finding, Level
from consumers.settings import Settings, from_tables
from tests.settings_tables import tables

CONFIGS = {
    "transaction.max.timeout.ms": "900000",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "group.min.session.timeout.ms": "6000",
    "group.max.session.timeout.ms": "1800000",
    "group.coordinator.rebalance.protocols": "classic,consumer",
    "offset.metadata.max.bytes": "4096",
    "offsets.retention.minutes": "10080",
    "authorizer.class.name": "",
}
CLUSTER = BrokerFacts("kafka:9092", brokers=3, configs=CONFIGS)
TOPIC_CONFIGS = {
    "min.insync.replicas": "2",
    "cleanup.policy": "delete",
    "unclean.leader.election.enable": "false",
    "retention.ms": "604800000",
    "message.timestamp.type": "CreateTime",
    "max.message.bytes": "1048588",
}
PARTITION = PartitionFacts(0, leader=1, replicas=3, in_sync=3)
EXACTLY_ONCE = {"output.delivery": "exactly_once"}


def settings(changes: dict[str, Any] | None = None) -> Settings:
    return from_tables(tables(changes))


def topic(key: str = "input.topic", name: str = "events", **configs: str) -> TopicFacts:
    told = {**TOPIC_CONFIGS, **{key.replace("_", "."): value for key, value in configs.items()}}
    return TopicFacts(key, name, (PARTITION,), told, frozenset({"READ", "WRITE"}))


def well() -> list[TopicFacts]:
    return [
        topic(),
        topic("output.topic", "predictions"),
        topic("output.dead_letter_topic", "events.dlq"),
    ]


def by_code(findings: list[Finding]) -> dict[str, Finding]:
    return {each.code: each for each in findings}


def of_broker(facts: BrokerFacts, changes: dict[str, Any] | None = None) -> dict[str, Finding]:
    return by_code(list(broker.judge(settings(changes), facts)))


def of_topics(there: list[TopicFacts], brokers: int = 3) -> dict[str, Finding]:
    return by_code(list(topics.judge(settings(), there, brokers)))


def with_broker(**configs: str) -> BrokerFacts:
    told = {key.replace("_", "."): value for key, value in configs.items()}
    return replace(CLUSTER, configs={**CONFIGS, **told})


def test_a_cluster_that_does_what_is_asked_is_well() -> None:
    found = of_broker(CLUSTER, EXACTLY_ONCE)
    assert {each.level for each in found.values()} == {Level.OK}
    assert "3 brokers" in found["broker.reachable"].seen


@pytest.mark.parametrize(
    ("code", "level", "configs", "changes"),
    [
        ("transaction_timeout", Level.PROBLEM, {"transaction_max_timeout_ms": "5000"}, {}),
        (
            "internal_topics",
            Level.PROBLEM,
            {"transaction_state_log_replication_factor": "5"},
            {},
        ),
        ("session_timeout", Level.PROBLEM, {"group_min_session_timeout_ms": "30000"}, {}),
        (
            "group_protocol",
            Level.PROBLEM,
            {"group_coordinator_rebalance_protocols": "classic"},
            {"kafka.librdkafka": {"group.protocol": "consumer"}},
        ),
        ("offset_metadata", Level.PROBLEM, {"offset_metadata_max_bytes": "128"}, {}),
        ("offsets_retention", Level.NOTE, {"offsets_retention_minutes": "4320"}, {}),
        ("offsets_retention", Level.WARNING, {"offsets_retention_minutes": "60"}, {}),
    ],
)
def test_what_a_broker_forbids_is_told(
    code: str, level: Level, configs: dict[str, str], changes: dict[str, Any]
) -> None:
    found = of_broker(with_broker(**configs), {**EXACTLY_ONCE, **changes})[f"broker.{code}"]
    assert found.level is level
    assert found.why
    assert found.mend


def test_internal_topics_that_are_there_already_are_no_problem() -> None:
    facts = replace(
        with_broker(transaction_state_log_replication_factor="5"),
        internal_topics=frozenset({"__transaction_state"}),
    )
    assert "broker.internal_topics" not in of_broker(facts, EXACTLY_ONCE)


def test_a_broker_that_hides_its_configs_is_told_as_not_looked_at() -> None:
    found = of_broker(replace(CLUSTER, configs=None, controller=None))
    assert found["broker.configs"].level is Level.SKIPPED
    assert found["broker.controller"].level is Level.WARNING


def test_the_mock_cluster_is_noted_and_cannot_do_exactly_once() -> None:
    mock = BrokerFacts("localhost:1", embedded=True, brokers=0)
    assert of_broker(mock)["broker.embedded"].level is Level.NOTE
    refused = of_broker(mock, EXACTLY_ONCE)["broker.embedded"]
    assert (refused.level, refused.exit_code) == (Level.PROBLEM, 2)


def test_the_longest_pointer_is_at_least_as_long_as_any() -> None:
    prefix = Place("tests", "events").prefix
    key = f"{prefix}/9999999999-123e4567-e89b-12d3-a456-426614174000"
    usual = Pointer(key, "f" * 64, 9_999_999_999, 2**30).to_metadata()
    assert broker.longest_pointer(settings()) >= len(usual) + 1


def test_topics_that_keep_what_they_get_are_well() -> None:
    assert {each.level for each in of_topics(well()).values()} == {Level.OK}


def test_a_topic_that_is_missing_is_named_with_its_key() -> None:
    found = list(topics.judge(settings(), well()[1:], 3))
    missing = next(each for each in found if each.level is Level.PROBLEM)
    assert missing.code == "topics.there"
    assert missing.exit_code == 3
    assert missing.seen.startswith("input.topic = 'events'")


@pytest.mark.parametrize(
    ("code", "level", "configs"),
    [
        ("compacted", Level.WARNING, {"cleanup_policy": "compact,delete"}),
        ("unclean_election", Level.WARNING, {"unclean_leader_election_enable": "true"}),
        ("retention", Level.NOTE, {"retention_ms": "3600000"}),
        ("append_time", Level.NOTE, {"message_timestamp_type": "LogAppendTime"}),
        ("min_insync", Level.WARNING, {"min_insync_replicas": "1"}),
        ("min_insync_all", Level.WARNING, {"min_insync_replicas": "3"}),
        ("record_size", Level.NOTE, {"max_message_bytes": "20000000"}),
    ],
)
def test_a_topic_that_may_lose_records_is_told(
    code: str, level: Level, configs: dict[str, str]
) -> None:
    there = [topic("input.topic", "events", **configs), *well()[1:]]
    assert of_topics(there)[f"topics.{code}"].level is level


def test_a_single_replica_is_a_note_on_one_broker_and_a_warning_on_several() -> None:
    alone = replace(topic(), partitions=(PartitionFacts(0, 1, 1, 1),))
    there = [alone, *well()[1:]]
    assert of_topics(there, brokers=1)["topics.single_replica"].level is Level.NOTE
    assert of_topics(there, brokers=3)["topics.single_replica"].level is Level.WARNING


def test_replicas_that_are_behind_are_a_problem_where_nothing_can_be_written() -> None:
    behind = replace(topic(), partitions=(PartitionFacts(0, 1, 3, 2),))
    assert of_topics([behind, *well()[1:]])["topics.in_sync"].level is Level.WARNING
    stopped = replace(topic(), partitions=(PartitionFacts(0, 1, 3, 1),))
    assert of_topics([stopped, *well()[1:]])["topics.in_sync"].level is Level.PROBLEM
    headless = replace(topic(), partitions=(PartitionFacts(0, None, 3, 3),))
    assert of_topics([headless, *well()[1:]])["topics.leader"].level is Level.PROBLEM


def test_too_many_partitions_for_the_memory_are_a_warning() -> None:
    many = replace(topic(), partitions=tuple(PartitionFacts(p, 1, 3, 3) for p in range(900)))
    assert of_topics([many, *well()[1:]])["topics.queue_share"].level is Level.WARNING


def rights_of(
    there: list[TopicFacts], group: GroupFacts | None, facts: BrokerFacts
) -> list[Finding]:
    return list(rights.judge(settings(EXACTLY_ONCE), facts, there, group))


def test_rights_that_are_granted_are_well() -> None:
    group = GroupFacts("empty", operations=frozenset({"READ"}))
    found = rights_of(well(), group, CLUSTER)
    assert [each.level for each in found] == [Level.OK] * 5


def test_rights_that_are_missing_are_named() -> None:
    there = [replace(each, operations=frozenset({"DESCRIBE"})) for each in well()]
    group = GroupFacts("empty", operations=frozenset({"DESCRIBE"}))
    found = rights_of(there, group, with_broker(authorizer_class_name="Authorizer"))
    assert [each.code for each in found] == [*["rights.topic"] * 3, "rights.group", found[-1].code]
    assert {each.level for each in found[:4]} == {Level.PROBLEM}
    assert "READ is not granted" in found[0].seen
    assert "WRITE is not granted" in found[1].seen
    assert (found[4].code, found[4].level) == ("rights.transactional_id", Level.SKIPPED)


def test_rights_that_nobody_tells_are_not_looked_at() -> None:
    there = [replace(each, operations=None) for each in well()]
    found = rights_of(there, None, replace(CLUSTER, configs=None))
    assert {each.level for each in found} == {Level.SKIPPED}


def test_records_from_the_future_tell_that_a_clock_is_off() -> None:
    assert clock.judge_records(1_000_000, 990.0).level is Level.WARNING
    assert clock.judge_records(1_000_000, 990.0).code == "clock.records"
    well_ = clock.judge_records(1_000_000, 1_090.0)
    assert well_.level is Level.OK
    assert "1.5 min" in well_.seen
    assert "cannot be told" in well_.seen
    assert clock.judge_records(None, 990.0).level is Level.SKIPPED
