"""What the log says when the loop or a partition stands still, and when it goes on."""

import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from consumers.views import logs
from consumers.views.stall_watch import StallWatch
from metrics.facts import BatchFacts, RebalanceEvent, State
from metrics.health import Health
from metrics.stalls import Stall

NOTHING = BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {})
PATIENCE_S = 20.0
STACKS = "the stacks of all threads"


class Run:
    """A running consumer with a watch, and a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.health = Health()
        self.health.state(State.RUNNING)
        self.watch = StallWatch(self.health, lambda: self.now, every_s=0.001)
        self.health.beat(0.0)

    def reads(self, next_offset: int, partition: int = 3) -> None:
        self.health.batch(replace(NOTHING, consumed=1, next_offsets={partition: next_offset}))

    def lags(self, *partitions: int) -> None:
        self.health.batch(replace(NOTHING, lag=dict.fromkeys(partitions, 120)))

    def turns(self, now: float) -> None:
        """Let the loop go round once, and the watch look."""
        self.now = now
        self.health.beat(now)
        self.watch.look()


@pytest.fixture
def run(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(logging.getLogger("streamfit"), "propagate", True)
    caplog.set_level(logging.INFO, "streamfit.watchdog")
    return Run()


@pytest.fixture
def waiting() -> Iterator[threading.Thread]:
    """Let a thread hang in a function that has a name."""
    end = threading.Event()

    def hang_for_good() -> None:
        end.wait()

    thread = threading.Thread(target=hang_for_good, name="the hanging one")
    thread.start()
    yield thread
    end.set()
    thread.join()


def test_a_consumer_in_good_health_is_no_news(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    for second in range(0, 300, 10):
        run.reads(second)
        run.lags(3)
        run.turns(float(second))
    assert caplog.messages == []


@pytest.mark.usefixtures("waiting")
def test_a_partition_that_stalls_is_told_once_with_lag_time_and_all_stacks(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.lags(3)
    for now in (0.0, 59.0, 61.0, 62.0, 300.0):
        run.turns(now)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    first, *stacks = record.getMessage().splitlines()
    assert first == (
        "stalled: partition 3 lags by 120 records and has not moved for 61 s; "
        "the stacks of all threads:"
    )
    assert f"thread {threading.main_thread().name}:" in stacks
    text = "\n".join(stacks)
    assert "in hang_for_good" in text.partition("thread the hanging one:")[2]
    assert "run.turns(now)" in text


def test_a_partition_that_moves_again_is_told_and_the_next_stall_is_news(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.lags(3)
    run.turns(0.0)
    run.turns(60.0)
    run.reads(11)
    run.turns(61.0)
    record = caplog.records[-1]
    assert record.levelno == logging.INFO
    assert record.getMessage() == "no longer stalled: partitions [3]"
    caplog.clear()
    run.turns(120.0)
    assert caplog.messages == []
    run.turns(121.0)
    assert STACKS in caplog.text


def test_partitions_that_follow_while_one_stalls_are_told_without_stacks(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.lags(3)
    run.turns(0.0)
    run.lags(4, 7)
    run.turns(1.0)
    run.turns(60.0)
    run.turns(61.0)
    assert STACKS in caplog.messages[0]
    _, followed = caplog.messages
    assert followed == (
        "stalled: partition 4 lags by 120 records and has not moved for 60 s; "
        "partition 7 lags by 120 records and has not moved for 60 s"
    )


def test_of_very_many_stalled_partitions_the_first_ones_are_described(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.lags(*range(1000))
    run.turns(0.0)
    run.turns(60.0)
    first = caplog.messages[0].splitlines()[0]
    assert "partition 9 " in first
    assert "partition 10 " not in first
    assert "; and 990 more" in first


def test_a_partition_that_is_given_away_is_not_stalled_here_any_more(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.lags(3)
    run.turns(0.0)
    run.turns(60.0)
    run.health.rebalance(RebalanceEvent.REVOKED, [3])
    run.turns(61.0)
    assert caplog.messages[1:] == ["no longer stalled: partitions [3]"]


@pytest.mark.usefixtures("waiting")
def test_a_loop_without_a_heartbeat_is_told_once_with_all_stacks_and_when_it_turns_again(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    run.lags(3)
    run.turns(0.0)
    for now in (30.0, 31.0, 32.0, 61.0, 62.0):
        run.now = now
        run.watch.look()
    run.turns(63.0)
    stuck, stalled, turns = (record.getMessage() for record in caplog.records)
    assert stuck.startswith("stalled: no heartbeat of the loop for 31 s, the limit is 30 s; the ")
    assert "in hang_for_good" in stuck
    assert stalled == "stalled: partition 3 lags by 120 records and has not moved for 61 s"
    assert turns == "the loop turns again"
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.ERROR, logging.ERROR, logging.INFO]


def test_before_the_loop_has_begun_nothing_is_stuck(caplog: pytest.LogCaptureFixture) -> None:
    StallWatch(Health(), lambda: 1e6).look()
    assert caplog.messages == []


def test_the_lines_go_to_standard_error(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("streamfit")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logger.level)
    logs.configure(as_json=False)
    run.lags(3)
    run.turns(0.0)
    run.turns(60.0)
    out, err = capsys.readouterr()
    assert out == ""
    assert "partition 3 lags by 120 records" in err
    assert "thread MainThread:" in err


def test_a_watch_looks_by_itself_until_it_is_left(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = threading.Event()

    def stalled(now: float) -> tuple[Stall, ...]:
        del now
        looked.set()
        return ()

    monkeypatch.setattr(run.health, "stalled", stalled)
    with run.watch:
        assert run.watch._thread.daemon
        assert looked.wait(PATIENCE_S)
    assert not run.watch._thread.is_alive()


def test_a_watch_survives_a_look_that_fails(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_again = threading.Event()
    looks = iter(range(sys.maxsize))

    def live(now: float) -> None:
        if next(looks):
            looked_again.set()
        raise RuntimeError(f"no verdict at {now}")

    monkeypatch.setattr(run.health, "live", live)
    with run.watch:
        assert looked_again.wait(PATIENCE_S)
    assert "no verdict at 0.0" in caplog.text
