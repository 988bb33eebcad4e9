"""An observer that takes note of nothing, for those that want to know of one thing only."""

from collections.abc import Collection

from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)


class Silent:
    """Takes whatever happens."""

    def batch(self, facts: BatchFacts) -> None:
        """Take nothing."""

    def scores(self, facts: ScoreFacts) -> None:
        """Take nothing."""

    def epoch(self, facts: EpochFacts) -> None:
        """Take nothing."""

    def state(self, state: State) -> None:
        """Take nothing."""

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Take nothing."""

    def transaction(self, result: TransactionResult) -> None:
        """Take nothing."""

    def rollback(self, reason: RollbackReason) -> None:
        """Take nothing."""

    def paused(self, *, on: bool) -> None:
        """Take nothing."""
