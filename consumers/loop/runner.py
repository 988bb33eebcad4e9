"""The loop: read, work off, and every epoch make it permanent; go back when that fails."""

import logging
from collections.abc import Callable
from dataclasses import replace

from consumers.errors import (
    CheckpointError,
    EpochLostError,
    InstanceHeldError,
    PostponedError,
)
from consumers.loop.assignment import Assignment
from consumers.loop.delivery import lost
from consumers.loop.epochs import FLUSH_TIMEOUT_S, Epochs
from consumers.loop.parts import Pace, Parts
from consumers.loop.reporting import Reports
from learners.events import Records
from metrics.events import COMMIT_POSTPONED
from metrics.facts import RollbackReason, State
from producers.outputs import DeliveryError

_log = logging.getLogger("streamfit.runner")
READ_TIMEOUT_S = 0.1
# A checkpoint that could not be saved is tried again after this, however long an epoch is.
SAVE_AGAIN_S = 5.0


class Runner:
    """Learns until it is told to stop.

    Parameters
    ----------
    parts, pace : Parts, Pace
        What it drives, and how fast.
    """

    def __init__(self, parts: Parts, pace: Pace) -> None:
        self._parts = parts
        self._pace = pace
        self._source, self._tell = parts.source, parts.observer
        self._clock = pace.clocks.steady
        self._beat: Callable[[float], None] = lambda _: None
        self._reports = Reports(parts.source, parts.observer, pace.clocks, pace.report_s)
        self._epochs = Epochs(parts.sink, parts.delivery, parts.observer, pace.clocks, parts.reach)
        self._assignment = Assignment(
            parts, pace, self._epochs, self._reports, lambda: self._beat(self._clock())
        )
        self._lanes = self._assignment.lanes
        self._stopping = self._paused = False
        self._next_epoch = 0.0

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
        self._beat = beat
        self._tell.state(State.STARTING)
        self._tell.state(State.STANDBY)
        try:
            while not self._stopping:
                beat(self._clock())
                self.turn()
            self._tell.state(State.STOPPING)
            self._end()
            self._reports.report(self._lanes, always=True)
        finally:
            self._lanes.clear()  # leaving the group must not commit what went wrong
            self._epochs.close()

    def turn(self) -> None:
        """Do one round, and go back to the last commit if that fails."""
        try:
            self._turn()
        except InstanceHeldError as error:
            self._assignment.join_again(error)
        except PostponedError as error:
            _log.info("the commit waits for a rebalance: %s", error, extra=COMMIT_POSTPONED())
        except EpochLostError as error:
            self._assignment.go_back(self._end_before(error))

    def _end_before(self, error: EpochLostError) -> EpochLostError:
        """Commit what was learned before a gap: it cannot be read again."""
        if error.reason is RollbackReason.GAP:
            try:
                self._epochs.end(self._lanes)
            except EpochLostError as another:
                return another
        return error

    def _turn(self) -> None:
        """Read what is there, work it off, end the epoch if it is time."""
        self._assignment.join()
        records = self._source.read(READ_TIMEOUT_S)
        if self._assignment.follow():
            self._schedule(self._pace.epoch_s)
        elif not self._lanes:
            self._assignment.restore()
            self._schedule(self._pace.epoch_s)
        elif records is not None:
            self._parts.reach("consumed")
            self._work_off(records)
        else:
            self._poll()
        due = bool(self._lanes) and self._is_due()
        if due:
            self._advance()
        self._hold()
        self._reports.report(self._lanes, always=due)

    def _poll(self) -> None:
        try:
            self._parts.sink.poll()
        except DeliveryError as error:
            raise lost(error) from error

    def _work_off(self, records: Records) -> None:
        for lane, mine in self._lanes.split(records):
            try:
                facts, stop = lane.flow(mine)
            except DeliveryError as error:
                raise lost(error) from error
            lane.advance(mine, facts)
            self._tell.batch(replace(facts, partition=lane.partition))
            if stop is not None:
                self._end()
                raise stop

    def _is_due(self) -> bool:
        is_time = self._epochs.saving or self._clock() >= self._next_epoch
        return is_time or (not self._paused and self._is_too_much())

    def _is_too_much(self) -> bool:
        return self._lanes.uncheckpointed >= self._pace.max_uncheckpointed

    def _advance(self) -> None:
        began = self._clock()
        self._schedule(min(self._pace.epoch_s, SAVE_AGAIN_S))
        committed = self._epochs.advance(self._lanes)
        if committed:
            self._assignment.backoff.succeeded()
        if committed or not any(lane.has_moved for lane in self._lanes):
            self._next_epoch = began + self._pace.epoch_s

    def _schedule(self, seconds: float) -> None:
        self._next_epoch = self._clock() + seconds

    def _hold(self) -> None:
        """Stop reading while too much hangs on one checkpoint."""
        paused = bool(self._lanes) and self._is_too_much()
        if paused != self._paused:
            self._paused = paused
            self._tell.paused(on=paused)
        waits = self._epochs.saving and not self._parts.delivery.reads_on
        if self._lanes:
            self._source.hold(on=paused or waits)

    def _end(self) -> None:
        """End the last epoch; during a rebalance its commit has to wait for that."""
        deadline = self._clock() + FLUSH_TIMEOUT_S
        while True:
            try:
                self._epochs.end(self._lanes)
            except PostponedError:
                if self._clock() > deadline:
                    raise
                self._source.read(READ_TIMEOUT_S)
            except EpochLostError as error:
                if error.reason is not RollbackReason.STORE:
                    raise
                raise CheckpointError(
                    f"checkpoint.store: {error}; make room, or grant the right to write"
                ) from error
            else:
                return
