"""What views need of a run: totals, a course of scores over events, the last checkpoint.

How it is shown is in `consumers.views.live`, `consumers.views.plot` and `consumers.views.summary`.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumers.views.rate import Rate
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


class Measure(StrEnum):
    """The score that model and baselines are compared by."""

    ACCURACY = "accuracy"
    MAE = "mae"

    @property
    def simple_baseline(self) -> Baseline:
        """The baseline shown beside no-change."""
        return Baseline.MAJORITY if self is Measure.ACCURACY else Baseline.RUNNING_MEAN


@dataclass(frozen=True, slots=True)
class Point:
    """Scores over the window, at one moment.

    Attributes
    ----------
    scored : int
        Labelled events scored up to then.
    model, no_change, simple : float
        Accuracy (mean absolute error for numbers) of the model, of no-change, and of majority
        (running mean for numbers).
    kappa_t : float or None
        None where it is not defined.
    """

    scored: int
    model: float
    no_change: float
    simple: float
    kappa_t: float | None


@dataclass(frozen=True, slots=True)
class Moment:
    """All that a view shows, as it stood at one moment.

    Attributes
    ----------
    state : State
        What the consumer is doing.
    consumed, decoded, learned, predicted : int
        Records and events since this process began.
    events_per_s : float
        Records consumed per second over the last two seconds.
    model_version : int
        Events that the model has learned, those before a restart included.
    dead_letters : mapping of str to int
        Dead letters since this process began, by stage.
    drifts : mapping of str to int
        Changes of the stream found since this process began, by detector.
    lag : mapping of int to int
        Partition to records not yet read, as last known.
    measure : Measure or None
        What `course` holds; None as long as nothing is scored.
    scores, course : ScoreFacts or None, sequence of Point
        As told last; and one point for each time before, in the order of `scored`.
    saved, saved_age_s : EpochFacts or None, float or None
        The last epoch that ended well, and the seconds since then.
    failed_epochs : int
        Epochs that failed since then.
    """

    state: State
    consumed: int
    decoded: int
    learned: int
    predicted: int
    events_per_s: float
    model_version: int
    dead_letters: Mapping[str, int]
    drifts: Mapping[str, int]
    lag: Mapping[int, int]
    measure: Measure | None
    scores: ScoreFacts | None
    course: Sequence[Point]
    saved: EpochFacts | None
    saved_age_s: float | None
    failed_epochs: int


class History:
    """Keeps what is told to it as an Observer; `moment` may be called from another thread.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.
    points : int
        Bound of the course's length, an even number; when it is reached, every second point goes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, points: int = 2000) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._state = State.STARTING
        self._totals: Counter[str] = Counter()
        self._dead_letters: Counter[str] = Counter()
        self._drifts: Counter[str] = Counter()
        self._lag: dict[int, int] = {}
        self._model_version = 0
        self._rate = Rate()
        self._scores: ScoreFacts | None = None
        self._course = _Course(points)
        self._saved: tuple[EpochFacts, float] | None = None
        self._failed_epochs = 0

    def batch(self, facts: BatchFacts) -> None:
        """Add up one I/O batch."""
        with self._lock:
            for name in ("consumed", "decoded", "learned", "predicted"):
                self._totals[name] += getattr(facts, name)
            self._dead_letters.update(facts.dead_letters)
            self._drifts.update(drift.detector for drift in facts.drifts)
            self._lag.update(facts.lag)
            self._model_version = facts.model_version
            self._rate.add(self._clock(), self._totals["consumed"])

    def scores(self, facts: ScoreFacts) -> None:
        """Take the scores as they stand, and one more point of the course."""
        with self._lock:
            self._scores = facts
            if point := _point(facts):
                self._course.add(point)

    def epoch(self, facts: EpochFacts) -> None:
        """Take one epoch, ended well or not."""
        with self._lock:
            self._failed_epochs = 0 if facts.ok else self._failed_epochs + 1
            if facts.ok:
                self._saved = facts, self._clock()

    def state(self, state: State) -> None:
        """Take what the consumer is doing from now on."""
        with self._lock:
            self._state = state

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Forget the lag of partitions that went."""
        gone = () if event is RebalanceEvent.ASSIGNED else partitions
        with self._lock:
            for partition in gone:
                self._lag.pop(partition, None)

    def transaction(self, result: TransactionResult) -> None:
        """Take no notice: the epoch around it is told too."""

    def rollback(self, reason: RollbackReason) -> None:
        """Take no notice: totals are of work done, also of what is done again."""

    def paused(self, *, on: bool) -> None:
        """Take no notice: the epoch that failed before is shown."""

    def moment(self) -> Moment:
        """Give everything as it stands, in a copy that no longer changes."""
        with self._lock:
            now_s, totals = self._clock(), self._totals
            saved, saved_s = self._saved or (None, now_s)
            return Moment(
                state=self._state,
                consumed=totals["consumed"],
                decoded=totals["decoded"],
                learned=totals["learned"],
                predicted=totals["predicted"],
                events_per_s=self._rate.per_s(now_s),
                model_version=self._model_version,
                dead_letters=dict(self._dead_letters),
                drifts=dict(self._drifts),
                lag=dict(self._lag),
                measure=_measure(self._scores),
                scores=self._scores,
                course=tuple(self._course.points),
                saved=saved,
                saved_age_s=None if saved is None else now_s - saved_s,
                failed_epochs=self._failed_epochs,
            )


class _Course:
    """A bounded list of points that always spans the whole run, in steps that widen."""

    def __init__(self, bound: int) -> None:
        self.points: list[Point] = []
        self._bound = bound
        self._step = 1

    def add(self, point: Point) -> None:
        points = self.points
        # After a restore the count goes back: what lies ahead of it is undone.
        while points and points[-1].scored >= point.scored:
            points.pop()
        if len(points) > 1 and point.scored - points[-2].scored < self._step:
            points[-1] = point
        else:
            points.append(point)
        if len(points) > self._bound:
            del points[1::2]
            self._step = (points[-1].scored - points[0].scored) // (self._bound // 2)


def _measure(facts: ScoreFacts | None) -> Measure | None:
    scores = {} if facts is None else facts.scores.get(View.WINDOW, {})
    return next((measure for measure in Measure if measure in scores), None)


def _point(facts: ScoreFacts) -> Point | None:
    measure = _measure(facts)
    if measure is None:
        return None
    scores, baselines = facts.scores[View.WINDOW], facts.baselines.get(View.WINDOW, {})
    no_change = baselines.get(Baseline.NO_CHANGE)
    simple = baselines.get(measure.simple_baseline)
    if no_change is None or simple is None:
        return None
    return Point(facts.scored, scores[measure], no_change, simple, scores.get("kappa_t"))
