"""Tells when a run of known length has begun, has read everything, and has it all committed."""

from collections.abc import Callable, Collection
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


@dataclass(frozen=True, slots=True)
class Milestones:
    """What to call, each once.

    Attributes
    ----------
    running : callable
        The model is ready to learn.
    consumed : callable
        Every record was worked off.
    settled : callable
        Every record was committed too, and the scores were told.
    """

    running: Callable[[], None]
    consumed: Callable[[], None]
    settled: Callable[[], None]


class Countdown:
    """An observer that counts records up to a total.

    Parameters
    ----------
    total : int
        Number of records that will come.
    milestones : Milestones
        What to call.
    """

    def __init__(self, total: int, milestones: Milestones) -> None:
        self.consumed = 0
        self._total = total
        self._milestones = milestones
        self._reached: set[str] = set()
        self._committed = False
        self._kept = 0  # consumed up to the last commit

    def batch(self, facts: BatchFacts) -> None:
        """Count."""
        self.consumed += facts.consumed
        if self.consumed >= self._total:
            self._reach("consumed", self._milestones.consumed)

    def scores(self, facts: ScoreFacts) -> None:  # noqa: ARG002 that they were told is enough
        """Settle, once everything is committed."""
        if self._committed:
            self._reach("settled", self._milestones.settled)

    def epoch(self, facts: EpochFacts) -> None:
        """Note that everything is committed."""
        self._committed = facts.ok and self.consumed >= self._total
        if facts.ok:
            self._kept = self.consumed

    def state(self, state: State) -> None:
        """Note that the model is ready."""
        if state is State.RUNNING:
            self._reach("running", self._milestones.running)

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Take no notice."""

    def transaction(self, result: TransactionResult) -> None:
        """Take no notice: the epoch around it is told too."""

    def rollback(self, reason: RollbackReason) -> None:  # noqa: ARG002 why does not matter
        """Count no longer what is read again."""
        self.consumed = self._kept

    def paused(self, *, on: bool) -> None:
        """Take no notice."""

    def _reach(self, name: str, call: Callable[[], None]) -> None:
        if name not in self._reached:
            self._reached.add(name)
            call()
