"""Whether the consumer lives, is ready, has started: decided from facts and heartbeats alone.

Nothing here reads a clock or knows HTTP; time comes in as an argument, in seconds of one clock
that never goes back.
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass

from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from metrics.stalls import Stall, Stalls

_READY_STATES = frozenset({State.STANDBY, State.RUNNING})
_STARTED_STATES = _READY_STATES | {State.RESTORING}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a question of health.

    Attributes
    ----------
    ok : bool
        Yes or no.
    reason : str
        Why, in one line.
    """

    ok: bool
    reason: str


class Health:
    """Judges the health of a run; an Observer that may be asked from other threads.

    Parameters
    ----------
    heartbeat_limit : float
        Seconds after which a loop without a heartbeat counts as dead.
    stall_after : float
        Seconds after which a partition that lags and does not move counts as stalled.

    Examples
    --------
    >>> health = Health()
    >>> health.beat(100.0)
    >>> health.live(129.0)
    Verdict(ok=True, reason='the loop is alive')
    >>> health.live(131.0)
    Verdict(ok=False, reason='no heartbeat of the loop for 31 s, the limit is 30 s')
    """

    def __init__(self, heartbeat_limit: float = 30.0, stall_after: float = 60.0) -> None:
        self._heartbeat_limit = heartbeat_limit
        self._lock = threading.Lock()
        self._state = State.STARTING
        self._started = False
        self._beaten: float | None = None
        self._failed: EpochFacts | None = None
        self._stalls = Stalls(stall_after)

    def beat(self, now: float) -> None:
        """Take the loop's heartbeat."""
        with self._lock:
            self._beaten = now
            self._stalls.beat(now)

    def live(self, now: float) -> Verdict:
        """Tell whether the loop goes round; says nothing about Kafka.

        Before its first heartbeat it counts as alive: whether it ever starts is what `started`
        tells.
        """
        with self._lock:
            return self._live(now)

    def ready(self, now: float) -> Verdict:
        """Tell whether the loop does its work, or stands by to take it over."""
        with self._lock:
            if self._state not in _READY_STATES:
                return Verdict(ok=False, reason=f"the consumer is {self._state}")
            live = self._live(now)
            if not live.ok:
                return live
            if self._failed is not None:
                reason = f"the last epoch failed, after epoch {self._failed.epoch}"
                return Verdict(ok=False, reason=reason)
            stalled = self._stalls.found(now)
            if stalled:
                more = f"; so do {len(stalled) - 1} more" if len(stalled) > 1 else ""
                return Verdict(ok=False, reason=f"{stalled[0]}{more}")
            return Verdict(ok=True, reason=f"the consumer is {self._state}")

    def started(self) -> Verdict:
        """Tell whether the loop has ever begun; stays true from then on."""
        with self._lock:
            reason = "the consumer has started" if self._started else "the consumer is starting"
            return Verdict(self._started, reason)

    def stalled(self, now: float) -> tuple[Stall, ...]:
        """Give the partitions that lag and have not moved for too long, in order."""
        with self._lock:
            return self._stalls.found(now)

    def batch(self, facts: BatchFacts) -> None:
        """Take note of which partitions moved, and of lag."""
        with self._lock:
            self._stalls.moved(facts.next_offsets)
            self._stalls.lag(facts.lag)

    def scores(self, facts: ScoreFacts) -> None:
        """Ignore scores: a model may be bad in good health."""

    def epoch(self, facts: EpochFacts) -> None:
        """Take note of how an epoch ended."""
        with self._lock:
            self._failed = None if facts.ok else facts

    def state(self, state: State) -> None:
        """Take what the consumer is doing from now on."""
        with self._lock:
            self._state = state
            self._started = self._started or state in _STARTED_STATES
            if state in {State.RESTORING, State.STANDBY}:
                self._failed = None  # what it held is redone from the last checkpoint, here or not
            self._stalls.begin_anew()

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Forget partitions that went."""
        if event is RebalanceEvent.ASSIGNED:
            return
        with self._lock:
            self._stalls.forget(partitions)

    def transaction(self, result: TransactionResult) -> None:
        """Ignore transactions: how the epoch around one ended is told too."""

    def rollback(self, reason: RollbackReason) -> None:
        """Ignore ways back: the states on them are told too."""

    def paused(self, *, on: bool) -> None:
        """Ignore pauses: the epoch that failed before is what makes unready."""

    def _live(self, now: float) -> Verdict:
        if self._beaten is None:
            return Verdict(ok=True, reason="the loop has not begun yet")
        silent = now - self._beaten
        if silent <= self._heartbeat_limit:
            return Verdict(ok=True, reason="the loop is alive")
        limit = f"the limit is {self._heartbeat_limit:g} s"
        return Verdict(ok=False, reason=f"no heartbeat of the loop for {silent:.0f} s, {limit}")
