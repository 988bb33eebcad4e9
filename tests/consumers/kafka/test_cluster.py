"""What a cluster says of its topics where there is nothing to read from or write to."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from consumers import checks
from consumers.connecting import open_runner
from consumers.errors import KafkaUnreachableError
from consumers.kafka import cluster
from consumers.kafka.cluster import Cluster
from consumers.settings import from_tables
from consumers.views.observers import Observers
from tests.settings_tables import tables

TOPICS = {"input.topic": "events", "output.topic": "predictions"}


@pytest.fixture
def partitions(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Give what the broker tells: the number of partitions of each topic."""
    told = {"events": 1, "predictions": 1, "events.dlq": 1}

    def metadata(*_: object) -> Any:
        topics = {
            name: SimpleNamespace(partitions=dict.fromkeys(range(count)))
            for name, count in told.items()
        }
        return SimpleNamespace(cluster_id="mockCluster", topics=topics)

    monkeypatch.setattr(cluster, "_metadata", metadata)
    return told


def test_each_topic_without_partitions_is_named(partitions: dict[str, int]) -> None:
    asked = Cluster({"bootstrap.servers": "127.0.0.1:1"})
    assert asked.partitions_of(TOPICS) == {"events": 1, "predictions": 1}
    partitions["events"] = partitions["predictions"] = 0
    with pytest.raises(KafkaUnreachableError) as caught:
        asked.partitions_of(TOPICS)
    assert str(caught.value).splitlines() == [
        "input.topic = 'events': no partitions; create the topic, or name another",
        "output.topic = 'predictions': no partitions; create the topic, or name another",
    ]
    del partitions["events"]
    with pytest.raises(KafkaUnreachableError, match=r"'events': no such topic.*\n.*no partitions"):
        asked.partitions_of(TOPICS)


def test_a_run_does_not_begin_with_an_input_topic_without_partitions(
    partitions: dict[str, int],
) -> None:
    partitions["events"] = 0
    with (
        pytest.raises(KafkaUnreachableError, match=r"^input\.topic = 'events': no partitions"),
        open_runner(from_tables(tables()), Observers([])),
    ):
        pass


def test_a_check_names_an_input_topic_without_partitions_and_reads_nothing_of_it(
    partitions: dict[str, int], tmp_path: Path
) -> None:
    partitions["events"] = 0
    settings = from_tables(tables({"checkpoint.store": f"file://{tmp_path}"}))
    told = {finding.what: finding for finding in checks.findings(settings)}
    assert isinstance(told["input.topic"].error, KafkaUnreachableError)
    assert told["input.topic"].found.startswith("input.topic = 'events': no partitions")
    assert "sample" not in told
    assert told["output.topic"].error is None
