"""What happened, as plain facts with units: reported by the core, shown by exporters and views."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from learners.rejections import SkipReason

# A view shows the last few dead letters; a batch of nothing else need not tell all of them.
MOST_REFUSALS = 20


class View(StrEnum):
    """Over which events a score is taken."""

    CUMULATIVE = "cumulative"
    WINDOW = "window"
    FADING = "fading"


class Baseline(StrEnum):
    """A prediction that needs no features, made on the same events."""

    NO_CHANGE = "no_change"
    MAJORITY = "majority"
    RUNNING_MEAN = "running_mean"


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """Scores of the model and of the baselines at one moment.

    Attributes
    ----------
    scored, correct : int
        Labelled events scored so far, and those predicted right (0 for numbers).
    scores : mapping of View to mapping of str to float
        Score name (`accuracy`, `kappa`, `kappa_t`, ...) to value, in each view. A score that
        is not defined yet, or that the estimator cannot give, is left out.
    baselines : mapping of View to mapping of Baseline to float
        Accuracy of each baseline (mean absolute error for numbers), in each view.
    partition : int or None
        In partition scope the one whose model this is; None in global scope.
    """

    scored: int
    correct: int
    scores: Mapping[View, Mapping[str, float]]
    baselines: Mapping[View, Mapping[Baseline, float]]
    partition: int | None = None


@dataclass(frozen=True, slots=True)
class DriftFacts:
    """A change of the stream, found in the errors of a model.

    Attributes
    ----------
    detector : str
        Which detector found it, one of `learners.drift.catalogue.NAMES`.
    model_version : int
        Events that the model had learned when it predicted the event with whose error it was
        found.
    partition, offset : int
        Where that event came from.
    """

    detector: str
    model_version: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class RefusalFacts:
    """A record that became a dead letter: why, and where it came from; nothing of what it held.

    Attributes
    ----------
    stage, reason : str
        Where and why it was refused, of `learners.rejections`.
    partition, offset : int
        Where it stands in the input topic.
    """

    stage: str
    reason: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class BatchFacts:
    """What one I/O batch brought and what became of it.

    Attributes
    ----------
    consumed, decoded, learned, unlabelled, poisoned, predicted : int
        Numbers of records or events.
    rejected : mapping of (stage, reason) to int
        Records refused before learning.
    skipped : mapping of str to int
        Records passed over, by reason. Those that retention removed before they were read
        (`gap`) are in `consumed` too, so that the numbers add up.
    dead_letters : mapping of str to int
        Dead letters produced, by stage.
    seconds : mapping of str to float
        Time spent in each stage, in seconds.
    latency_seconds : float or None
        From the oldest record's timestamp to its prediction being handed to the producer.
    model_version : int
        Events that the model has learned after this batch.
    next_offsets : mapping of int to int
        Partition to next offset.
    lag : mapping of int to int
        Partition to records not yet read, as far as known.
    lag_seconds : mapping of int to float
        Partition to the age of its last read record where it lags, else 0.
    partition : int or None
        In partition scope the one whose model this is; None in global scope, and for a report
        that is of no model: its `model_version` says nothing in partition scope.
    drifts : tuple of DriftFacts
        Changes of the stream that were found, in the order of events.
    refusals : tuple of RefusalFacts
        The last of those counted in `dead_letters`, at most `MOST_REFUSALS`, in their order.
    """

    consumed: int
    decoded: int
    learned: int
    unlabelled: int
    poisoned: int
    predicted: int
    rejected: Mapping[tuple[str, str], int]
    skipped: Mapping[str, int]
    dead_letters: Mapping[str, int]
    seconds: Mapping[str, float]
    latency_seconds: float | None
    model_version: int
    next_offsets: Mapping[int, int]
    lag: Mapping[int, int] = field(default_factory=dict)
    lag_seconds: Mapping[int, float] = field(default_factory=dict)
    partition: int | None = None
    drifts: tuple[DriftFacts, ...] = ()
    refusals: tuple[RefusalFacts, ...] = ()

    @property
    def read(self) -> int:
        """Records that were read: those consumed, less those gone before."""
        if not self.skipped:  # mostly so; it is asked of every batch
            return self.consumed
        return self.consumed - self.skipped.get(SkipReason.GAP, 0)


@dataclass(frozen=True, slots=True)
class EpochFacts:
    """One epoch: flush, save, commit.

    Attributes
    ----------
    ok : bool
        Whether the commit was acknowledged.
    epoch : int
        Number of the epoch.
    time_s : float
        When it ended, seconds since 1970 UTC.
    seconds : mapping of str to float
        Duration of `flush`, `save` and `commit`, in seconds.
    checkpoint_bytes : int
        Size of the checkpoint, 0 if none was written.
    committed : mapping of int to int
        Partition to committed next offset.
    uncheckpointed : int
        Records read since the last commit that counted, or while it was under way.
    """

    ok: bool
    epoch: int
    time_s: float
    seconds: Mapping[str, float]
    checkpoint_bytes: int
    committed: Mapping[int, int]
    uncheckpointed: int = 0


class State(StrEnum):
    """What the consumer is doing."""

    STARTING = "starting"
    STANDBY = "standby"
    RESTORING = "restoring"
    RUNNING = "running"
    STOPPING = "stopping"


class RebalanceEvent(StrEnum):
    """What the group coordinator asked for."""

    ASSIGNED = "assigned"
    REVOKED = "revoked"
    LOST = "lost"


class TransactionResult(StrEnum):
    """How a Kafka transaction ended."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    FAILED = "failed"  # refused, or its outcome is not known


class RollbackReason(StrEnum):
    """Why the run went back to the last commit."""

    DELIVERY = "delivery"  # a prediction or dead letter was not acknowledged
    COMMIT = "commit"  # refused, or its outcome is not known
    LOST = "lost"  # partitions went without notice
    GAP = "gap"  # records were removed before they were read, or are damaged
    FENCED = "fenced"  # another member or producer took over
    STORE = "store"  # the checkpoint could not be kept
    KAFKA = "kafka"  # any other error of the client
