"""What the status page is told, as it goes out in JSON. How it comes about is in `board`.

Times are seconds since 1970 UTC. Nothing here holds a value, a key or a header of a record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Sequence[float]


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while the process runs.

    Attributes
    ----------
    topic, group : str
        Where events come from.
    partitioned : bool
        Whether each partition has a model of its own.
    settings : mapping of str to mapping
        The tables of the settings, with secrets masked by whoever gives them.
    versions : mapping of str to str
        Versions of the packages that matter.
    """

    topic: str
    group: str
    partitioned: bool
    settings: Mapping[str, Any]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartitionTold:
    """How far a partition is: offsets as next offsets; lag in records and seconds."""

    partition: int
    lag: int | None
    lag_s: float | None
    next_offset: int | None
    committed: int | None


@dataclass(frozen=True, slots=True)
class ModelTold:
    """How good a model is over the window; `partition` is None for the one of global scope.

    `measure` is `accuracy`, `mae`, or None as long as nothing is scored.
    """

    partition: int | None
    version: int
    scored: int
    measure: str | None
    scores: Mapping[str, float]
    baselines: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LetterTold:
    """A dead letter: when, why, and where it came from."""

    time: float
    stage: str
    reason: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class DriftTold:
    """A change of the stream that was found."""

    time: float
    detector: str
    model_version: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class EventTold:
    """Something that happened to the run: a rebalance, or a way back to the last commit."""

    time: float
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckpointTold:
    """The last epoch that ended well, and how many failed since then; None: there was none."""

    time: float | None
    epoch: int | None
    size_bytes: int | None
    seconds: float | None
    failed: int
    uncheckpointed: int


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at one moment; what is long goes out in full only the first time.

    Attributes
    ----------
    run : str
        Another one after each start of the process.
    now, started, state_since : float
        Times.
    state : str
        What the consumer is doing, of `metrics.facts.State`.
    waits_for : sequence of str
        Who holds the group while this process stands by, as far as known.
    ready, reason : bool, str
        What `/readyz` says.
    paused : bool
        Whether reading is held back.
    totals : mapping of str to int
        Records and events since the start.
    events_per_s : float
        Records consumed per second of late.
    partitions, models : sequence
        One for each that is owned.
    chosen : int or None
        Of which model `course` is; all of it where that is another one than before.
    course : sequence of rows
        Time, then the score over the window: model, no-change, the other baseline, kappa-T.
    traffic : sequence of rows
        Time, records consumed per second, lag in records.
    checkpoint, letters, drifts, events
        As their classes say; the last ones, in the order of time.
    first : bool
        Whether `course` and `traffic` are all there is, rather than what is new.
    about : About or None
        Only the first time.
    """

    run: str
    now: float
    started: float
    state: str
    state_since: float
    waits_for: Sequence[str]
    ready: bool
    reason: str
    paused: bool
    totals: Mapping[str, int]
    events_per_s: float
    partitions: Sequence[PartitionTold]
    models: Sequence[ModelTold]
    chosen: int | None
    course: Sequence[Row]
    traffic: Sequence[Row]
    checkpoint: CheckpointTold
    letters: Sequence[LetterTold]
    drifts: Sequence[DriftTold]
    events: Sequence[EventTold]
    first: bool
    about: About | None
