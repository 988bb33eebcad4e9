"""The page of metrics says what the program shows."""

import re
from dataclasses import replace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from learners.learner import Task
from metrics.health import Health
from metrics.names import Metric
from metrics.pages import Pages
from metrics.status.board import Board
from tests.deploy import metrics_page
from tests.deploy.prometheus import promtool
from tests.metrics.scrape import BATCH, EPOCH, REPORT, Scrape


def test_the_page_of_metrics_is_what_its_generator_makes() -> None:
    made = metrics_page.page()
    assert metrics_page.PAGE.read_text() == made, "python -m tests.deploy.metrics_page"


def test_every_metric_stands_in_one_table_of_the_page() -> None:
    tables = metrics_page.tables()
    for metric in Metric:
        (_,) = re.findall(rf"^\| `{metric.sample_name}(?:_bucket)?`", tables, re.MULTILINE)


def test_every_metric_that_the_page_names_is_shown_by_a_run() -> None:
    families = Scrape().families().values()
    shown = {sample.name for family in families for sample in family.samples}
    shown |= {metric.sample_name for metric in Metric}
    named = set(re.findall(r"\bstreamfit_\w+", metrics_page.PAGE.read_text()))
    assert named
    assert named <= shown


def test_the_page_lists_what_is_served() -> None:
    pages = Pages(CollectorRegistry(), Health(), cast("Board", None), lambda: 0.0)._pages
    listed = re.findall(r"^\| `(/\w*)` \|", metrics_page.PAGE.read_text(), re.MULTILINE)
    assert listed == list(pages)


@pytest.mark.parametrize("partitioned", [False, True])
@pytest.mark.parametrize("task", list(Task))
def test_promtool_finds_no_fault_in_any_task_and_scope(task: Task, *, partitioned: bool) -> None:
    scrape = Scrape(task, partitioned=partitioned)
    scrape.exporter.batch(replace(BATCH, partition=0))
    scrape.exporter.batch(replace(REPORT, partition=0))
    scrape.exporter.epoch(EPOCH)
    promtool("check", "metrics", stdin=generate_latest(scrape.registry).decode())
