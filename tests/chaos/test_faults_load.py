"""Rows 43 and 47: a large backlog, and more scrapers than anybody has; the whole program."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from confluent_kafka import Producer

from tests.brokers.kafka import Kafka
from tests.chaos.life import Life, Nest
from tests.chaos.trial import trial
from tests.jobs import TIMEOUT_S, Job

BACKLOG = 300_000
# The bar is 400 MB; the queues alone, unbounded, would hold more than this.
MOST_KB = 450_000
SCRAPERS = 200


def peak_kb(pid: int) -> int:
    """Give the most memory that a process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_row_43_a_large_backlog_is_worked_off_in_bounded_memory(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "queue.buffering.max.messages": BACKLOG,
            "linger.ms": 50,
        }
    )
    for i in range(BACKLOG):
        a = i % 97 / 97
        label = "up" if a > 0.5 else "down"
        value = f'{{"id":"{i}","features":{{"a":{a},"b":1,"c":{i % 7}}},"label":"{label}"}}'
        producer.produce(job.topic, value.encode())
    assert producer.flush(TIMEOUT_S) == 0
    with job.running() as running:
        job.await_committed(BACKLOG, running)
        peak = peak_kb(running.process.pid)
        running.stop()
    assert job.model()[-1].t_ == BACKLOG + 1.0
    assert peak < MOST_KB


def test_row_47_a_port_that_is_taken_is_told_at_once(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with tried.running(f"metrics.port={port}") as life:
            assert life.end() == 2
            assert f"metrics.port = {port}" in life.told()
            assert len(life.told().splitlines()) == 1


def scrape(address: str, count: int) -> Iterator[bytes]:
    """Scrape by many at a time: all ask before the first reads an answer."""
    host = urlsplit(address)
    calls = [socket.create_connection((host.hostname, host.port), TIMEOUT_S) for _ in range(count)]
    for call in calls:
        call.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    for call in calls:
        with call, call.makefile("rb") as answer:
            yield answer.read()


def scraped_until(life: Life, version: int) -> int:
    """Scrape until the model has learned so much; gives how many answers there were."""
    deadline, answers = time.monotonic() + TIMEOUT_S, 0
    while life.total("model_version") < version:
        assert time.monotonic() < deadline
        for answer in scrape(life.address(), SCRAPERS):
            assert answer.startswith(b"HTTP/1.0 200 ")
            assert b"streamfit_records_consumed_total" in answer
            answers += 1
    return answers


def test_row_47_hundreds_of_scrapers_at_a_time_cost_no_event(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    tried = trial(nest, kafka, tmp_path, "learning.max_batch=1", "checkpoint.every=20ms")
    with tried.running() as life:
        life.until_told("state: running")
        tried.give(200)
        assert scraped_until(life, 200) >= SCRAPERS
        tried.settle(life)
        assert life.total("rollbacks_total") == 0
        assert tried.violations(life=life) == []
        life.stop()
