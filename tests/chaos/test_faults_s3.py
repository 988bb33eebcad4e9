"""Row 37 on an object store: a server that does not answer, or refuses; on a real broker."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import fsspec
import pytest

from tests.brokers.kafka import Kafka
from tests.chaos.life import Nest
from tests.chaos.trial import Trial, trial
from tests.s3 import S3Server, running_s3

BUCKET = "checkpoints"
LIMIT = 50


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        server.make_bucket(BUCKET)
        yield server


@contextmanager
def silent(server: S3Server) -> Iterator[None]:
    server.suspend()
    yield
    server.resume()


@contextmanager
def closed(server: S3Server) -> Iterator[None]:
    server.ask_for_logins(on=True)
    yield
    server.ask_for_logins(on=False)


def fetch_store(server: S3Server, tried: Trial) -> None:
    """Take a copy of the bucket to where the checker looks."""
    login = {"key": "test", "secret": "test", "endpoint_url": server.url}
    files = fsspec.filesystem("s3", skip_instance_cache=True, **login)
    for name in files.find(f"{BUCKET}/{tried.job.group}"):
        file = tried.store / name.removeprefix(f"{BUCKET}/{tried.job.group}/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(files.cat_file(name))


@pytest.mark.parametrize(
    ("delivery", "fault"),
    [("at_least_once", silent), ("exactly_once", silent), ("exactly_once", closed)],
    ids=["at_least_once-silent", "exactly_once-silent", "exactly_once-closed"],
)
def test_row_37_without_its_object_store_it_commits_nothing_and_all_once_it_is_back(
    nest: Nest,
    kafka: Kafka,
    s3: S3Server,
    tmp_path: Path,
    delivery: str,
    fault: Callable[[S3Server], AbstractContextManager[None]],
) -> None:
    words = (f"limits.max_uncheckpointed={LIMIT}", "learning.max_batch=10")
    tried = trial(nest, kafka, tmp_path, *words, delivery=delivery)
    address = f"checkpoint.store=s3://{BUCKET}/{tried.job.group}"
    tried.give(20)
    with tried.running(address, env=s3.environment) as life:
        tried.settle(life)
        with fault(s3):
            tried.give(200)
            if (delivery, fault) != ("exactly_once", silent):  # that waits, transaction open
                life.until(lambda: life.total("paused") == 1)
                assert 20 + LIMIT <= life.total("records_learned_total") < 20 + LIMIT + 10
            life.until(lambda: life.total("records_learned_total") > 20)
            assert tried.committed() == 20
        tried.settle(life)
        life.until(lambda: life.is_green("/readyz"))
        assert life.total("paused") == 0
        life.stop()
    fetch_store(s3, tried)
    assert tried.violations() == []
