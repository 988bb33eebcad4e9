"""Tells in the log what a long run is doing: what changes at once, figures once a minute."""

import logging
from collections import Counter
from collections.abc import Callable, Collection

from metrics.facts import (
    Baseline,
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    ScoreFacts,
    State,
    View,
)

_log = logging.getLogger("streamfit.run")
EVERY_S = 60.0


class Narrator:
    """An observer that writes log lines.

    Parameters
    ----------
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told = clock()
        self._since: Counter[str] = Counter()
        self._lag: dict[int, int] = {}
        self._version = 0
        self._scores: ScoreFacts | None = None

    def batch(self, facts: BatchFacts) -> None:
        """Count; tell the first dead letters of a minute at once."""
        if facts.dead_letters:
            if not self._since["dead letters"]:
                stages = ", ".join(f"{count} {name}" for name, count in facts.dead_letters.items())
                _log.warning("dead letters: %s; their headers tell why", stages)
            self._since["dead letters"] += sum(facts.dead_letters.values())
        self._since["consumed"] += facts.consumed
        self._version = facts.model_version
        self._lag.update(facts.lag)
        if self._clock() - self._told >= EVERY_S:
            self._summarise()

    def scores(self, facts: ScoreFacts) -> None:
        """Keep them for the next line."""
        self._scores = facts

    def epoch(self, facts: EpochFacts) -> None:
        """Tell one that failed."""
        if not facts.ok:
            _log.error("epoch after %d failed: nothing of it is committed", facts.epoch)

    def state(self, state: State) -> None:
        """Tell what the consumer is doing from now on."""
        _log.info("state: %s", state)

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Tell which partitions came or went."""
        _log.info("partitions %s: %s", event, sorted(partitions))
        if event is not RebalanceEvent.ASSIGNED:
            self._lag.clear()

    def _summarise(self) -> None:
        seconds = self._clock() - self._told
        _log.info(
            "consumed %d (%.0f a second), model version %d, dead letters %d, lag %d%s",
            self._since["consumed"],
            self._since["consumed"] / seconds,
            self._version,
            self._since["dead letters"],
            sum(self._lag.values()),
            self._of_scores(),
        )
        self._told = self._clock()
        self._since.clear()

    def _of_scores(self) -> str:
        facts = self._scores
        if facts is None:
            return ""
        told = {
            **facts.scores.get(View.WINDOW, {}),
            "no-change": facts.baselines.get(View.WINDOW, {}).get(Baseline.NO_CHANGE),
        }
        names = ("accuracy", "kappa_t", "mae", "no-change")
        known = [f"{name} {told[name]:.4f}" for name in names if told.get(name) is not None]
        return "".join(f", {each}" for each in known) + (" over the window" if known else "")
