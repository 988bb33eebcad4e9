"""Tells the observer how far the models are: lag, versions, scores."""

from dataclasses import dataclass, replace

from consumers.kafka.source import Source
from consumers.loop.clocks import Clocks
from consumers.loop.lanes import Lane, Lanes
from metrics.facts import BatchFacts
from metrics.observer import Observer

_IDLE = BatchFacts(0, 0, 0, 0, 0, 0, {}, {}, {}, {}, None, 0, {})


@dataclass(slots=True)
class Reports:
    """Reports at most every so often.

    Attributes
    ----------
    source : Source
        Tells the lag.
    observer : Observer
        Is told.
    clocks : Clocks
        By which time is measured.
    every_s : float
        Seconds between two reports.
    """

    source: Source
    observer: Observer
    clocks: Clocks
    every_s: float
    _last: float = float("-inf")

    def report(self, lanes: Lanes, *, always: bool = False) -> None:
        """Report every model."""
        now = self.clocks.steady()
        if not (always or now - self._last >= self.every_s):
            return
        self._last = now
        lag = self.source.lag(lanes.next_offsets())
        for lane in lanes:
            self.observer.batch(
                self._facts(lane, {p: lag[p] for p in lane.partitions & lag.keys()})
            )
            scores = lane.learning.scores.facts()
            self.observer.scores(replace(scores, partition=lane.partition))

    def skipped(self, lane: Lane) -> None:
        """Tell of records that were removed before a model could read them."""
        count = sum(lane.skipped.values())
        if count:
            facts = self._facts(lane, {})
            self.observer.batch(replace(facts, consumed=count, skipped={"gap": count}))

    def _facts(self, lane: Lane, lag: dict[int, int]) -> BatchFacts:
        wall_ms = self.clocks.wall() * 1000
        ages = {p: max(0.0, (wall_ms - lane.read_ms.get(p, wall_ms)) / 1000) for p in lag}
        return replace(
            _IDLE,
            model_version=lane.learning.learner.model_version,
            lag=lag,
            lag_seconds={p: ages[p] if lag[p] else 0.0 for p in lag},
            partition=lane.partition,
        )
