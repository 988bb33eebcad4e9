"""The loop: read, work off, and every epoch make it permanent; restore when ownership changes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from consumers.checkpoints import Checkpoints
from consumers.epochs import FLUSH_TIMEOUT_S, Epochs, Work, undelivered
from consumers.errors import StreamfitError
from consumers.flow import Flow
from consumers.learning import Learning
from consumers.recovery import Recovery
from consumers.source import Source
from learners.events import Records
from metrics.facts import BatchFacts, RebalanceEvent, State
from metrics.observer import Observer
from producers.sink import DeliveryError, Sink

_log = logging.getLogger("streamfit.runner")
READ_TIMEOUT_S = 0.1
# A revoke has to be over long before max.poll.interval.ms (5 min by default) is.
REVOKE_TIMEOUT_S = 20.0
_IDLE = BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {})


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop drives.

    Attributes
    ----------
    source, sink, checkpoints, recovery
        See their contracts.
    new_learning : callable
        Makes a model that has learned nothing, with its scores and limits.
    new_flow : callable
        Makes the way of a batch through such a model.
    observer : Observer
        Is told what happens.
    """

    source: Source
    sink: Sink
    checkpoints: Checkpoints
    recovery: Recovery
    new_learning: Callable[[], Learning]
    new_flow: Callable[[Learning], Flow]
    observer: Observer


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, and by which clocks.

    Attributes
    ----------
    epoch_s : float
        Seconds between two checkpoints.
    report_s : float
        Seconds between two reports of scores and lag.
    clock : callable
        Seconds that never go back.
    wall_clock : callable
        Seconds since 1970 UTC.
    """

    epoch_s: float
    report_s: float
    clock: Callable[[], float]
    wall_clock: Callable[[], float]


class Runner:
    """Learns until it is told to stop.

    Parameters
    ----------
    parts : Parts
        What it drives.
    pace : Pace
        How often.
    """

    def __init__(self, parts: Parts, pace: Pace) -> None:
        self._parts = parts
        self._pace = pace
        self._source, self._sink, self._tell = parts.source, parts.sink, parts.observer
        clocks = (pace.clock, pace.wall_clock)
        self._epochs = Epochs(parts.source, parts.sink, parts.checkpoints, parts.observer, clocks)
        self._work: Work | None = None
        self._stopping = False
        self._reported = -pace.report_s
        self._read_ms: dict[int, int] = {}

    def stop(self) -> None:
        """Ask for an orderly end. Safe to call from a signal handler or another thread."""
        self._stopping = True

    def run(self, beat: Callable[[float], None] = lambda _: None) -> None:
        """Join the group, and learn until `stop` is called; then end the open epoch and leave.

        Raises
        ------
        StreamfitError
            If going on is impossible or not allowed. What is not committed is not lost: the next
            start goes on from the last checkpoint.
        """
        self._tell.state(State.STARTING)
        self._source.subscribe(self._on_revoke)
        self._tell.state(State.STANDBY)
        try:
            while not self._stopping:
                beat(self._pace.clock())
                self.turn()
            self._tell.state(State.STOPPING)
            self._end_epoch()
            self._report(always=True)
        finally:
            self._work = None  # leaving the group must not commit what went wrong

    def turn(self) -> None:
        """Do one round: read what is there, work it off, end the epoch if it is time."""
        records = self._source.read(READ_TIMEOUT_S)
        changed = self._follow_changes()
        if records is not None and not changed:
            self._work_off(records)
        else:
            self._sink.poll()
        work = self._work
        due = work is not None and self._pace.clock() - work.since_s >= self._pace.epoch_s
        if due:
            self._end_epoch()
        self._report(always=due)

    def _work_off(self, records: Records) -> None:
        work = self._work
        if work is None:
            return
        try:
            facts, stop = work.flow(records)
        except DeliveryError as error:
            raise undelivered(error) from error
        work.next_offsets.update(facts.next_offsets)
        work.moved = True
        self._read_ms.update(
            zip(records.partitions.tolist(), records.time_ms.tolist(), strict=True)
        )
        self._tell.batch(facts)
        if stop is not None:
            self._end_epoch()
            raise stop

    def _end_epoch(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        if self._work is not None:
            self._epochs.end(self._work, timeout_s)

    def _follow_changes(self) -> bool:
        changes = self._source.changes()
        if not changes:
            return False
        for change in changes:
            self._tell.rebalance(change.event, change.partitions)
        if all(change.event is RebalanceEvent.ASSIGNED for change in changes):
            self._end_epoch()
        self._work = None
        if self._source.owned() == self._source.partitions():
            self._restore()
        else:
            self._source.assign({})  # nobody learns before owning all
            _log.warning(
                "standing by: this process owns only partitions %s, and a global model needs all; "
                "stop the other members of the group",
                sorted(self._source.owned()),
            )
            self._tell.state(State.STANDBY)
        return True

    def _restore(self) -> None:
        self._tell.state(State.RESTORING)
        restart = self._parts.recovery.find()
        learning = self._parts.new_learning()
        if restart.content is not None:
            learning.restore(restart.content)
        self._work = Work(
            learning=learning,
            flow=self._parts.new_flow(learning),
            next_offsets=dict(restart.next_offsets),
            parent=restart.parent,
            since_s=self._pace.clock(),
        )
        self._source.assign(restart.next_offsets)
        self._tell.state(State.RUNNING)
        self._report(always=True)

    def _on_revoke(self) -> None:
        # Runs inside a callback of the client: it must not raise, whatever happens.
        try:
            self._end_epoch(REVOKE_TIMEOUT_S)
            self._report(always=True)
        except StreamfitError as error:
            _log.warning("epoch at revoke failed, the next owner redoes it: %s", error)
        except Exception:  # noqa: BLE001 an exception here would destroy fetched records
            _log.exception("epoch at revoke failed, the next owner redoes it")
        self._work = None

    def _report(self, *, always: bool = False) -> None:
        now, work = self._pace.clock(), self._work
        if work is None or not (always or now - self._reported >= self._pace.report_s):
            return
        self._reported = now
        lag = self._source.lag(work.next_offsets)
        wall_ms = self._pace.wall_clock() * 1000
        ages = {p: max(0.0, (wall_ms - self._read_ms.get(p, wall_ms)) / 1000) for p in lag}
        self._tell.batch(
            replace(
                _IDLE,
                model_version=work.learning.learner.model_version,
                lag=lag,
                lag_seconds={p: ages[p] if lag[p] else 0.0 for p in lag},
            )
        )
        self._tell.scores(work.learning.scores.facts())
