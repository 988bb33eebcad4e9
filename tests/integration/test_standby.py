"""Hot standbys of a global model: one works, the others wait, and one of them takes over."""

import json
import logging
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.brokers.kafka import Kafka
from tests.integration.test_main_job import events, fold, values_of
from tests.jobs import Job, Running, samples

pytestmark = pytest.mark.integration
TIMEOUT_S = 60.0
_log = logging.getLogger(__name__)
QUICK_SESSION = ("--set", 'kafka.librdkafka={"session.timeout.ms"=6000}')


def state(running: Running) -> str:
    """Name the state that the metrics show; empty while there are none."""
    try:
        with urllib.request.urlopen(running.address() + "/metrics", timeout=5) as answer:
            told = samples(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return ""
    return next((k[22:-1] for k, v in told.items() if k.startswith("streamfit_state{") and v), "")


def await_state(running: Running, wanted: str) -> float:
    began = time.monotonic()
    while state(running) != wanted:
        assert running.process.poll() is None, running.log.read_text()
        assert time.monotonic() - began < TIMEOUT_S, (state(running), running.log.read_text())
        time.sleep(0.02)
    return time.monotonic() - began


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_a_standby_takes_over_after_a_clean_stop_and_after_kill_9(
    kafka: Kafka, tmp_path: Path, delivery: str
) -> None:
    job, records = Job(kafka, tmp_path, partitions=2), events(400)
    words = ("--set", f"output.delivery={delivery}", *QUICK_SESSION)
    with ExitStack() as stack:
        first = stack.enter_context(job.running(*words))
        await_state(first, "running")
        second = stack.enter_context(job.running(*words))
        third = stack.enter_context(job.running(*words))
        job.produce(records[:100])
        job.await_committed(100, first)
        await_state(second, "standby")
        await_state(third, "standby")
        first.stop()
        stopped = time.monotonic()
        while "running" not in {state(second), state(third)}:
            assert time.monotonic() - stopped < TIMEOUT_S
        _log.info("take-over after a clean stop: %.1f s", time.monotonic() - stopped)
        next_one, last = (second, third) if state(second) == "running" else (third, second)
        assert state(last) == "standby"
        job.produce(records[100:250])
        job.await_committed(250, next_one)
        next_one.process.kill()
        _log.info("take-over after kill -9: %.1f s, session 6 s", await_state(last, "running"))
        job.produce(records[250:])
        job.await_committed(400, last)
        last.stop()
    predicted = sorted(job.predicted(), key=lambda p: p["model_version"])
    assert [p["model_version"] for p in predicted] == list(range(400))
    by_id = {json.loads(value)["id"]: value for value in values_of(records)}
    _, model, _ = fold([by_id[p["id"]] for p in predicted])
    np.testing.assert_allclose(job.model()[-1].coef_, model.coef_, rtol=1e-9)
