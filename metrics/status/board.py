"""Collects what happens for the status page, as an Observer; `status` is asked by other threads.

What it keeps is bounded, and nothing is rendered here. How it goes out is in `stream`.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from uuid import uuid4

from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from metrics.health import Verdict
from metrics.status.models import Models
from metrics.status.told import (
    About,
    CheckpointTold,
    DriftTold,
    EventTold,
    LetterTold,
    Status,
)
from metrics.status.traffic import Traffic

_KEPT = 20
_KEPT_DRIFTS = 100
_SHOWN_PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """Which model a page wants to show, and what it has got already.

    Attributes
    ----------
    wanted : int or None
        The partition whose model's course is wanted.
    chosen : int or None
        The one whose course it got: that may not be there.
    until_s : float
        Time of the last row that it has.
    """

    wanted: int | None = None
    chosen: int | None = None
    until_s: float = float("-inf")


class Board:
    """Keeps the present and about an hour of the past.

    Parameters
    ----------
    about : About
        What does not change.
    clock : callable
        Seconds that never go back.
    wall_clock : callable
        Seconds since 1970 UTC; asked once, so that the course never goes back.
    """

    def __init__(
        self, about: About, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self._about = about
        self._run = uuid4().hex
        self._clock = clock
        self._epoch_s = wall_clock() - clock()
        self._lock = threading.Lock()
        self._traffic = Traffic()
        self._models = Models(partitioned=about.partitioned)
        self._letters: deque[LetterTold] = deque(maxlen=_KEPT)
        self._drifts: deque[DriftTold] = deque(maxlen=_KEPT_DRIFTS)
        self._events: deque[EventTold] = deque(maxlen=_KEPT)
        self._checkpoint = CheckpointTold(None, None, None, None, 0, 0)
        self._started = self._state_since = self._now()
        self._state, self._paused = State.STARTING, False
        self._waits_for: tuple[str, ...] = ()

    def batch(self, facts: BatchFacts) -> None:
        """Add up one I/O batch."""
        with self._lock:
            now = self._now()
            self._traffic.batch(facts, now)
            self._models.batch(facts)
            for letter in facts.refusals:
                origin = letter.partition, letter.offset
                self._letters.append(LetterTold(now, letter.stage, letter.reason, *origin))
            for drift in facts.drifts:
                origin = drift.partition, drift.offset
                found = DriftTold(now, drift.detector, drift.model_version, *origin)
                self._drifts.append(found)

    def scores(self, facts: ScoreFacts) -> None:
        """Take the scores as they stand."""
        with self._lock:
            self._models.scores(facts, self._now())

    def epoch(self, facts: EpochFacts) -> None:
        """Take one epoch, ended well or not."""
        now = self._now()
        with self._lock:
            self._traffic.epoch(facts)
            last, open_ = self._checkpoint, facts.uncheckpointed
            took = sum(facts.seconds.values())
            self._checkpoint = (
                CheckpointTold(now, facts.epoch, facts.checkpoint_bytes, took, 0, open_)
                if facts.ok
                else CheckpointTold(
                    last.time, last.epoch, last.size_bytes, last.seconds, last.failed + 1, open_
                )
            )

    def state(self, state: State) -> None:
        """Take what the consumer is doing from now on."""
        with self._lock:
            self._state, self._state_since = state, self._now()

    def waits_for(self, names: Sequence[str]) -> None:
        """Take who holds the group while this process stands by."""
        with self._lock:
            self._waits_for = tuple(names)

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Remember it; forget partitions that went."""
        names = sorted(partitions)
        more = f" and {len(names) - _SHOWN_PARTITIONS} more" * (len(names) > _SHOWN_PARTITIONS)
        shown = ", ".join(map(str, names[:_SHOWN_PARTITIONS])) or "none"
        with self._lock:
            self._happened(f"rebalance {event}", f"partitions {shown}{more}")
            if event is not RebalanceEvent.ASSIGNED:
                self._traffic.forget(partitions)
                self._models.forget(partitions)

    def transaction(self, result: TransactionResult) -> None:
        """Remember those that did not end well."""
        if result is not TransactionResult.COMMITTED:
            with self._lock:
                self._happened("transaction", str(result))

    def rollback(self, reason: RollbackReason) -> None:
        """Remember it."""
        with self._lock:
            self._happened("rollback", f"to the last commit: {reason}")

    def paused(self, *, on: bool) -> None:
        """Take whether reading is held back."""
        with self._lock:
            self._paused = on

    def status(self, seen: Seen, verdict: Verdict) -> Status:
        """Tell everything, in a copy that no longer changes.

        Parameters
        ----------
        seen : Seen
            What need not be told again; with its default all is told.
        verdict : Verdict
            Whether the consumer is ready.
        """
        first = seen.until_s == float("-inf")
        with self._lock:
            now = self._now()
            chosen = self._models.nearest(seen.wanted)
            until_s = seen.until_s if chosen == seen.chosen else float("-inf")
            return Status(
                run=self._run,
                now=now,
                started=self._started,
                state=str(self._state),
                state_since=self._state_since,
                waits_for=self._waits_for,
                ready=verdict.ok,
                reason=verdict.reason,
                paused=self._paused,
                totals=dict(self._traffic.totals),
                events_per_s=self._traffic.per_s(now),
                partitions=self._traffic.partitions(),
                models=self._models.told(),
                chosen=chosen,
                course=self._models.since(chosen, until_s).tolist(),
                traffic=self._traffic.since(seen.until_s).tolist(),
                checkpoint=self._checkpoint,
                letters=tuple(self._letters),
                drifts=tuple(self._drifts),
                events=tuple(self._events),
                first=first,
                about=self._about if first else None,
            )

    def _happened(self, kind: str, what: str) -> None:
        self._events.append(EventTold(self._now(), kind, what))

    def _now(self) -> float:
        return self._epoch_s + self._clock()
