"""The log of the program as a process on a real broker: JSON lines, without anybody's values."""

import json
from pathlib import Path
from typing import Any

import pytest

from learners.rejections import Reason
from metrics import events
from tests.brokers.kafka import Kafka
from tests.collector import collector
from tests.jobs import FEATURES, Job

# What stands in events, keys and settings, and must not stand in a log.
VALUES = ("4711.25", "maybe-label", "key-of-a-user", "0.123456789", "8.7e+300", "hunter2", "id-77")
BAD = (
    b'{"id": "id-77", "features": {"a": "4711.25", "b": 1, "c": 2}}',
    b'{"id": "id-77", "features": {"a": 0.123456789, "b": 8.7e+300, "c": 2}, "label": "up"}',
    b'{"id": "id-77", "features": {"a": 1, "b": 2, "c": 3}, "label": "maybe-label"}',
    b'{"id": "id-77", "features": {"a": 4711.25, "b": 2}, "label": "up"}',
    b'{"id": "id-77", "features": 4711.25 hunter2',
    b"4711.25\xff",
    b"",
)


def good(number: int) -> bytes:
    x = [float(number % 7), float(number % 5), 0.123456789]
    features = dict(zip(FEATURES, x, strict=True))
    label = "up" if number % 7 > 3 else "down"
    return json.dumps({"id": "id-77", "features": features, "label": label}).encode()


@pytest.fixture(scope="module")
def told(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, list[str]]:
    """Give the lines of a run with bad records, and with a collector that refuses."""
    job = Job(kafka, tmp_path_factory.mktemp("told"))
    with job.file.open("a") as settings:
        settings.write('[kafka.librdkafka]\n"sasl.username" = "x"\n"sasl.password" = "hunter2"\n')
    job.produce([(b"key-of-a-user", BAD[i % 7] if i % 10 == 9 else good(i)) for i in range(200)])
    with collector() as refusing:
        endpoint = refusing.endpoint
    words = ("--set", f"tracing.endpoint={endpoint}", "--set", "input.instance=replica-0")
    text = job.run_until(200, *words, "--set", "log.level=debug")
    return job, text.splitlines()


def test_every_line_is_json_with_an_event_of_the_list(told: tuple[Job, list[str]]) -> None:
    job, lines = told
    for line in map(json.loads, lines):
        assert line["event"] in events.ALL
        assert line["event"] != "other"
        assert line["level"] in {"debug", "info", "warning", "error"}
        assert line["timestamp"].endswith("Z")
        assert line["logger"].startswith(("streamfit.", "opentelemetry.", "py.warnings"))
        assert line["message"]
        assert (line["group"], line["instance"]) == (job.group, "replica-0")
        assert "topic" in line


def test_no_value_key_or_secret_stands_in_a_line(told: tuple[Job, list[str]]) -> None:
    _, lines = told
    assert [line for line in lines if any(value in line for value in VALUES)] == []


def test_a_run_is_told_from_its_beginning_to_its_end_with_its_figures(
    told: tuple[Job, list[str]],
) -> None:
    found: dict[str, dict[str, Any]] = {}
    for line in map(json.loads, told[1]):
        found.setdefault(line["event"], line)
    assert {"starting", "partitions_changed", "state_changed", "stopped"} <= found.keys()
    summary = found["summary"]
    assert summary["consumed"] == 200
    assert summary["dead_letters"] == 20
    assert summary["model_version"] == 180
    assert summary["resident_bytes"] > 10**7
    assert 0 <= summary["accuracy"] <= 1
    assert {"rate", "lag", "kappa_t", "no_change"} <= summary.keys()
    refused = found["dead_letters"]
    assert refused["level"] == "warning"
    assert refused["count"] == sum(refused["stages"].values())
    assert (refused["partition"], refused["offset"] % 10) == (0, 9)
    assert refused["reason"] in {str(reason) for reason in Reason}
    assert found["partitions_changed"]["partitions"] == [0]
    assert found["epoch_committed"]["level"] == "debug"
    assert found["epoch_committed"]["epoch"] == 1
    lines = map(json.loads, told[1])
    of_the_run = [line["event"] for line in lines if line["logger"] == "streamfit.run"]
    assert of_the_run[-1] == "stopped"


def test_lines_are_sentences_where_the_settings_ask_for_text(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    job.produce([(None, good(i)) for i in range(20)])
    with job.running("--set", "log.format=text", "--set", "log.level=warning") as running:
        job.await_committed(20, running)
        running.stop()
        text = running.log.read_text()
    assert "{" not in text
    assert "state: running" not in text
