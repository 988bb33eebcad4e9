"""Every query of the dashboards and rules, asked of a real Prometheus that scrapes real runs.

Three processes are scraped: one that learns classes and its standby, with one model for all
partitions and transactions; and one that learns numbers, with a model for each partition.
"""

import json
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.absence import command
from tests.brokers.kafka import Kafka
from tests.deploy import queries
from tests.deploy.prometheus import TIMEOUT_S, Prometheus, promtool, scraping
from tests.integration.test_main_job import Record, events
from tests.jobs import Job, Running

pytestmark = pytest.mark.integration

BAD: list[Record] = [(b"k", b"{"), (b"k", b'{"id": "x"}')]
EXACTLY_ONCE = ("--set", "output.delivery=exactly_once")
# Queries that have no data while all is well, with the reason.
SILENT = {
    "StreamfitAbsent (1)": "absent() gives a series only where there is none",
}


@dataclass(frozen=True)
class Scraped:
    """What runs: Prometheus, and the processes that it scrapes."""

    prometheus: Prometheus
    classes: Running
    standby: Running
    numbers: Running


def _numbers(records: list[Record]) -> list[Record]:
    """Turn labels into numbers."""
    made: list[Record] = []
    for key, value in records:
        event = json.loads(value or b"")
        event["label"] = 3.0 * event["features"]["a"] + 1.0
        made.append((key, json.dumps(event).encode()))
    return made


def _job_of_numbers(kafka: Kafka, folder: Path) -> Job:
    job = Job(kafka, folder, partitions=2)
    text = job.file.read_text().replace('classes = ["down", "up"]\n', "")
    text = text.replace("SGDClassifier", "SGDRegressor").replace("log_loss", "squared_error")
    job.file.write_text(f'{text}[learning]\nscope = "partition"\n')
    return job


def _await(prometheus: Prometheus, expression: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not prometheus.query(expression):
        assert time.monotonic() < deadline, expression
        time.sleep(0.2)


def _await_learned(prometheus: Prometheus, events_each: int) -> None:
    for job in ("classes", "numbers"):
        learned = f'sum(streamfit_records_learned_total{{job="{job}"}})'
        _await(prometheus, f"{learned} >= {events_each}")


@pytest.fixture(scope="module")
def scraped(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """Let events flow, dead letters among them, until Prometheus has seen counters grow twice."""
    command("prometheus", "apt-get install prometheus")
    folder = tmp_path_factory.mktemp("scraped")
    classes, numbers = Job(kafka, folder, partitions=2), _job_of_numbers(kafka, folder)
    with ExitStack() as stack:
        owner = stack.enter_context(classes.running(*EXACTLY_ONCE))
        regressor = stack.enter_context(numbers.running())
        classes.produce(events(10))
        classes.await_committed(10, owner)
        standby = stack.enter_context(classes.running(*EXACTLY_ONCE))
        addresses = {"classes": [owner, standby], "numbers": [regressor]}
        targets = {
            job: [running.address().removeprefix("http://") for running in each]
            for job, each in addresses.items()
        }
        prometheus = stack.enter_context(scraping(folder, targets))
        _await(prometheus, "count(up == 1) == 3")
        for first in (10, 210):
            made = events(200, first=first)
            classes.produce([*made, *BAD])
            numbers.produce([*_numbers(made), *BAD])
            _await_learned(prometheus, 200 * (first // 200 + 1))
        _await(prometheus, 'sum(streamfit_state{state="standby"}) == 1')
        yield Scraped(prometheus, owner, standby, regressor)
        for running in (standby, owner, regressor):
            running.stop()


def _require_data(prometheus: Prometheus, asked: dict[str, str]) -> None:
    """Ask until each query gives a number, NaN being none."""
    deadline = time.monotonic() + TIMEOUT_S / 2
    left = dict(asked)
    while left and time.monotonic() < deadline:
        for name, expression in list(left.items()):
            values = [sample["value"][1] for sample in prometheus.query(expression)]
            if any(value != "NaN" for value in values):
                del left[name]
        if left:
            time.sleep(0.5)
    assert not left, "\n".join(f"no data: {name}: {each}" for name, each in left.items())


def test_every_query_of_every_panel_returns_data(scraped: Scraped) -> None:
    asked = queries.panel_queries()
    assert asked
    _require_data(scraped.prometheus, asked)


def test_every_query_of_a_mark_on_the_charts_has_data_to_look_at(scraped: Scraped) -> None:
    _require_data(scraped.prometheus, queries.mark_queries())


def test_every_recorded_series_has_data(scraped: Scraped) -> None:
    recorded = queries.recorded()
    _require_data(scraped.prometheus, recorded | {f"{name}, recorded": name for name in recorded})


def test_both_sides_of_every_alert_have_data(scraped: Scraped) -> None:
    asked = {
        # What was a quarter of an hour ago is not known yet.
        f"{name} ({place})": operand.replace("offset 15m", "offset 2s")
        for name, expression in queries.alerts().items()
        for place, operand in enumerate(queries.operands(expression), 1)
    }
    loud = {name: each for name, each in asked.items() if name not in SILENT}
    assert set(SILENT) == asked.keys() - loud.keys()
    _require_data(scraped.prometheus, loud)


def test_no_critical_alert_begins_while_all_is_well(scraped: Scraped) -> None:
    for name, expression in queries.alerts("critical").items():
        assert scraped.prometheus.query(expression) == [], name


def _evaluated(prometheus: Prometheus) -> list[dict[str, Any]]:
    """Wait until each rule was evaluated once."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        rules = prometheus.rules()
        if rules and all(rule["health"] != "unknown" for rule in rules):
            return rules
        assert time.monotonic() < deadline, rules
        time.sleep(0.2)


def test_prometheus_evaluates_every_rule_without_an_error(scraped: Scraped) -> None:
    rules = _evaluated(scraped.prometheus)
    assert {rule["name"] for rule in rules} == set(queries.alerts()) | set(queries.recorded())
    for rule in rules:
        assert rule["health"] == "ok", rule
        assert not rule.get("lastError"), rule


@pytest.mark.parametrize("name", ["classes", "standby", "numbers"])
def test_promtool_finds_no_fault_in_what_a_run_shows(scraped: Scraped, name: str) -> None:
    running: Running = getattr(scraped, name)
    with urllib.request.urlopen(f"{running.address()}/metrics", timeout=TIMEOUT_S) as answer:
        promtool("check", "metrics", stdin=answer.read().decode())
