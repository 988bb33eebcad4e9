"""What goes through, and how far each partition is. Not thread-safe: `board` holds the lock."""

from collections import Counter
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from metrics.facts import BatchFacts, EpochFacts
from metrics.status.course import Course
from metrics.status.told import PartitionTold

_COUNTED = ("consumed", "decoded", "learned", "unlabelled", "poisoned", "predicted")
_TICK_S = 0.9
# Without any report for so long, nothing goes through.
_STILL_AFTER_S = 5.0


class Traffic:
    """Adds up batches, and keeps offsets and lag of the partitions that are owned."""

    def __init__(self) -> None:
        names = (*_COUNTED, "skipped", "dead_letters")
        self.totals: Counter[str] = Counter(dict.fromkeys(names, 0))
        self._lag: dict[int, int] = {}
        self._lag_s: dict[int, float] = {}
        self._next: dict[int, int] = {}
        self._committed: dict[int, int] = {}
        self._course = Course(2)
        self._tick: tuple[float, int] | None = None
        self._per_s = 0.0

    def batch(self, facts: BatchFacts, now_s: float) -> None:
        """Add one batch up."""
        for name in _COUNTED:
            self.totals[name] += getattr(facts, name)
        self.totals["skipped"] += sum(facts.skipped.values())
        self.totals["dead_letters"] += sum(facts.dead_letters.values())
        self._lag.update(facts.lag)
        self._lag_s.update(facts.lag_seconds)
        self._next.update(facts.next_offsets)
        self._measure(now_s)

    def epoch(self, facts: EpochFacts) -> None:
        """Take what is committed."""
        if facts.ok:
            self._committed.update(facts.committed)

    def forget(self, partitions: Collection[int]) -> None:
        """Forget partitions that went."""
        for partition in partitions:
            for known in (self._lag, self._lag_s, self._next, self._committed):
                known.pop(partition, None)

    def per_s(self, now_s: float) -> float:
        """Give the records consumed per second, over the last second or so."""
        still = self._tick is None or now_s - self._tick[0] > _STILL_AFTER_S
        return 0.0 if still else self._per_s

    def partitions(self) -> list[PartitionTold]:
        """Tell of each partition that is known, in order."""
        known = sorted(self._lag.keys() | self._next.keys() | self._committed.keys())
        return [
            PartitionTold(
                partition,
                self._lag.get(partition),
                self._lag_s.get(partition),
                self._next.get(partition, self._committed.get(partition)),
                self._committed.get(partition),
            )
            for partition in known
        ]

    def since(self, time_s: float) -> NDArray[np.float64]:
        """Give the course after a time: time, records per second, lag in records."""
        return self._course.since(time_s)

    def _measure(self, now_s: float) -> None:
        total = self.totals["consumed"]
        if self._tick is None:
            self._tick = now_s, total
            return
        since_s, before = self._tick
        if now_s - since_s >= _TICK_S:
            self._per_s = (total - before) / (now_s - since_s)
            self._tick = now_s, total
            self._course.add(now_s, (self._per_s, float(sum(self._lag.values()))))
