"""One round: replicas at work, faults as planned, healing, and the judgement of what is left."""

import json
import pickle
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from subprocess import Popen

from confluent_kafka import KafkaException

from tests.brokers.kafka import Kafka
from tests.chaos.battle import PATIENCE_S, Battle, OverdueError
from tests.chaos.checker import check
from tests.chaos.evidence import Evidence, Model, Where, gather
from tests.chaos.faults import commit_fault
from tests.chaos.fleet import Fleet, ReplicaError, last_words
from tests.chaos.ground import Ground
from tests.chaos.killer import PARTITIONS, Plan
from tests.chaos.tally import Tally
from tests.chaos.traffic import Traffic
from tests.chaos.violations import Violation
from tests.jobs import SETTINGS, samples

# What a process leaves open as it stops, the broker ends: after the time-out of ten seconds, for
# which it looks every ten.
OPEN_S = 25.0
# Short epochs and small batches: many failpoints a second. Two checkpoints: collected at once.
WORDS = ("checkpoint.every=100ms", "checkpoint.keep=2", "learning.max_batch=64")


def settings_for_nursery(folder: Path) -> Path:
    """Write settings with the model of every round, which the nursery compiles once."""
    names = ("bootstrap", "topic", "group", "predictions", "dead_letters")
    file = folder / "nursery.toml"
    file.write_text(SETTINGS.format(store=folder / "nursery", **{name: name for name in names}))
    return file


def play(plan: Plan, broker: Kafka, nursery: "Popen[str]", folder: Path) -> Tally:
    """Play a round in a folder of its own, and judge it; violations are in what it gives."""
    folder.mkdir(parents=True)
    ground = Ground(broker, folder, PARTITIONS)
    job = ground.job
    traffic = Traffic(broker.bootstrap_servers, job.topic, PARTITIONS, plan.seed, plan.rate)
    words = (f"output.delivery={plan.delivery}", f"learning.scope={plan.scope}", *WORDS)
    fleet = Fleet(nursery, job.file, words, folder / "logs", static=plan.static)
    battle = Battle(ground, fleet, traffic, broker, plan)
    tally, start_s = battle.tally, time.monotonic()
    metrics: Counter[str] | None = None
    try:
        battle.begin()
        for fault in plan.faults:
            _diary(folder, start_s, fault)
            commit_fault(battle, fault)
        _diary(folder, start_s, "healing")
        _heal(battle, traffic)
        metrics = _scraped(battle)
        _end(battle)
    except (OverdueError, ReplicaError, TimeoutError) as error:
        tally.violations.append(Violation("run", str(error)))
    finally:
        fleet.close()
        ground.close()
    tally.seconds = time.monotonic() - start_s
    tally.events, tally.restarts = traffic.sent, fleet.restarts
    _judge(ground, tally, metrics)
    return tally


def _diary(folder: Path, start_s: float, what: object) -> None:
    with (folder / "diary.txt").open("a") as file:
        file.write(f"{time.time():.3f} {time.monotonic() - start_s:6.2f} s {what}\n")


def _heal(battle: Battle, traffic: Traffic) -> None:
    """Let everyone work until the whole input is committed."""
    battle.everyone_up()
    if battle.tally.scope == "partition":
        # One that was killed may have left a transaction open: it is ended by its successor, once
        # that owns something, or else by the broker's time-out.
        for name in battle.wanted:
            battle.wait_until(partial(_works, battle, name), f"{name} owns partitions")
    traffic.end()
    end = battle.ground.end()
    battle.wait_until(lambda: battle.ground.committed >= end, f"all {end} records are committed")


def _works(battle: Battle, name: str) -> bool:
    log = battle.fleet.replicas[name].log
    return log is not None and log.exists() and "state: running" in log.read_text()


def _scraped(battle: Battle) -> Counter[str]:
    """Give the metrics of all replicas, added up."""
    total: Counter[str] = Counter()
    for name in battle.wanted:
        told: Counter[str] = Counter()
        battle.wait_until(partial(_scrape, battle, name, told), f"{name} tells its metrics")
        total.update(told)
    return total


def _scrape(battle: Battle, name: str, told: Counter[str]) -> bool:
    """Ask a replica for its metrics; it may just be starting again."""
    log = battle.fleet.replicas[name].log
    assert log is not None
    address = log.read_text().partition("metrics on ")[2].partition("/metrics")[0]
    try:
        with urllib.request.urlopen(f"{address}/metrics", timeout=PATIENCE_S) as answer:
            told.update(samples(answer.read().decode()))
    except (OSError, ValueError):
        return False
    return True


def _end(battle: Battle) -> None:
    """Ask everyone to leave: all of them end with 0."""
    names = battle.fleet.up()
    for name in names:
        battle.fleet.dismiss(name)
    for name in names:
        battle.wait_down(name)
        replica = battle.fleet.replicas[name]
        if replica.code != 0:
            raise ReplicaError(f"{name} left with {replica.code}\n{last_words(replica)}")


def _judge(ground: Ground, tally: Tally, metrics: Mapping[str, float] | None) -> None:
    """Hold what is left against what was promised; without violations the run was complete."""
    job = ground.job
    where = Where(
        job.kafka.bootstrap_servers,
        *(job.topic, job.predictions, job.dead_letters, job.group),
        ground.store,
    )
    complete = not tally.violations
    try:
        evidence = gather(where, Model(), pending_s=OPEN_S)
    except (KafkaException, TimeoutError) as error:
        tally.violations.append(Violation("run", f"nothing to judge: {error}"))
        return
    found = check(
        evidence,
        delivery=tally.delivery,
        scope=tally.scope,
        metrics=metrics,
        history=ground.history,
        faults=tally.faults,
        complete=complete,
    )
    # A run that was broken off was ended by kill -9: its last transaction may well be open.
    tally.violations += [each for each in found if complete or each.rule != "O6"]
    tally.repeats = _repeats(evidence)
    if tally.violations:
        _keep(evidence, ground, tally)


def _repeats(evidence: Evidence) -> int:
    """Count the predictions beyond the first of each event."""
    told = [
        json.loads(record.value or b"{}") for log in evidence.predictions.values() for record in log
    ]
    return len(told) - len({(each.get("partition"), each.get("offset")) for each in told})


def _keep(evidence: Evidence, ground: Ground, tally: Tally) -> None:
    folder = ground.job.folder
    (folder / "evidence.pickle").write_bytes(pickle.dumps(evidence))
    (folder / "history.pickle").write_bytes(pickle.dumps(ground.history))
    (folder / "tally.json").write_text(tally.as_json())
    (folder / "violations.txt").write_text("\n".join(map(str, tally.violations)) + "\n")
