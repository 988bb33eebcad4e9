"""The main job, end to end: the installed command against a real broker."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Producer
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from tests.brokers.kafka import Kafka
from tests.jobs import FEATURES, Job, last_words, run_command, samples

CLASSES = np.array(["down", "up"])
Record = tuple[bytes | None, bytes | None]


def events(count: int, seed: int = 1, first: int = 0) -> list[Record]:
    """Make events whose label follows a line that turns slowly."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(count, 3)) * [1.0, 50.0, 0.01] + [0.0, 1000.0, 0.0]
    made: list[Record] = []
    for i, x in enumerate(X.tolist(), first):
        label = "up" if x[0] + (x[1] - 1000) / 50 > 0 else "down"
        value = {"id": f"e{i}", "features": dict(zip(FEATURES, x, strict=True)), "label": label}
        made.append((f"k{i % 7}".encode(), json.dumps(value).encode()))
    return made


def fold(values: list[bytes]) -> tuple[StandardScaler, SGDClassifier, list[dict[str, Any]]]:
    """Learn values by scikit-learn alone, row by row; gives what it would have predicted too."""
    scaler = StandardScaler()
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=0.01, shuffle=False, random_state=0
    )
    said: list[dict[str, Any]] = []
    for version, value in enumerate(values):
        event = json.loads(value)
        x = np.array([[event["features"][name] for name in FEATURES]])
        z = scaler.partial_fit(x).transform(x)
        probability = model.predict_proba(z)[0] if version else np.array([0.5, 0.5])
        index = int(np.argmax(probability)) if version else 0
        prediction = model.predict(z)[0] if version else CLASSES[0]
        said.append({"prediction": prediction, "probability": probability[index]})
        model.partial_fit(z, [event["label"]], classes=CLASSES)
    return scaler, model, said


def values_of(records: list[Record]) -> list[bytes]:
    return [value for _, value in records if value is not None]


def weights(job: Job) -> list[NDArray[np.float64]]:
    pipeline = job.model()
    scaler, model = pipeline[0], pipeline[-1]
    t = np.array([model.t_, scaler.n_samples_seen_], dtype=np.float64)
    return [model.coef_, model.intercept_, scaler.mean_, scaler.var_, scaler.scale_, t]


def test_every_event_is_predicted_as_scikit_learn_would_row_by_row(
    kafka: Kafka, tmp_path: Path
) -> None:
    job, records = Job(kafka, tmp_path), events(600)
    job.produce(records)
    job.run_until(600)
    scaler, model, said = fold(values_of(records))
    predicted = job.predicted()
    assert [p["id"] for p in predicted] == [f"e{i}" for i in range(600)]
    assert [p["model_version"] for p in predicted] == list(range(600))
    assert [p["offset"] for p in predicted] == list(range(600))
    assert {p["partition"] for p in predicted} == {0}
    assert [p["prediction"] for p in predicted] == [s["prediction"] for s in said]
    probabilities = [p["probability"] for p in predicted]
    np.testing.assert_allclose(probabilities, [s["probability"] for s in said], atol=1e-9)
    learned = job.model()
    np.testing.assert_allclose(learned[-1].coef_, model.coef_, rtol=1e-9)
    np.testing.assert_allclose(learned[0].mean_, scaler.mean_, rtol=1e-9)
    keys = [message.key() for message in job.read(job.predictions)]
    assert keys == [key for key, _ in records]


def test_a_job_stopped_and_started_ends_with_the_same_weights_bit_for_bit(
    kafka: Kafka, tmp_path: Path
) -> None:
    records = events(900)
    whole = Job(kafka, tmp_path)
    whole.produce(records)
    whole.run_until(900)
    parts = Job(kafka, tmp_path)
    for first in (0, 300, 600):
        parts.produce(records[first : first + 300])
        parts.run_until(first + 300, "--set", f"learning.max_batch={first + 7}")
    for one, other in zip(weights(whole), weights(parts), strict=True):
        np.testing.assert_array_equal(one, other)
    assert parts.predicted() == whole.predicted()


