"""The demo's page of metrics: the same as that of any run."""

import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from metrics.names import Metric
from tests.jobs import COMMAND, TIMEOUT_S, samples

EVENTS = 45_312  # rows of Elec2


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """Give what a demo shows when it has learned everything."""
    log = tmp_path / "demo.log"
    words = [COMMAND, "demo", "--json", "--keep", "--dirty", "20"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=stderr, env={**os.environ, "COLUMNS": "200"}
        )
    try:
        deadline = time.monotonic() + TIMEOUT_S
        while not (told := re.search(r"metrics: (http\S+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        with urllib.request.urlopen(told[1], timeout=TIMEOUT_S) as answer:
            yield answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(TIMEOUT_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def test_the_demo_shows_every_metric_with_its_type_and_counters_that_add_up(page: str) -> None:
    types = dict(re.findall(r"^# TYPE (streamfit_\w+) (\w+)$", page, re.MULTILINE))
    told = {"info": "gauge"}  # the text format knows no info
    assert types == {
        metric.sample_name: told.get(metric.value.kind, metric.value.kind) for metric in Metric
    }
    shown = samples(page)

    def total(metric: Metric) -> float:
        name = metric.sample_name
        return sum(v for key, v in shown.items() if key.partition("{")[0] == name)

    decoded = total(Metric.RECORDS_DECODED)
    assert total(Metric.RECORDS_CONSUMED) == decoded + total(Metric.RECORDS_REJECTED) + total(
        Metric.RECORDS_SKIPPED
    )
    assert decoded == total(Metric.RECORDS_LEARNED) + total(Metric.RECORDS_UNLABELLED) + total(
        Metric.RECORDS_POISONED
    )
    assert total(Metric.RECORDS_LEARNED) == EVENTS
    assert total(Metric.DEAD_LETTERS) == 20
