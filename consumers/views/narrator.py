"""Tells in the log what a long run is doing: what changes at once, figures once a minute."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from metrics.events import (
    DEAD_LETTERS,
    DRIFT_DETECTED,
    EPOCH_COMMITTED,
    EPOCH_FAILED,
    PARTITIONS_CHANGED,
    PAUSED,
    RESUMED,
    STATE_CHANGED,
    SUMMARY,
    TRANSACTION_FAILED,
)
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
    memory : callable
        Gives the resident bytes of this process; None where nobody knows.
    every_s : float
        Seconds between two summaries.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        memory: Callable[[], int | None] = lambda: None,
        every_s: float = EVERY_S,
    ) -> None:
        self._clock = clock
        self._memory = memory
        self._every_s = every_s
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
                counts = dict(facts.dead_letters)
                extra = DEAD_LETTERS(count=sum(counts.values()), stages=counts, **_origin(facts))
                _log.warning("dead letters: %s; their headers tell why", stages, extra=extra)
            self._since["dead letters"] += sum(facts.dead_letters.values())
        for drift in facts.drifts:
            _log.info(
                "drift: %s at partition %d, offset %d, model version %d",
                drift.detector,
                drift.partition,
                drift.offset,
                drift.model_version,
                extra=DRIFT_DETECTED(
                    detector=drift.detector,
                    partition=drift.partition,
                    offset=drift.offset,
                    model_version=drift.model_version,
                ),
            )
        self._since["drifts"] += len(facts.drifts)
        self._since["consumed"] += facts.consumed
        self._uncheckpointed += facts.read
        self._versions[facts.partition] = facts.model_version
        self._lag.update(facts.lag)
        if self._clock() - self._told >= self._every_s:
            self._summarise()

    def scores(self, facts: ScoreFacts) -> None:
        """Keep them for the next line."""
        self._scores[facts.partition] = facts

    def epoch(self, facts: EpochFacts) -> None:
        """Tell one that failed; one that ended well only who wants all details."""
        self._uncheckpointed = facts.uncheckpointed
        if facts.ok:
            _log.debug("epoch %d is committed", facts.epoch, extra=_committed(facts))
        else:
            more = (
                f"; {facts.uncheckpointed} records have no checkpoint yet"
                if facts.uncheckpointed
                else ""
            )
            _log.error(
                "epoch after %d failed: nothing of it is committed%s",
                facts.epoch,
                more,
                extra=EPOCH_FAILED(epoch=facts.epoch, uncheckpointed=facts.uncheckpointed),
            )

    def state(self, state: State) -> None:
        """Tell what the consumer is doing from now on; at the end, also the last figures."""
        _log.info("state: %s", state, extra=STATE_CHANGED(state=state.value))
        if state is State.STOPPING and self._since["consumed"]:
            self._summarise()

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Tell which partitions came or went."""
        extra = PARTITIONS_CHANGED(change=event.value, partitions=sorted(partitions))
        _log.info("partitions %s: %s", event, sorted(partitions), extra=extra)
        if event is not RebalanceEvent.ASSIGNED:
            self._lag.clear()
            for partition in partitions:
                self._versions.pop(partition, None)
                self._scores.pop(partition, None)

    def transaction(self, result: TransactionResult) -> None:
        """Tell one that did not end well."""
        if result is not TransactionResult.COMMITTED:
            _log.warning("transaction %s", result, extra=TRANSACTION_FAILED(result=result.value))

    def rollback(self, reason: RollbackReason) -> None:  # noqa: ARG002 told already
        """Forget what is given up; the loop tells why, with the error."""
        self._uncheckpointed = 0

    def paused(self, *, on: bool) -> None:
        """Tell that reading is held back, or goes on."""
        if on:
            told = "reading is held back until a checkpoint is saved: %d records have none yet"
            records = self._uncheckpointed
            _log.warning(told, records, extra=PAUSED(uncheckpointed=records))
        else:
            _log.info("reading goes on", extra=RESUMED())

    def _summarise(self) -> None:
        now = self._clock()
        since, seconds = self._since, now - self._told
        rate = since["consumed"] / seconds if seconds > 0 else 0.0
        versions = list(_of_models(self._versions).values()) or [0]
        lag, scores, memory = sum(self._lag.values()), self._known_scores(), self._memory()
        fields = {
            "consumed": since["consumed"],
            "rate": round(rate, 1),
            "dead_letters": since["dead letters"],
            "drifts": since["drifts"],
            "lag": lag,
            "resident_bytes": memory,
            **_ends("model_version", versions),
        }
        for name, values in scores.items():
            fields |= _ends(name.replace("-", "_"), [round(value, 6) for value in values])
        _log.info(
            "consumed %d (%.0f a second), model version %s, dead letters %d%s, lag %d%s%s",
            *(since["consumed"], rate, _span(versions, "d"), since["dead letters"]),
            f", drifts {since['drifts']}" if since["drifts"] else "",
            *(lag, _in_words(scores)),
            "" if memory is None else f", memory {memory / 1e6:.0f} MB",
            extra=SUMMARY(**fields),
        )
        self._told = now
        since.clear()

    def _known_scores(self) -> dict[str, list[float]]:
        models = [_window(facts) for facts in _of_models(self._scores).values()]
        known = {name: [m[name] for m in models if name in m] for name in _TOLD_SCORES}
        return {name: values for name, values in known.items() if values}


def _in_words(scores: dict[str, list[float]]) -> str:
    told = [f", {name} {_span(values, '.4f')}" for name, values in scores.items()]
    return "".join(told) + (" over the window" if told else "")


def _ends(name: str, values: Sequence[float]) -> dict[str, float]:
    """Give the value of one model; of several the lowest, and the highest under another name."""
    ends = {name: min(values)}
    return ends if len(values) == 1 else {**ends, f"{name}_highest": max(values)}


def _origin(facts: BatchFacts) -> dict[str, object]:
    """Tell of the last refused record why it was, and where it stands."""
    if not facts.refusals:
        return {}
    last = facts.refusals[-1]
    return {"reason": last.reason, "partition": last.partition, "offset": last.offset}


def _committed(facts: EpochFacts) -> Mapping[str, object]:
    return EPOCH_COMMITTED(
        epoch=facts.epoch,
        next_offsets=dict(facts.committed),
        checkpoint_bytes=facts.checkpoint_bytes,
        seconds=dict(facts.seconds),
    )


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
