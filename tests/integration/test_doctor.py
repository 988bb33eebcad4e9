"""`streamfit doctor` on a real broker: what it finds there, and that it changes nothing."""

import contextlib
import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from consumers.cli import main
from tests.brokers.kafka import Kafka
from tests.jobs import TIMEOUT_S, Job, run_command

pytestmark = pytest.mark.usefixtures("logs_as_before")

EVENT = {"id": "e", "features": {"a": 1.0, "b": 2.0, "c": 0.5}, "label": "up"}
VALUE = json.dumps(EVENT).encode()
Findings = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def learned(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Give a job that has learned 20 records and ended."""
    job = Job(kafka, tmp_path_factory.mktemp("doctor"), partitions=2)
    job.produce([(None, VALUE)] * 20)
    job.run_until(20)
    return job


def examined(job: Job, *words: str) -> tuple[int, Findings]:
    """Call the command in this process; gives its exit code, and the worst finding of each code."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["doctor", str(job.file), "--json", *words])
    order = ("ok", "not looked at", "note", "warning", "problem")
    told = sorted(json.loads(out.getvalue()), key=lambda each: order.index(each["level"]))
    assert all(each.keys() == {"code", "level", "seen", "why", "mend"} for each in told)
    return code, {each["code"]: each for each in told}


def state_of(job: Job) -> tuple[Any, ...]:
    """Give all that the doctor must not change: offsets, ends, topics, groups, files."""
    admin = AdminClient({"bootstrap.servers": job.kafka.bootstrap_servers})
    groups = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result(TIMEOUT_S).valid
    config = {"bootstrap.servers": job.kafka.bootstrap_servers, "group.id": "looks-on"}
    consumer = Consumer(config)
    try:
        ends = [
            consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=TIMEOUT_S)
            for topic in (job.topic, job.predictions, job.dead_letters)
        ]
    finally:
        consumer.close()
    committed = [(place.partition, place.offset, place.metadata) for place in job.committed()]
    there = [path for path in (job.folder / job.group).rglob("*") if path.is_file()]
    assert there
    files = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in there}
    # The broker is shared: only names that the doctor could have made count.
    names = [*admin.list_topics(timeout=TIMEOUT_S).topics, *(each.group_id for each in groups)]
    mine = sorted(name for name in names if job.group in name or name.startswith(job.topic))
    return committed, ends, mine, files


def test_a_job_that_is_well_has_no_problem_and_nothing_is_changed(learned: Job) -> None:
    before = state_of(learned)
    code, found = examined(learned)
    assert code == 0, found
    assert state_of(learned) == before
    assert not [each for each in found.values() if each["level"] == "problem"]
    for ok in ("broker.reachable", "store.newest", "group.members", "group.lag", "clock.records"):
        assert found[ok]["level"] == "ok", found[ok]
        assert found[ok]["mend"] is None
    assert "goes on at model version 20" in found["group.start"]["seen"]
    assert "records decode" in found["topics.sample"]["seen"]
    assert found["rights.topic"]["level"] in {"ok", "not looked at"}


def test_people_get_groups_and_a_summary(learned: Job) -> None:
    done = run_command("doctor", str(learned.file), "--set", "output.delivery=exactly_once")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    headings = [line for line in lines if not line.startswith(" ")][:-1]
    assert headings[:4] == ["client", "settings", "store", "broker"]
    assert headings[-4:] == ["topics", "rights", "clock", "group"]
    assert lines[-1].endswith(" ok")
    assert "[broker.transaction_timeout]" in done.stdout
    assert "\x1b" not in done.stdout


def test_with_strict_a_warning_counts(learned: Job) -> None:
    words = ("--set", "checkpoint.keep=1")
    assert examined(learned, *words)[0] == 0
    assert examined(learned, *words, "--strict")[0] >= 2


