"""Rows 27, 36, 42, 44, 45: what the settings decide on; the whole program on a real broker."""

import json
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.brokers.kafka import Kafka
from tests.chaos.evidence import Model
from tests.chaos.honest import Raw
from tests.chaos.life import Nest
from tests.chaos.trial import SHORT_SESSION, Trial, trial
from tests.jobs import TIMEOUT_S

BOTH = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])


def admin_of(tried: Trial) -> AdminClient:
    return AdminClient({"bootstrap.servers": tried.job.kafka.bootstrap_servers, "log_level": 2})


@BOTH
def test_row_27_a_full_queue_holds_back_and_drops_nothing(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str
) -> None:
    words = ("kafka.librdkafka.queue.buffering.max.messages=3", "learning.max_batch=512")
    tried = trial(nest, kafka, tmp_path, *words, delivery=delivery)
    tried.give(150)
    tried.add([(b"bad", b"{")] * 20)
    tried.give(30)
    with tried.running() as life:
        tried.settle(life)
        assert life.total("rollbacks_total") == 0
        assert tried.violations(life=life) == []
        life.stop()
    assert len(tried.job.read(tried.job.dead_letters)) == 20


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_row_36_without_its_checkpoint_it_stops_or_goes_back_to_the_one_before(
    nest: Nest, kafka: Kafka, tmp_path: Path, harm: str
) -> None:
    tried = trial(nest, kafka, tmp_path)
    with tried.running() as life:
        for _ in range(3):
            tried.give(10)
            tried.settle(life)
        life.stop()
    (key,) = tried.keys()
    file = tried.store / key
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    with tried.running() as life:
        assert life.end() == 5
        assert key in life.told()
        assert "models rollback" in life.told()
    with tried.running("output.delivery=exactly_once", "learning.on_damaged=previous") as life:
        assert life.end() == 2
        assert "learning.on_damaged" in life.told()
    assert tried.keys() == {key}
    tried.give(10)
    with tried.running("learning.on_damaged=previous") as life:
        tried.settle(life)
        assert f"checkpoint {key} is missing or damaged" in life.told()
        life.stop()
    assert tried.job.model()[-1].t_ == 41.0
    said = [each["model_version"] for each in tried.job.predicted()]
    assert said == [*range(30), *range(20, 40)]


def test_row_42_an_event_that_would_spoil_the_model_is_left_out_as_if_it_had_never_come(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    params = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01}
    steps = ",".join(f"{key}={json.dumps(value)}" for key, value in params.items())
    words = (f'model.steps=[{{use="SGDClassifier",{steps}}}]', "learning.max_weight=100")
    tried = trial(nest, kafka, tmp_path, *words)
    tried.judge_by(Model(steps=(("SGDClassifier", params),)))
    for size in (1e9, 1e14, -1e12):
        tried.give(10)
        event = {"id": f"p{size}", "features": {"a": size, "b": 0, "c": -size}, "label": "up"}
        poison: Raw = (b"poison", json.dumps({**event, "label": "up"}).encode())
        tried.add([poison, (b"poison", json.dumps({**event, "label": "down"}).encode())])
    tried.give(10)
    with tried.running() as life:
        tried.settle(life)
        poisoned = life.total("records_poisoned_total")
        assert poisoned >= 3  # of each two, one may be right already, and teach nothing
        assert tried.violations(life=life) == []
        life.stop()
    letters = [dict(each.headers() or []) for each in tried.job.read(tried.job.dead_letters)]
    assert len(letters) == poisoned
    assert {each["streamfit.error.stage"] for each in letters} == {b"learn"}
    assert {each["streamfit.error.reason"] for each in letters} == {b"poisoned"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_row_44_a_slow_model_reads_less_at_a_time_and_keeps_its_place(
    nest: Nest, kafka: Kafka, tmp_path: Path
) -> None:
    model = 'model.steps=[{use="MLPClassifier",hidden_layer_sizes=[800,800]}]'  # 30 ms an event
    words = (SHORT_SESSION, "kafka.librdkafka.max.poll.interval.ms=6000", model)
    tried = trial(nest, kafka, tmp_path, *words)
    tried.give(350)  # together they take longer than that
    with tried.running() as life:
        life.until(lambda: tried.committed() == len(tried.given), 200)
        assert life.total("rollbacks_total") == 0


@pytest.mark.slow  # the client waits 5 s for the topic to come back
@BOTH
def test_row_45_a_dead_letter_topic_that_goes_away_ends_the_run_and_no_letter_is_dropped(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str
) -> None:
    tried = trial(nest, kafka, tmp_path, delivery=delivery)
    admin, letters = admin_of(tried), kafka.unique("letters")
    admin.create_topics([NewTopic(letters, 1)])[letters].result(TIMEOUT_S)
    tried.give(10)
    tried.add([(b"bad", b"{")])
    with tried.running(f"output.dead_letter_topic={letters}") as life:
        tried.settle(life)
        admin.delete_topics([letters])[letters].result(TIMEOUT_S)
        tried.add([(b"bad", b"[")])
        assert life.end() == 3
        assert letters in life.told()
    assert tried.committed() == 11
    tried.give(10)
    tried.run_to_the_end()  # with another topic
    assert [each.value() for each in tried.job.read(tried.job.dead_letters)] == [b"["]
    assert tried.job.model()[-1].t_ == 21.0