def test_several_partitions_equal_a_fold_in_the_order_that_model_version_tells(
    kafka: Kafka, tmp_path: Path
) -> None:
    job, records = Job(kafka, tmp_path, partitions=3), events(600)
    job.produce(records[:300])
    job.run_until(300)
    job.produce(records[300:])
    job.run_until(600)
    predicted = sorted(job.predicted(), key=lambda p: p["model_version"])
    assert [p["model_version"] for p in predicted] == list(range(600))
    by_id = {json.loads(value)["id"]: value for value in values_of(records)}
    scaler, model, said = fold([by_id[p["id"]] for p in predicted])
    assert [p["prediction"] for p in predicted] == [s["prediction"] for s in said]
    np.testing.assert_allclose(job.model()[-1].coef_, model.coef_, rtol=1e-9)
    np.testing.assert_allclose(job.model()[0].var_, scaler.var_, rtol=1e-9)
    for partition in range(3):
        mine = [p["offset"] for p in predicted if p["partition"] == partition]
        assert mine == list(range(200))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_with_a_last_epoch_and_exit_code_0(
    kafka: Kafka, tmp_path: Path, number: signal.Signals
) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(50))
    with job.running("--set", "checkpoint.every=1h") as running:
        address = running.address()
        _await_metric(address, "streamfit_records_learned_total", 50)
        assert job.committed()[0].offset < 0
        running.stop(number)
    assert job.committed()[0].offset == 50
    assert job.model()[-1].t_ == 51.0
    assert len(job.predicted()) == 50


BAD: dict[str, tuple[bytes, tuple[str, str]]] = {
    "truncated": (b'{"id":"x","features":{"a":1', ("decode", "malformed")),
    "empty": (b"", ("decode", "empty")),
    "wrong type": (
        b'{"id":"x","features":{"a":"1","b":1,"c":1},"label":"up"}',
        ("schema", "wrong_type"),
    ),
    "missing": (b'{"id":"x","features":{"a":1,"b":1},"label":"up"}', ("schema", "missing_field")),
    "extra": (
        b'{"id":"x","features":{"a":1,"b":1,"c":1,"d":1},"label":"up"}',
        ("schema", "unknown_feature"),
    ),
    "nan": (b'{"id":"x","features":{"a":NaN,"b":1,"c":1},"label":"up"}', ("decode", "malformed")),
    "infinity": (
        b'{"id":"x","features":{"a":Infinity,"b":1,"c":1},"label":"up"}',
        ("decode", "malformed"),
    ),
    "huge": (
        b'{"id":"x","features":{"a":1e30,"b":1,"c":1},"label":"up"}',
        ("schema", "out_of_range"),
    ),
    "label": (
        b'{"id":"x","features":{"a":1,"b":1,"c":1},"label":"sideways"}',
        ("label", "unknown_label"),
    ),
}


