"""Several observers as one."""

from collections.abc import Collection, Sequence

from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from metrics.observer import Observer


class Observers:
    """Tells each of several observers, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def batch(self, facts: BatchFacts) -> None:
        """Pass on a batch."""
        for observer in self._observers:
            observer.batch(facts)

    def scores(self, facts: ScoreFacts) -> None:
        """Pass on the scores."""
        for observer in self._observers:
            observer.scores(facts)

    def epoch(self, facts: EpochFacts) -> None:
        """Pass on an epoch."""
        for observer in self._observers:
            observer.epoch(facts)

    def state(self, state: State) -> None:
        """Pass on a state."""
        for observer in self._observers:
            observer.state(state)

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Pass on a rebalance."""
        for observer in self._observers:
            observer.rebalance(event, partitions)

    def transaction(self, result: TransactionResult) -> None:
        """Pass on how a transaction ended."""
        for observer in self._observers:
            observer.transaction(result)

    def rollback(self, reason: RollbackReason) -> None:
        """Pass on a way back to the last commit."""
        for observer in self._observers:
            observer.rollback(reason)

    def paused(self, *, on: bool) -> None:
        """Pass on a pause, or its end."""
        for observer in self._observers:
            observer.paused(on=on)
