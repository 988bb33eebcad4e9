"""Tells in the log what a long run is doing: what changes at once, figures once a minute."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from metrics.facts import (
    Baseline,
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
    View,
)

_log = logging.getLogger("streamfit.run")
EVERY_S = 60.0
_Told = TypeVar("_Told")
_TOLD_SCORES = ("accuracy", "kappa_t", "mae", "no-change")


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
        # By partition where each has a model of its own; that of global scope is under None.
        self._versions: dict[int | None, int] = {}
        self._scores: dict[int | None, ScoreFacts] = {}
        self._uncheckpointed = 0

    def batch(self, facts: BatchFacts) -> None:
        """Count; tell of drift, and of the first dead letters of a minute, at once."""
        if facts.dead_letters:
            if not self._since["dead letters"]:
                stages = ", ".join(f"{count} {name}" for name, count in facts.dead_letters.items())
                _log.warning("dead letters: %s; their headers tell why", stages)
            self._since["dead letters"] += sum(facts.dead_letters.values())
        for drift in facts.drifts:
            _log.info(
                "drift: %s at partition %d, offset %d, model version %d",
                drift.detector,
                drift.partition,
                drift.offset,
                drift.model_version,
            )
        self._since["drifts"] += len(facts.drifts)
        self._since["consumed"] += facts.consumed
        self._uncheckpointed += facts.read
        self._versions[facts.partition] = facts.model_version
        self._lag.update(facts.lag)
        if self._clock() - self._told >= EVERY_S:
            self._summarise()

    def scores(self, facts: ScoreFacts) -> None:
        """Keep them for the next line."""
        self._scores[facts.partition] = facts

    def epoch(self, facts: EpochFacts) -> None:
        """Tell one that failed."""
        self._uncheckpointed = facts.uncheckpointed
        if not facts.ok:
            more = (
                f"; {facts.uncheckpointed} records have no checkpoint yet"
                if facts.uncheckpointed
                else ""
            )
            _log.error("epoch after %d failed: nothing of it is committed%s", facts.epoch, more)

    def state(self, state: State) -> None:
        """Tell what the consumer is doing from now on."""
        _log.info("state: %s", state)

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Tell which partitions came or went."""
        _log.info("partitions %s: %s", event, sorted(partitions))
        if event is not RebalanceEvent.ASSIGNED:
            self._lag.clear()
            for partition in partitions:
                self._versions.pop(partition, None)
                self._scores.pop(partition, None)

    def transaction(self, result: TransactionResult) -> None:
        """Tell one that did not end well."""
        if result is not TransactionResult.COMMITTED:
            _log.warning("transaction %s", result)

    def rollback(self, reason: RollbackReason) -> None:  # noqa: ARG002 told already
        """Forget what is given up; the loop tells why, with the error."""
        self._uncheckpointed = 0

    def paused(self, *, on: bool) -> None:
        """Tell that reading is held back, or goes on."""
        if on:
            told = "reading is held back until a checkpoint is saved: %d records have none yet"
            _log.warning(told, self._uncheckpointed)
        else:
            _log.info("reading goes on")

    def _summarise(self) -> None:
        seconds = self._clock() - self._told
        _log.info(
            "consumed %d (%.0f a second), model version %s, dead letters %d%s, lag %d%s",
            self._since["consumed"],
            self._since["consumed"] / seconds,
            _span(list(_of_models(self._versions).values()) or [0], "d"),
            self._since["dead letters"],
            f", drifts {self._since['drifts']}" if self._since["drifts"] else "",
            sum(self._lag.values()),
            self._of_scores(),
        )
        self._told = self._clock()
        self._since.clear()

    def _of_scores(self) -> str:
        models = [_window(facts) for facts in _of_models(self._scores).values()]
        known = {name: [m[name] for m in models if name in m] for name in _TOLD_SCORES}
        told = [f", {name} {_span(values, '.4f')}" for name, values in known.items() if values]
        return "".join(told) + (" over the window" if told else "")


def _of_models(told: dict[int | None, _Told]) -> dict[int | None, _Told]:
    """Leave out what was told of no model: in partition scope each has a partition."""
    return {p: each for p, each in told.items() if p is not None} or told


def _window(facts: ScoreFacts) -> dict[str, float]:
    no_change = facts.baselines.get(View.WINDOW, {}).get(Baseline.NO_CHANGE)
    told = dict(facts.scores.get(View.WINDOW, {}))
    return told if no_change is None else {**told, "no-change": no_change}


def _span(values: Sequence[float], form: str) -> str:
    """Tell one value, or the lowest and the highest of several models."""
    low, high = f"{min(values):{form}}", f"{max(values):{form}}"
    return low if low == high else f"{low} to {high}"
