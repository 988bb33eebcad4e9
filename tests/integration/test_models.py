"""`streamfit models` on a real broker: what a run left is looked at, handed out, gone back to."""

import contextlib
import io
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from consumers.cli import main
from tests.brokers.kafka import Kafka
from tests.jobs import FEATURES, TIMEOUT_S, Job, run_command

pytestmark = pytest.mark.usefixtures("logs_as_before")

KEEP = ("--set", "checkpoint.keep=100")
Record = tuple[bytes | None, bytes | None]


def events(count: int, first: int = 0) -> list[Record]:
    random = np.random.default_rng(first)
    made: list[Record] = []
    for i, x in enumerate(random.normal(size=(count, 3)).tolist(), first):
        label = "up" if x[0] + x[1] > 0 else "down"
        value = {"id": f"e{i}", "features": dict(zip(FEATURES, x, strict=True)), "label": label}
        made.append((None, json.dumps(value).encode()))
    return made


def ran_twice(job: Job, *words: str) -> None:
    """Let a job learn 100 events, end, and learn 100 more."""
    for first in (0, 100):
        job.produce(events(100, first))
        job.run_until(first + 100, *KEEP, *words)


@dataclass(frozen=True)
class Ended:
    """A command that has come to its end."""

    returncode: int
    stdout: str
    stderr: str


