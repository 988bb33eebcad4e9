"""A short chaos run on a real broker: in each delivery a kill -9 at every failpoint.

`make chaos` and `make chaos-full` do the same for longer, with more kinds of faults.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from tests.brokers.kafka import Kafka
from tests.chaos.fleet import Fleet, ReplicaError, open_nursery
from tests.chaos.killer import COMBINATIONS, dealt, fixed
from tests.chaos.rounds import play, settings_for_nursery

SEED = 20
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Popen[str]"]:
    with open_nursery(settings_for_nursery(tmp_path_factory.mktemp("nursery"))) as process:
        yield process


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("delivery", "scope"), COMBINATIONS)
def test_rows_1_to_10_every_promise_holds_after_kills_at_failpoints(
    kafka: Kafka, nursery: "Popen[str]", tmp_path: Path, delivery: str, scope: str
) -> None:
    tally = play(fixed(SEED, delivery, scope), kafka, nursery, tmp_path / "round")
    assert not tally.violations, "\n".join(map(str, tally.violations))
    assert not tally.missed
    assert {*tally.kills, *tally.early_kills} == {"random", *dealt(delivery, scope)}
    assert tally.kills.total() > tally.early_kills.total()


def test_a_replica_that_ends_otherwise_than_it_was_made_to_ends_the_run(
    nursery: "Popen[str]", tmp_path: Path
) -> None:
    fleet = Fleet(nursery, tmp_path / "no-such-file.toml", (), tmp_path / "logs")
    fleet.start("r0")
    with pytest.raises(ReplicaError, match=r"(?s)r0 ended with 2\n.*no such file"):
        _watch(fleet)


def _watch(fleet: Fleet) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while fleet.up() and time.monotonic() < deadline_s:
        fleet.watch()
        time.sleep(0.01)
