"""Row 37: a store that takes no checkpoints while the program runs on a real broker."""

import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.brokers.kafka import Kafka
from tests.chaos.life import Life, Nest
from tests.chaos.trial import Trial, trial

BOTH = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
LIMIT = 50
Fault = Callable[[Life, Trial], AbstractContextManager[None]]


@contextmanager
def full(life: Life, _: Trial) -> Iterator[None]:
    """Let no file of the process grow beyond 20 kB, less than a checkpoint has: a full disk."""
    before = resource.prlimit(life.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(life.pid, resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.prlimit(life.pid, resource.RLIMIT_FSIZE, before)


def gone(_: Life, tried: Trial) -> AbstractContextManager[None]:
    return tried.without_store()


FAULTS = pytest.mark.parametrize("fault", [full, gone], ids=["full", "gone"])


@FAULTS
@BOTH
def test_row_37_without_a_store_it_learns_on_up_to_a_limit_then_waits_and_commits_once_healed(
    nest: Nest, kafka: Kafka, tmp_path: Path, delivery: str, fault: Fault
) -> None:
    words = (f"limits.max_uncheckpointed={LIMIT}", "learning.max_batch=10")
    tried = trial(nest, kafka, tmp_path, *words, delivery=delivery)
    tried.give(20)
    with tried.running() as life:
        tried.settle(life)
        with fault(life, tried):
            tried.give(20)
            life.until(lambda: life.total("records_learned_total") == 40)
            assert life.total("paused") == 0
            tried.give(200)
            life.until(lambda: life.total("paused") == 1)
            learned = life.total("records_learned_total")
            assert 20 + LIMIT <= learned < 20 + LIMIT + 10
            assert not life.is_green("/readyz")
            assert life.is_green("/livez")
            assert tried.committed() == 20
        tried.settle(life)
        life.until(lambda: life.is_green("/readyz"))
        assert life.total("paused") == 0
        assert life.total("consumer_lag_records") == 0
        assert tried.violations(life=life) == []
        life.stop()
    assert tried.violations() == []