def test_bad_records_become_dead_letters_and_harm_no_other(kafka: Kafka, tmp_path: Path) -> None:
    job, good = Job(kafka, tmp_path), events(90)
    mixed: list[Record] = []
    for (value, _), first in zip(BAD.values(), range(0, 90, 10), strict=True):
        mixed += [*good[first : first + 10], (b"bad", value)]
    beside = b'{"id":"z","features":{"a":1,"b":1,"c":1},"label":"up","beside":[1]}'
    mixed += [(b"gone", None), (None, beside)]
    job.produce(mixed)
    with job.running() as running:
        job.await_committed(len(mixed), running)
        told = _await_metric(running.address(), "streamfit_records_skipped_total", 1)
        running.stop()
    letters = job.read(job.dead_letters)
    assert [letter.value() for letter in letters] == [value for value, _ in BAD.values()]
    headers = [dict(letter.headers() or []) for letter in letters]
    for number, (found, (_, why)) in enumerate(zip(headers, BAD.values(), strict=True)):
        assert (found["streamfit.error.stage"], found["streamfit.error.reason"]) == tuple(
            text.encode() for text in why
        )
        assert found["streamfit.error.offset"] == str(number * 11 + 10).encode()
        assert found["streamfit.error.topic"] == job.topic.encode()
        assert found["origin"] == b"test"
    assert {letter.key() for letter in letters} == {b"bad"}
    _, model, _ = fold([*values_of(good), beside])
    np.testing.assert_allclose(job.model()[-1].coef_, model.coef_, rtol=1e-9)
    assert job.predicted()[-1]["id"] == "z"
    assert told["streamfit_records_consumed_total"] == len(mixed)
    assert told["streamfit_records_decoded_total"] == told["streamfit_records_learned_total"] == 91
    rejected = sum(v for k, v in told.items() if k.startswith("streamfit_records_rejected_total"))
    assert rejected == len(BAD)
    assert told["streamfit_records_skipped_total{reason=tombstone}"] == 1


def test_a_run_of_bad_records_stops_with_exit_code_5_and_loses_none(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    job.produce([*events(20), *[(None, b"{")] * 30, *events(20, seed=2, first=20)])
    for expected in (25, 26):  # a restart under the same limit lets no more than one pass
        with job.running("--set", "limits.dead_letter_run=25") as running:
            assert running.process.wait(60) == 5
            assert f"{expected} dead letters in a row" in running.log.read_text()
        assert len(job.read(job.dead_letters)) == expected
    job.run_until(70, "--set", "limits.dead_letter_run=50")
    assert len(job.read(job.dead_letters)) == 30
    assert [p["model_version"] for p in job.predicted()] == list(range(40))


def test_metrics_and_health_are_served_while_it_runs(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(100))
    with job.running() as running:
        address = running.address()
        told = _await_metric(address, "streamfit_model_version", 100)
        job.await_committed(100, running)
        told = _await_metric(
            address, f"streamfit_committed_offset{{partition=0,topic={job.topic}}}", 100
        )
        assert told[f"streamfit_consumer_lag_records{{partition=0,topic={job.topic}}}"] == 0
        assert told["streamfit_state{state=running}"] == 1
        assert told["streamfit_prequential_accuracy{view=cumulative}"] > 0.5
        assert 0 < told["streamfit_baseline_accuracy{baseline=no_change,view=cumulative}"] < 1
        assert told["streamfit_stride_rows"] == 1
        for path in ("/livez", "/readyz"):
            with urllib.request.urlopen(address + path) as answer:
                assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + "/nothing")
        running.stop()


