"""An exporter fed with facts, and its text read back with the client library's own parser."""

from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from learners.learner import Task
from metrics.exporter import Exporter
from metrics.facts import BatchFacts, EpochFacts
from metrics.names import Metric

BATCH = BatchFacts(
    consumed=10,
    decoded=7,
    learned=4,
    unlabelled=2,
    poisoned=1,
    predicted=6,
    rejected={("decode", "malformed"): 1, ("label", "unknown_label"): 1},
    skipped={"tombstone": 1},
    dead_letters={"decode": 1, "label": 1, "learn": 1},
    seconds={"decode": 0.0002, "step": 0.00004, "produce": 0.002},
    latency_seconds=0.02,
    model_version=4,
    next_offsets={0: 10},
)
REPORT = replace(
    BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 4, {}),
    lag={0: 5, 1: 0},
    lag_seconds={0: 1.5, 1: 0.0},
)
EPOCH = EpochFacts(
    ok=True,
    epoch=3,
    time_s=1_700_000_000.0,
    seconds={"flush": 0.001, "save": 0.01, "commit": 0.006},
    checkpoint_bytes=5000,
    committed={0: 10, 1: 20},
)


class Scrape:
    """An exporter, and what it shows."""

    def __init__(self, task: Task = Task.CLASSIFICATION, *, partitioned: bool = False) -> None:
        self.registry = CollectorRegistry()
        self.partitioned = partitioned
        self.exporter = Exporter(
            self.registry,
            task=task,
            topic="events",
            stride=10,
            version="1.2.3",
            partitioned=partitioned,
        )

    def families(self) -> dict[str, Family]:
        text = generate_latest(self.registry).decode()
        return {family.name: family for family in text_string_to_metric_families(text)}

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        """Values of a counter or gauge by their label values, in the order of the definition."""
        definition = Metric[name.upper()].value
        further = ("partition",) if self.partitioned and definition.per_model else ()
        labels = (*definition.labels, *further)
        samples = self.families()[f"streamfit_{name}"].samples
        assert all(set(sample.labels) == set(labels) for sample in samples)
        return {tuple(s.labels[label] for label in labels): s.value for s in samples}

    def value(self, name: str, *labels: str) -> float:
        return self.series(name)[labels]

    def total(self, name: str) -> float:
        return sum(self.series(name).values())
