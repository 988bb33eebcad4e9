"""Who is told what happens: the contract between the loop and whatever shows its work."""

from collections.abc import Collection
from typing import Protocol

from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)


class Observer(Protocol):
    """Takes facts as they happen, in the loop's thread; must return at once and never raise."""

    def batch(self, facts: BatchFacts) -> None:
        """One I/O batch was worked off."""

    def scores(self, facts: ScoreFacts) -> None:
        """Scores as they stand, told at least at each epoch's end and after a restore."""

    def epoch(self, facts: EpochFacts) -> None:
        """Take one epoch, ended well or not."""

    def state(self, state: State) -> None:
        """Take what the consumer is doing from now on."""

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Partitions came or went; of one that went nothing is told until it comes again."""

    def transaction(self, result: TransactionResult) -> None:
        """Take how a transaction ended."""

    def rollback(self, reason: RollbackReason) -> None:
        """Everything since the last commit is given up; told before what is restored then."""

    def paused(self, *, on: bool) -> None:
        """Take that reading is held back since too much is uncheckpointed, or goes on."""
