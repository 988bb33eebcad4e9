"""The checker on what a real job leaves behind, with one kill -9 in between."""

import json
import time
from pathlib import Path

from tests.brokers.kafka import Kafka
from tests.chaos.checker import Folds, check
from tests.chaos.evidence import Evidence, Model, Where, gather
from tests.chaos.honest import Raw, events
from tests.jobs import TIMEOUT_S, Job

PARTITIONS, PART = 3, 200
# Without a fixed instance, a successor waits until the broker has given the dead one up.
INSTANCE = ("--set", "input.instance=one")


def records() -> list[Raw]:
    """Make events, among them bad records, tombstones, and events without label or key."""
    made = events(3 * PART, bare=0.1)
    made[40::100] = [(b"bad", b"{")] * 6
    made[70::200] = [(b"gone", None)] * 3
    made[90::200] = [(None, value) for _, value in made[90::200]]
    return made


def evidence_of(job: Job) -> Evidence:
    store = job.folder / job.group
    topics = job.topic, job.predictions, job.dead_letters
    return gather(Where(job.kafka.bootstrap_servers, *topics, job.group, store), Model())


def run_and_kill(job: Job, predictions: int) -> None:
    """Run without an epoch's end, and kill it once so many predictions are there in all."""
    with job.running(*INSTANCE, "--set", "checkpoint.every=1h") as running:
        deadline = time.monotonic() + TIMEOUT_S
        while len(job.read(job.predictions)) < predictions:
            assert time.monotonic() < deadline, running.log.read_text()
            assert running.process.poll() is None, running.log.read_text()
        running.process.kill()
        running.process.wait()


def committed(job: Job) -> dict[int, tuple[int, int]]:
    return {p.partition: (p.offset, json.loads(p.metadata or "")["epoch"]) for p in job.committed()}


def test_nothing_is_found_in_a_job_that_was_killed_and_went_on(
    kafka: Kafka, tmp_path: Path
) -> None:
    job, made = Job(kafka, tmp_path, partitions=PARTITIONS), records()
    job.produce(made[:PART])
    job.run_until(PART, *INSTANCE)
    history = [committed(job)]
    job.produce(made[PART : 2 * PART])
    run_and_kill(job, 2 * PART - 6)
    folds = Folds(Model())
    between = evidence_of(job)
    found = check(
        between,
        delivery="at_least_once",
        scope="global",
        history=history,
        complete=False,
        folds=folds,
    )
    assert list(map(str, found)) == []
    job.produce(made[2 * PART :])
    job.run_until(3 * PART, *INSTANCE)
    history.append(committed(job))
    after = evidence_of(job)
    found = check(
        after, delivery="at_least_once", scope="global", history=history, faults=1, folds=folds
    )
    assert list(map(str, found)) == []
    # It did say things twice, and a checker that knows of no fault does not let that pass.
    found = check(after, delivery="at_least_once", scope="global", folds=folds)
    assert {violation.rule for violation in found} == {"O3", "O8"}
    assert sum(map(len, after.predictions.values())) >= 4 * PART - 12
    assert sum(map(len, after.dead_letters.values())) >= 6
