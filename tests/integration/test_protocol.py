"""The commit protocol in both deliveries and both scopes, as a process against a real broker."""

from pathlib import Path

import numpy as np
import pytest

from tests.brokers.kafka import Kafka
from tests.integration.test_main_job import events, fold, values_of
from tests.jobs import Job

pytestmark = pytest.mark.integration

EXACTLY_ONCE = ("--set", "output.delivery=exactly_once")
PARTITIONED = ("--set", "learning.scope=partition")


def test_exactly_once_predicts_and_learns_as_scikit_learn_would(
    kafka: Kafka, tmp_path: Path
) -> None:
    job, records = Job(kafka, tmp_path), events(600)
    for first in (0, 200, 400):
        job.produce(records[first : first + 200])
        job.run_until(first + 200, *EXACTLY_ONCE)
    _, model, said = fold(values_of(records))
    predicted = job.predicted()
    assert [p["id"] for p in predicted] == [f"e{i}" for i in range(600)]
    assert [p["model_version"] for p in predicted] == list(range(600))
    np.testing.assert_allclose(
        [p["probability"] for p in predicted], [s["probability"] for s in said], atol=1e-9
    )
    np.testing.assert_allclose(job.model()[-1].coef_, model.coef_, rtol=1e-9)


def test_in_partition_scope_each_partition_has_a_model_of_its_own(
    kafka: Kafka, tmp_path: Path
) -> None:
    job, records = Job(kafka, tmp_path, partitions=3), events(600)
    job.produce(records[:300])
    job.run_until(300, *PARTITIONED)
    job.produce(records[300:])
    job.run_until(600, *PARTITIONED, *EXACTLY_ONCE)
    predicted = job.predicted()
    for partition in range(3):
        mine = sorted(
            (p for p in predicted if p["partition"] == partition), key=lambda p: p["offset"]
        )
        assert [p["model_version"] for p in mine] == list(range(200))
        _, model, said = fold(values_of(records[partition::3]))
        assert [p["prediction"] for p in mine] == [s["prediction"] for s in said]
        np.testing.assert_allclose(job.model(partition)[-1].coef_, model.coef_, rtol=1e-9)
