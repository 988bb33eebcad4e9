"""The PromQL of the dashboards: what it asks for, and that Prometheus can read it."""

import re
from pathlib import Path

import pytest
import yaml

from metrics.names import Kind, Metric
from tests.deploy.dashboards.reading import filled, queries, read
from tests.deploy.dashboards.written import DIRECTORY
from tests.deploy.prometheus import promtool

QUERIES = {
    f"{name}-{number}-{asked.where}": asked.expression
    for name in ("model", "consumer")
    for number, asked in enumerate(queries(read(DIRECTORY / f"{name}.json")))
}

PROCESS = {
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_start_time_seconds",
    "process_open_fds",
    "process_max_fds",
}
SUFFIXES = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
NAMES = {
    metric.sample_name + suffix: metric
    for metric in Metric
    for suffix in SUFFIXES.get(metric.value.kind, ("",))
}
_SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")
_ASKED = re.compile(r"\b(?:streamfit|process)_\w+")

each_query = pytest.mark.parametrize("expression", QUERIES.values(), ids=QUERIES)


@each_query
def test_a_query_asks_for_known_metrics_of_the_chosen_application(expression: str) -> None:
    selectors = _SELECTOR.findall(expression)
    assert {name for name, _ in selectors} == set(_ASKED.findall(expression))
    for name, matchers in selectors:
        assert 'job=~"$application"' in matchers
        if name in PROCESS:
            continue
        definition = NAMES[name].value
        assert ('topic=~"$topic"' in matchers) == ("topic" in definition.labels)
        assert ('partition=~"$model"' in matchers) == definition.per_model


@each_query
def test_a_query_asks_for_labels_that_the_metric_has(expression: str) -> None:
    for name, matchers in _SELECTOR.findall(expression):
        known = set(NAMES[name].value.labels) if name in NAMES else set()
        asked = set(re.findall(r"(\w+)=", matchers)) - {"job"}
        assert asked - {"partition"} <= known


@each_query
def test_a_rate_is_taken_over_the_interval_that_fits_the_scrapes(expression: str) -> None:
    windows = re.findall(r"\b(rate|increase|deriv|changes)\([^[]*\[([^]]*)\]", expression)
    assert len(windows) == expression.count("[")
    for function, window in windows:
        assert window == ("$__range" if function == "increase" else "$__rate_interval")


def test_prometheus_itself_can_read_every_query(tmp_path: Path) -> None:
    values = {"application": "a|b", "topic": ".+", "model": ".*"}
    rules = [
        {"record": f"query:{number}", "expr": filled(expression, values)}
        for number, expression in enumerate(QUERIES.values())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    assert f"{len(QUERIES)} rules found" in promtool("check", "rules", str(file))


def test_every_metric_is_on_a_dashboard_but_these() -> None:
    shown = {
        NAMES[name]
        for expression in QUERIES.values()
        for name, _ in _SELECTOR.findall(expression)
        if name in NAMES
    }
    # Decoded ones are those learned, unlabelled and poisoned, which are shown.
    assert set(Metric) - shown == {Metric.RECORDS_DECODED}
