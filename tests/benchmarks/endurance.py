"""Half an hour at full speed, watched: `python -m tests.benchmarks.endurance`.

A producer held to the consumer's pace, topics that keep 2 GB at most, a checkpoint each second, a
real Prometheus that scrapes. What is told: memory, speed and the share of each stage, at marks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from tests.benchmarks import endurance_page
from tests.benchmarks.contest import COMMAND, ContestError, settings_file
from tests.benchmarks.ground import machine, open_broker
from tests.benchmarks.observing import high_water
from tests.benchmarks.workload import create_topic
from tests.brokers.server import free_port
from tests.deploy.prometheus import Prometheus, scraping

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"
_PROJECT = Path(__file__).parents[2]
_SETTLED_S = 300.0  # until here memory may grow
_SAMPLE_S = 5.0
_MIB = 1024**2
# Input and predictions together 2 GB: a segment that is being written comes on top of what is kept.
_KEPT = {"retention_bytes": 192 * _MIB, "segment_bytes": 32 * _MIB, "file_delete_delay_ms": 1000}


@dataclass(frozen=True, slots=True)
class Sample:
    """The consumer at one moment; seconds since the start, sums since the start.

    Attributes
    ----------
    seconds, cpu_s : float
        Time, and processor time, gone by.
    resident_mib, peak_mib : float
        Memory now, and the most there ever was (VmHWM).
    learned, checkpoints, scrapes : float
        Events, commits, and answers that Prometheus got, by Prometheus.
    stages : dict of str to float
        Seconds spent in each stage, by Prometheus.
    """

    seconds: float
    cpu_s: float
    resident_mib: float
    peak_mib: float
    learned: float
    checkpoints: float
    scrapes: float
    stages: dict[str, float]


def main(words: Sequence[str] | None = None) -> int:
    """Run, write the page; 1 where memory grew after the first five minutes."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.endurance", description=__doc__
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--delivery", default="at_least_once")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the page")
    options = parser.parse_args(words)
    with open_broker(_say) as server, tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {
            "machine": machine(),
            "broker": f"Apache Kafka 4.3.0, {server.kind}, on the same machine",
            "began": f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
            "delivery": options.delivery,
        }
        with _running(server.bootstrap_servers, Path(folder), options.delivery) as watched:
            found["samples"] = [asdict(each) for each in _samples(*watched, options.minutes * 60)]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "endurance.json").write_text(json.dumps(found, indent=1) + "\n")
    verdict = endurance_page.write(found, options.out, _SETTLED_S)
    _say(verdict.text)
    return int(verdict.grew)


@contextmanager
def _running(
    bootstrap: str, folder: Path, delivery: str
) -> Iterator[tuple[psutil.Process, Prometheus]]:
    name = f"endurance-{uuid4().hex[:8]}"
    topics = {"input": f"{name}-in", "output": f"{name}-out"}
    for topic in topics.values():
        create_topic(bootstrap, topic, **_KEPT)
    create_topic(bootstrap, f"{topics['output']}-dlq", 1)
    file = settings_file(folder, delivery, {"bootstrap": bootstrap, "group": name, **topics})
    port = free_port()
    run = [COMMAND, "run", str(file), "--set", f"metrics.port={port}"]
    pace = [sys.executable, "-m", "tests.benchmarks.pace", bootstrap, topics["input"], name]
    with (folder / "log").open("wb") as log:
        consumer = subprocess.Popen(run, stdout=log, stderr=log)
        producer = subprocess.Popen(pace, cwd=_PROJECT)
        try:
            with scraping(folder, {"streamfit": [f"127.0.0.1:{port}"]}) as prometheus:
                yield psutil.Process(consumer.pid), prometheus
        except (psutil.Error, ContestError) as error:
            error.add_note((folder / "log").read_text()[-2000:])
            raise
        finally:
            for process in (producer, consumer):
                process.terminate()
                process.wait(60)


def _samples(consumer: psutil.Process, prometheus: Prometheus, seconds: float) -> Iterator[Sample]:
    """Take a sample every 5 s from the first learned event on."""
    deadline = time.monotonic() + 90
    while not (first := _sample(consumer, prometheus, time.monotonic())).learned:
        if time.monotonic() > deadline:
            raise ContestError("nothing was learned within 90 s")
        time.sleep(1)
    began = time.monotonic()
    yield first
    while (gone := time.monotonic() - began) < seconds:
        time.sleep(min(_SAMPLE_S, seconds - gone))
        sample = _sample(consumer, prometheus, began)
        if int(sample.seconds) % 60 < _SAMPLE_S:
            minutes, millions = sample.seconds / 60, sample.learned / 1e6
            _say(f"{minutes:.0f} min: {millions:.0f} M events, {sample.resident_mib:.0f} MiB")
        yield sample


def _sample(consumer: psutil.Process, prometheus: Prometheus, began: float) -> Sample:
    with consumer.oneshot():
        times, memory = consumer.cpu_times(), consumer.memory_info()
    stages = prometheus.query("sum by (stage) (streamfit_stage_duration_seconds_sum)")
    return Sample(
        seconds=time.monotonic() - began,
        cpu_s=times.user + times.system,
        resident_mib=memory.rss / _MIB,
        peak_mib=high_water([consumer]) / _MIB,
        learned=_value(prometheus, "sum(streamfit_records_learned_total)"),
        checkpoints=_value(prometheus, 'sum(streamfit_checkpoints_total{result="ok"})'),
        scrapes=_value(prometheus, "sum(sum_over_time(up[1h]))"),
        stages={each["metric"]["stage"]: float(each["value"][1]) for each in stages},
    )


def _value(prometheus: Prometheus, expression: str) -> float:
    """Give the one value of a query; 0 before the first scrape."""
    answer = prometheus.query(expression)
    return float(answer[0]["value"][1]) if answer else 0.0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201 its output


if __name__ == "__main__":
    sys.exit(main())