def test_without_kafka_everything_else_is_still_looked_at(
    learned: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.kafka.cluster.TIMEOUT_S", 0.5)
    code, found = examined(learned, "--set", "kafka.bootstrap_servers=127.0.0.1:1")
    assert code == 3
    assert found["broker.reachable"]["level"] == "problem"
    assert found["store.newest"]["level"] == "ok"
    for section in ("topics", "rights", "clock", "group"):
        assert found[f"{section}.all"]["level"] == "not looked at"


def test_configs_of_topics_that_lose_records_are_found(kafka: Kafka, tmp_path: Path) -> None:
    topic = kafka.create_topic(
        cleanup_policy="compact",
        unclean_leader_election_enable="true",
        message_timestamp_type="LogAppendTime",
        retention_ms=3_600_000,
        max_message_bytes=5_000_000,
    )
    job = Job(kafka, tmp_path, topic=topic)
    _, found = examined(job)
    for code in ("compacted", "unclean_election"):
        assert found[f"topics.{code}"]["level"] == "warning"
        assert topic in found[f"topics.{code}"]["seen"]
    for code in ("append_time", "retention", "record_size"):
        assert found[f"topics.{code}"]["level"] == "note"


def test_a_missing_topic_and_records_that_do_not_decode_are_problems(learned: Job) -> None:
    words = ("--set", "output.topic=not-there", "--set", 'schema.features=["a","q"]')
    code, found = examined(learned, *words)
    assert "not-there" in found["topics.there"]["seen"]
    assert found["topics.sample"]["level"] == "problem"
    assert found["group.start"]["level"] == "problem"  # learned under other settings
    assert code == 5


def test_a_member_is_named_while_it_runs(learned: Job) -> None:
    with learned.running("--set", "input.instance=pod-0") as running:
        deadline = time.monotonic() + TIMEOUT_S
        seen = ""
        while "partitions: 0, 1" not in seen:
            assert time.monotonic() < deadline, seen
            _, found = examined(learned)
            seen = found["group.members"]["seen"]
        running.stop()
    assert "pod-0" in seen
    assert found["group.members"]["level"] == "note"


def test_unread_records_that_retention_will_remove_soon_are_a_warning(
    kafka: Kafka, tmp_path: Path
) -> None:
    topic = kafka.create_topic(retention_ms=7_200_000)
    job = Job(kafka, tmp_path, topic=topic)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    hour_and_half_ago = int((time.time() - 5_400) * 1000)
    for _ in range(5):
        producer.produce(topic, VALUE, timestamp=hour_and_half_ago)
    assert producer.flush(TIMEOUT_S) == 0
    job.commit(2)
    code, found = examined(job)
    assert found["group.expiring"]["level"] == "warning"
    assert "expires in" in found["group.expiring"]["seen"]
    assert "3 records" in found["group.lag"]["seen"]
    assert "1.5 h old" in found["group.lag"]["seen"]
    assert found["group.start"]["level"] == "problem"  # somebody else committed
    assert "without a checkpoint" in found["group.start"]["seen"]
    assert code == 5


def test_records_that_are_gone_before_they_were_read_are_a_problem(
    kafka: Kafka, tmp_path: Path
) -> None:
    topic = kafka.create_topic()
    job = Job(kafka, tmp_path, topic=topic)
    job.produce([(None, VALUE)] * 10)
    job.commit(2)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    removed = admin.delete_records([TopicPartition(topic, 0, 6)])
    for each in removed.values():
        each.result(TIMEOUT_S)
    code, found = examined(job)
    assert found["group.gap"]["level"] == "problem"
    assert "partition 0: 4" in found["group.gap"]["seen"]
    assert code == 5


def test_records_from_the_future_and_a_damaged_checkpoint_are_found(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(job.topic, VALUE, timestamp=int((time.time() + 1_800) * 1000))
    assert producer.flush(TIMEOUT_S) == 0
    job.run_until(1)
    key = json.loads(job.committed()[0].metadata or "")["key"]
    damaged = job.folder / job.group / key
    damaged.write_bytes(damaged.read_bytes()[:100])
    code, found = examined(job)
    assert found["clock.records"]["level"] == "warning"
    assert found["store.newest"]["level"] == "warning"
    assert found["group.start"]["level"] == "problem"
    assert code == 5
