"""The tables of docs/metrics.md, made of the names and of what a run shows at its start.

The text around them is written by hand. `python -m tests.deploy.metrics_page` writes them anew.
"""

from collections import defaultdict
from pathlib import Path

from prometheus_client import CollectorRegistry

from learners.learner import Task
from metrics.exporter import Exporter
from metrics.names import Kind, Metric

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN, END = "<!-- tables: python -m tests.deploy.metrics_page -->", "<!-- end of tables -->"
# Each group goes from its first metric to that of the next one.
GROUPS = {
    Metric.RECORDS_CONSUMED: "Records and predictions",
    Metric.REBALANCES: "Group, epochs and drift",
    Metric.PREQUENTIAL_SCORED: "What was scored",
    Metric.CONSUMER_LAG_RECORDS: "Partitions",
    Metric.PREQUENTIAL_ACCURACY: "Scores and baselines",
    Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS: "State of the consumer",
    Metric.BATCH_RECORDS: "Distributions",
    Metric.BUILD_INFO: "Versions",
}
_OPEN = {
    "topic": "the input topic",
    "partition": "number of the partition",
    "version": "of streamfit",
    "python": "its version",
    "scikit_learn": "its version",
}
_ON_EACH = " Counts from 0 in each process."


def _closed_sets() -> dict[str, dict[str, list[str]]]:
    """Give the values of each label of each sample: all with known labels are there at the start.

    They come as they are registered, which is the order of the definitions.
    """
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for task in Task:
        registry = CollectorRegistry()
        Exporter(registry, task=task, topic="events", stride=1, version="")
        for sample in (sample for family in registry.collect() for sample in family.samples):
            for label, value in sample.labels.items():
                values = found[sample.name][label]
                if value not in values:
                    values.append(value)
    return found


def _labels(metric: Metric, values: dict[str, list[str]]) -> str:
    names = list(metric.value.labels)
    if metric.value.kind is Kind.INFO:
        names += values
    told = [
        f"`{name}`: {_OPEN[name]}"
        if name in _OPEN
        else f"`{name}`: {', '.join(f'`{value}`' for value in values[name])}"
        for name in names
    ]
    if metric.value.per_model:
        told.append("`partition` in partition scope")
    return "; ".join(told) or "none"


def _line(metric: Metric, closed: dict[str, dict[str, list[str]]]) -> str:
    name, kind = metric.sample_name, metric.value.kind
    if kind is Kind.HISTOGRAM:
        shown = f"`{name}_bucket`, `_sum`, `_count`"
        values = closed[f"{name}_count"]
    else:
        shown, values = f"`{name}`", closed[name]
    meaning = metric.value.meaning.removesuffix(_ON_EACH)
    return f"| {shown} | {kind} | {_labels(metric, values)} | {meaning} |"


def tables() -> str:
    """Write all tables."""
    closed = _closed_sets()
    lines: list[str] = []
    for metric in Metric:
        if metric in GROUPS:
            lines += ["", f"### {GROUPS[metric]}", ""]
            lines += ["| name | kind | labels | meaning |", "|---|---|---|---|"]
        lines.append(_line(metric, closed))
    return "\n".join(lines[1:])


def page() -> str:
    """Give the page with its tables as they should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