def called(job: Job, command: str, *words: str) -> Ended:
    """Call a command in this process, which saves the start of another."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["models", command, str(job.file), *words])
    return Ended(code, out.getvalue(), err.getvalue())


def models(job: Job, command: str, *words: str) -> Any:
    """Call a command that must do well, and give its JSON."""
    done = called(job, command, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def at(job: Job, version: int, **marks: bool) -> dict[str, Any]:
    """Give the newest checkpoint of a model version."""
    rows = models(job, "list")["checkpoints"]
    fits = [r for r in rows if r["model_version"] == version and marks.items() <= r.items()]
    found: dict[str, Any] = fits[0]
    return found


def damage(job: Job, key: str) -> None:
    path = job.folder / job.group / key
    path.write_bytes(path.read_bytes()[:100])


def weights(pipeline: Pipeline) -> list[NDArray[np.float64]]:
    scaler, model = pipeline[0], pipeline[-1]
    t = np.array([model.t_, scaler.n_samples_seen_], dtype=np.float64)
    return [model.coef_, model.intercept_, scaler.mean_, scaler.var_, t]


def test_what_a_run_left_is_listed_shown_verified_and_exported(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    ran_twice(job)
    rows = models(job, "list")["checkpoints"]
    newest = rows[0]
    assert newest["committed"] is True
    assert newest["key"] == json.loads(job.committed()[0].metadata or "")["key"]
    assert (newest["model_version"], newest["next_offsets"]) == (200, {"0": 200})
    assert [row["epoch"] for row in rows] == list(range(len(rows), 0, -1))
    assert [row["parent"] for row in rows] == [*(row["key"] for row in rows[1:]), None]
    assert all(row["in_lineage"] and not row["orphan"] for row in rows)
    assert [row["committed"] for row in rows[1:]] == [False] * (len(rows) - 1)

    card = models(job, "show")
    assert card["checkpoint"] == newest
    assert card["scores"]["scored"] == 200
    assert 0.5 < card["scores"]["scores"]["cumulative"]["accuracy"] <= 1
    assert card["manifest"]["settings"]["schema"]["features"] == list(FEATURES)
    assert [step.partition("(")[0] for step in card["steps"]] == ["StandardScaler", "SGDClassifier"]
    older = at(job, 100)
    assert models(job, "show", str(older["epoch"]))["scores"]["scored"] == 100

    verified = run_command("models", "verify", str(job.file), "--all", "--json")
    assert verified.returncode == 0, verified.stderr
    verdicts = json.loads(verified.stdout)
    assert [each["key"] for each in verdicts["checkpoints"]] == [row["key"] for row in rows]

    file = tmp_path / "model.skops"
    assert models(job, "export", "--to", str(file))["model_version"] == 200
    opened = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    for ours, exported in zip(weights(job.model()), weights(opened), strict=True):
        np.testing.assert_array_equal(ours, exported)
    assert opened.predict([[2.0, 2.0, 0.0]]).tolist() == ["up"]
    again = called(job, "export", "--to", str(file))
    assert again.returncode == 2
    assert "is there already" in again.stderr
    models(job, "export", str(older["epoch"]), "--to", str(file), "--force")
    opened = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
    assert opened[-1].t_ == 101.0


@pytest.mark.parametrize(
    ("protocol", "delivery"), [("classic", "at_least_once"), ("consumer", "exactly_once")]
)
def test_a_job_that_went_back_ends_as_if_it_had_run_straight_on_bit_for_bit(
    kafka: Kafka, tmp_path: Path, protocol: str, delivery: str
) -> None:
    words: tuple[str, ...] = ("--set", f"kafka.librdkafka.group.protocol={protocol}")
    words += ("--set", f"output.delivery={delivery}")
    job = Job(kafka, tmp_path)
    ran_twice(job, *words)
    straight, said = weights(job.model()), job.predicted()
    target = at(job, 100)
    done = models(job, "rollback", str(target["epoch"]), *words)
    assert done["found_by"] == "lineage"
    assert done["to"] == {"epoch": target["epoch"], "key": target["key"]}
    assert done["checkpoint"]["epoch"] == done["from"]["epoch"] + 1
    assert done["next_offsets"] == {"0": 100}
    assert done["predictions_anew"] == {"0": {"from": 100, "until": 200}}
    (place,) = job.committed()
    assert place.offset == 100
    assert json.loads(place.metadata or "")["key"] == done["checkpoint"]["key"]
    newest = models(job, "list")["checkpoints"][0]
    assert (newest["committed"], newest["parent"]) == (True, done["from"]["key"])
    assert at(job, 200)["in_lineage"] is True  # so one may go forward again

    job.run_until(200, *KEEP, *words)
    for one, other in zip(straight, weights(job.model()), strict=True):
        np.testing.assert_array_equal(one, other)
    assert job.predicted() == [*said, *said[100:]]


def test_nobody_goes_back_while_a_member_runs(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(10))
    with job.running() as running:
        job.await_committed(10, running)
        refused = called(job, "rollback", "1")
        running.stop()
    assert refused.returncode == 4, refused.stderr
    assert "member " in refused.stderr
    assert "host " in refused.stderr
    assert job.committed()[0].offset == 10


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_static_member_that_left_is_named_by_its_instance(
    kafka: Kafka, tmp_path: Path, protocol: str
) -> None:
    job = Job(kafka, tmp_path)
    words: tuple[str, ...] = ("--set", f"kafka.librdkafka.group.protocol={protocol}")
    words += ("--set", "input.instance=pod-0")
    job.produce(events(10))
    job.run_until(10, *words)
    refused = called(job, "rollback", "1")
    assert refused.returncode == 4, refused.stderr
    assert "instance pod-0" in refused.stderr
    assert "session timeout" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_when_the_session_of_a_static_member_is_over_one_may_go_back(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    ran_twice(
        job,
        *("--set", "kafka.librdkafka.session.timeout.ms=6000"),
        *("--set", "input.instance=pod-0"),
    )
    target = at(job, 100)
    deadline = time.monotonic() + TIMEOUT_S
    while called(job, "rollback", target["key"]).returncode == 4:
        assert time.monotonic() < deadline
    assert job.committed()[0].offset == 100


def test_row_36_a_damaged_committed_checkpoint_is_gone_back_from(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path, partitions=2)
    ran_twice(job)
    damaged = at(job, 200, committed=True)["key"]
    damage(job, damaged)
    refused = run_command("run", str(job.file))
    assert refused.returncode == 5
    assert "damaged" in refused.stderr
    verified = called(job, "verify", "--all", "--json")
    assert verified.returncode == 5
    verdicts = json.loads(verified.stdout)["checkpoints"]
    assert [each["key"] for each in verdicts if not each["ok"]] == [damaged]
    target = at(job, 100)
    assert target["in_lineage"] is None
    done = models(job, "rollback", str(target["epoch"]))
    assert done["found_by"] == "names"
    assert done["from"]["key"] == damaged
    job.run_until(200, *KEEP)
    assert job.model()[-1].t_ == 201.0
    assert len(job.predicted()) == 300


def test_an_orphan_is_marked_and_not_gone_back_to(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    ran_twice(job)
    whole = at(job, 100)
    folder = job.folder / job.group
    orphan = whole["key"][:-4] + "beef"
    (folder / orphan).write_bytes((folder / whole["key"]).read_bytes())
    rows = {row["key"]: row for row in models(job, "list")["checkpoints"]}
    assert rows[orphan]["orphan"] is True
    refused = called(job, "rollback", orphan)
    assert refused.returncode == 5
    assert "not of the committed lineage" in refused.stderr
    assert models(job, "rollback", str(whole["epoch"]))["to"]["key"] == whole["key"]


def test_with_kafka_away_the_store_still_tells(
    kafka: Kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.kafka.cluster.TIMEOUT_S", 0.5)
    job = Job(kafka, tmp_path)
    ran_twice(job)
    away = ("--set", "kafka.bootstrap_servers=127.0.0.1:1")
    told = models(job, "list", *away)
    assert told["checkpoints"][0]["model_version"] == 200
    assert {row["committed"] for row in told["checkpoints"]} == {None}
    assert "no answer from Kafka" in told["note"]
    assert models(job, "verify", "--all", *away)["ok"] is True
    for words in (("show",), ("verify",), ("export", "--to", str(tmp_path / "m.skops"))):
        command, *rest = words
        refused = called(job, command, *rest, *away)
        assert refused.returncode == 3, refused.stderr
    assert not (tmp_path / "m.skops").exists()
    epoch = str(told["checkpoints"][0]["epoch"])
    assert models(job, "show", epoch, *away)["checkpoint"]["committed"] is None


def test_where_each_partition_has_a_model_one_must_be_named(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path, partitions=3)
    words = ("--set", "learning.scope=partition")
    for rest in ((), ("--partition", "3")):
        refused = called(job, "list", *words, *rest)
        assert refused.returncode == 2
        assert "a model for each: 0, 1, 2" in refused.stderr
    refused = called(job, "list", "--partition", "0")
    assert refused.returncode == 2
    assert "learning.scope = 'global'" in refused.stderr
    assert models(job, "list", *words, "--partition", "2")["checkpoints"] == []


def test_a_partition_goes_back_alone(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path, partitions=2)
    words = ("--set", "learning.scope=partition")
    ran_twice(job, *words)
    mine = (*words, "--partition", "1")
    rows = models(job, "list", *mine)["checkpoints"]
    target = next(row for row in rows if row["model_version"] == 50)
    done = models(job, "rollback", str(target["epoch"]), *mine)
    assert done["predictions_anew"] == {"1": {"from": 50, "until": 100}}
    assert [place.offset for place in job.committed()] == [100, 50]
    job.run_until(200, *KEEP, *words)
    predicted = job.predicted()
    assert [sum(each["partition"] == p for each in predicted) for p in (0, 1)] == [100, 150]