def test_markers_of_transactions_at_the_end_are_no_lag(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": kafka.unique("tx")}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for key, value in events(10):
        producer.produce(job.topic, value, key)
    producer.commit_transaction(30)
    with job.running() as running:
        job.await_committed(10, running)
        lag = f"streamfit_consumer_lag_records{{partition=0,topic={job.topic}}}"
        _await(lambda: _scrape(running.address())[lag] == 0)
        running.stop()


def test_another_model_is_refused_and_the_keys_that_differ_are_named(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(20))
    job.run_until(20)
    refused = run_command("run", str(job.file), "--set", "model.steps.1.eta0=0.5")
    assert refused.returncode == 5
    assert "model.steps[1].eta0" in refused.stderr
    assert job.committed()[0].offset == 20


def test_offsets_that_something_else_committed_stop_the_start(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(20))
    job.run_until(20)
    job.commit(10)
    refused = run_command("run", str(job.file))
    assert refused.returncode == 5
    assert "without a checkpoint" in refused.stderr


def test_a_damaged_checkpoint_stops_the_start(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(20))
    job.run_until(20)
    metadata = job.committed()[0].metadata
    path = tmp_path / job.group / json.loads(metadata or "")["key"]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    refused = run_command("run", str(job.file))
    assert refused.returncode == 5
    assert "damaged" in refused.stderr
    path.unlink()
    refused = run_command("run", str(job.file))
    assert refused.returncode == 5
    assert path.name in refused.stderr


def test_any_pipeline_of_partial_fit_steps_learns_and_comes_back(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    steps = '[{use="MinMaxScaler"},{use="GaussianNB"}]'
    words = ("--set", f"model.steps={steps}", "--set", "learning.stride=4")
    job.produce(events(50))
    job.run_until(50, *words)
    job.produce(events(50, seed=2, first=50))
    job.run_until(100, *words)
    predicted = job.predicted()
    assert [p["model_version"] for p in predicted] == list(range(100))
    assert job.model()[-1].class_count_.sum() == 100
    right = [
        json.loads(value)["label"] == p["prediction"]
        for value, p in zip(
            values_of([*events(50), *events(50, seed=2, first=50)]), predicted, strict=True
        )
    ]
    assert sum(right[50:]) > 35


def test_check_tells_what_is_there_and_what_is_missing(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    job.produce(events(3))
    well = run_command("check", str(job.file), "--json")
    assert well.returncode == 0, well.stderr
    found = {each["what"]: each["found"] for each in json.loads(well.stdout)["checks"]}
    assert "3 of the last 3 records decode" in found["sample"]
    assert "compiled path" in found["model"]
    assert "is new" in found["input.group"]
    job.run_until(3)
    again = run_command("check", str(job.file), "--json")
    assert "goes on at model version 3" in again.stdout
    changed = run_command("check", str(job.file), "--set", "model.steps.1.eta0=0.5")
    assert changed.returncode == 5
    assert "model.steps[1].eta0" in changed.stderr
    ill = run_command("check", str(job.file), "--set", "output.topic=not-there")
    assert ill.returncode == 3
    assert "output.topic = 'not-there': no such topic" in ill.stderr
    unlike = run_command("check", str(job.file), "--set", 'schema.features=["a","q"]')
    assert unlike.returncode == 2
    assert "none of the last 3 records decodes" in unlike.stderr


def test_a_missing_topic_or_broker_is_one_line_and_exit_code_3(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    for override, text in (
        ("input.topic=not-there", "input.topic = 'not-there': no such topic"),
        ("kafka.bootstrap_servers=127.0.0.1:1", "no answer from Kafka"),
    ):
        refused = run_command("run", str(job.file), "--set", override)
        assert refused.returncode == 3, refused.stderr
        told = last_words(refused.stderr)
        assert text in told["message"]
        assert told["exit_code"] == 3


def test_produced_rows_are_learned(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    table = tmp_path / "rows.csv"
    rows = [json.loads(value) for value in values_of(events(40))]
    lines = ["ID,a,b,c,TARGET"]
    lines += [",".join(map(str, (r["id"], *r["features"].values(), r["label"]))) for r in rows]
    table.write_text("\n".join(lines) + "\n")
    made = run_command(
        *("produce", str(job.file), str(table), "--id", "ID", "--label", "TARGET"),
        *("--repeat", "2", "--json"),
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["sent"] == 80
    job.run_until(80)
    assert len({p["id"] for p in job.predicted()}) == 80
    assert job.read(job.dead_letters) == []


def _scrape(address: str) -> dict[str, float]:
    with urllib.request.urlopen(address + "/metrics") as answer:
        return samples(answer.read().decode())


def _await(fulfilled: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _await_metric(address: str, name: str, value: float) -> dict[str, float]:
    """Scrape until a metric (the sum of its children, if only its name is given) is there."""
    told: dict[str, float] = {}

    def there() -> bool:
        told.update(_scrape(address))
        return sum(v for k, v in told.items() if k == name or k.startswith(name + "{")) >= value

    _await(there)
    return told
