"""Keeps the models at work in step with the partitions that this process owns."""

import logging
from collections.abc import Callable
from contextlib import suppress

from consumers.errors import (
    EpochLostError,
    InstanceHeldError,
    PostponedError,
    UnansweredError,
)
from consumers.kafka.source import Change
from consumers.loop.backoff import Backoff
from consumers.loop.epochs import FLUSH_TIMEOUT_S, Epochs
from consumers.loop.lanes import Lanes
from consumers.loop.parts import Pace, Parts
from consumers.loop.presence import Presence
from consumers.loop.reporting import Reports
from metrics.events import REVOKE_EPOCH_FAILED, ROLLED_BACK
from metrics.facts import RebalanceEvent, RollbackReason, State

_log = logging.getLogger("streamfit.assignment")


class Assignment:
    """Joins, restores, gives up, goes back.

    Parameters
    ----------
    parts : Parts
        What it works with.
    pace : Pace
        By which clocks, and how long a last epoch may take.
    epochs : Epochs
        Ends what is given up.
    reports : Reports
        Tells how far the models are.
    beat : callable
        Is called while something takes long.

    Attributes
    ----------
    lanes : Lanes
        The models at work.
    backoff : Backoff
        When to try again after going back.
    """

    def __init__(
        self, parts: Parts, pace: Pace, epochs: Epochs, reports: Reports, beat: Callable[[], None]
    ) -> None:
        self.lanes = Lanes()
        self.backoff = Backoff()
        self._parts = parts
        self._clock, self._revoke_s = pace.clocks.steady, pace.revoke_s
        self._epochs = epochs
        self._reports = reports
        self._beat = beat
        self._state = State.STANDBY
        self._presence = Presence(parts.source, parts.membership, self._clock)
        self._pending = False  # something must be restored
        self._leaves = self._stale = False  # the consumer, the producer must be renewed
        self._void: EpochLostError | None = None

    def join(self) -> None:
        """Join the group if it is time to."""
        self._presence.join(self._on_revoke)

    def join_again(self, error: InstanceHeldError) -> None:
        """Try again as a new member; raises the error if that has lasted too long."""
        if self.lanes:
            self._give_up(RollbackReason.FENCED)
        try:
            self._presence.wait_for_instance(error)
        except EpochLostError as another:  # there is no new client yet
            self._leaves = True
            self.go_back(another)

    def follow(self) -> bool:
        """Follow what the group has changed; if anything, what was just read must be read again."""
        parts, changes = self._parts, self._parts.source.changes()
        if changes:
            self._take(changes)
            owned, everything = parts.source.owned(), parts.source.partitions()
            self._presence.give_way(owned, everything)
        if self._void is not None:
            raise self._void
        if not changes:
            return False
        if any(change.event is RebalanceEvent.LOST for change in changes) and self.lanes:
            raise EpochLostError(RollbackReason.LOST, "the group gave the partitions away")
        wanted = parts.restorer.groups(owned, everything)
        if any(lane.partitions not in wanted for lane in self.lanes):
            self._end_epoch()  # a partition was added
        self.restore()
        return True

    def _take(self, changes: list[Change]) -> None:
        for change in changes:
            if change.partitions:
                self._parts.observer.rebalance(change.event, change.partitions)
        if not self.lanes:
            self._tell(State.RESTORING)  # what comes next may have to wait for Kafka
        self._presence.changed()
        self._pending = True
        self.backoff.now()

    def _end_epoch(self, timeout_s: float = FLUSH_TIMEOUT_S) -> None:
        try:
            self._epochs.end(self.lanes, timeout_s)
        except PostponedError as error:  # these partitions are about to go: there is no later
            raise EpochLostError(error.reason, str(error)) from error

    def restore(self) -> None:
        """Put to work what is owned and is not at work yet, if it is time to."""
        parts = self._parts
        if not self._pending or self._clock() < self.backoff.due_s:
            return
        self._renew()
        self._pending = False
        wanted = parts.restorer.groups(parts.source.owned(), parts.source.partitions())
        self.lanes.keep(wanted)
        missing = wanted - {lane.partitions for lane in self.lanes}
        if missing:
            self._tell(State.RESTORING)
            parts.delivery.prepare()
            lanes = parts.restorer.restore(missing, self._beat)
            self.lanes.add(lanes)
            for lane in lanes:
                self._reports.skipped(lane)
        parts.source.assign(self.lanes.next_offsets())
        self._tell(State.RUNNING if self.lanes else State.STANDBY)
        self._reports.report(self.lanes, always=True)

    def go_back(self, error: EpochLostError) -> None:
        """Give up what is not committed, and restore what is, at once or after a while."""
        parts = self._parts
        self.backoff.failed(error, self._clock())
        extra = ROLLED_BACK(reason=error.reason.value)
        _log.warning("going back to the last commit: %s", error, extra=extra)
        if self.lanes or self._void is not None:
            self._give_up(error.reason)
        self._void = None
        self._tell(State.RESTORING)
        self._leaves |= isinstance(error, UnansweredError)
        if not self._leaves:
            parts.source.assign({})
        was_stale, self._stale, self._pending = self._stale, True, True
        if not was_stale:
            with suppress(EpochLostError):  # what restores tries again, and tells
                self._renew()

    def _renew(self) -> None:
        """Begin with new clients, where the old ones hold what is void."""
        if self._leaves:
            self._presence.begin_anew()
            self._leaves = False
        if self._stale:
            self._parts.delivery.renew()
            self._stale = False

    def _give_up(self, reason: RollbackReason) -> None:
        self._parts.observer.rollback(reason)
        self.lanes.clear()
        self._epochs.drop()

    def _tell(self, state: State) -> None:
        # Health begins to wait anew with each state: it is told only what has changed.
        if state is not self._state:
            self._state = state
            self._parts.observer.state(state)

    def _on_revoke(self, partitions: frozenset[int]) -> None:
        # Runs inside a callback of the client: it must not raise, whatever happens.
        told = REVOKE_EPOCH_FAILED(partitions=sorted(partitions))
        try:
            self._end_epoch(self._revoke_s)
            self._reports.report(self.lanes, always=True)
        except EpochLostError as error:
            _log.warning("epoch at revoke failed, the next owner redoes it: %s", error, extra=told)
            self._void = error
        except Exception as error:  # noqa: BLE001 it would destroy fetched records
            _log.exception("epoch at revoke failed, the next owner redoes it", extra=told)
            self._void = EpochLostError(RollbackReason.LOST, str(error))
        if self._void is None:
            self.lanes.drop(partitions)
        else:
            self.lanes.clear()
            self._epochs.drop()
