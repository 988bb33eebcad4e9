"""Every metric once: name, kind, meaning with its unit, and labels. How values get in is not here.

A member's name in small letters, with `PREFIX` before it, is the metric's name.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, unique

from learners.drift import catalogue
from learners.rejections import Reason, Stage

PREFIX = "streamfit_"

# From 10 us to 10 s, in steps of 1, 2.5, 5: one decoded event up to a store that hardly answers.
_STAGE_BUCKETS = (
    *(1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# Beyond an hour a record does not come from a stream but from a replay.
_LATENCY_BUCKETS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)

STAGES = ("decode", "step", "produce", "flush", "save", "commit")
CHECKPOINT_RESULTS = ("ok", "failed")
DRIFT_DETECTORS = catalogue.NAMES
# A poisoned event is none of these: it was decoded, and RECORDS_POISONED counts it.
REJECTIONS_BEFORE_LEARNING = (
    (Stage.DECODE, Reason.EMPTY),
    (Stage.DECODE, Reason.TOO_LARGE),
    (Stage.DECODE, Reason.MALFORMED),
    (Stage.DECODE, Reason.INVALID_UTF8),
    (Stage.DECODE, Reason.TOO_DEEP),
    (Stage.SCHEMA, Reason.WRONG_TYPE),
    (Stage.SCHEMA, Reason.MISSING_FIELD),
    (Stage.SCHEMA, Reason.UNKNOWN_FEATURE),
    (Stage.SCHEMA, Reason.WRONG_LENGTH),
    (Stage.SCHEMA, Reason.OUT_OF_RANGE),
    (Stage.LABEL, Reason.WRONG_TYPE),
    (Stage.LABEL, Reason.OUT_OF_RANGE),
    (Stage.LABEL, Reason.UNKNOWN_LABEL),
)


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Definition:
    """What a metric is.

    Attributes
    ----------
    kind : Kind
        How it behaves.
    meaning : str
        The help text, with the unit.
    labels : tuple of str
        Names of its labels; their values come from closed sets, topic and partition apart.
    buckets : tuple of float
        Upper bounds of a histogram's buckets, in its unit.
    per_model : bool
        Whether it is of one model: where each partition has its own model (partition scope), a
        further label `partition` stands after the others.
    """

    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    per_model: bool = False


def _counter(meaning: str, *labels: str) -> Definition:
    return Definition(Kind.COUNTER, f"{meaning} Counts from 0 in each process.", labels)


def _gauge(meaning: str, *labels: str) -> Definition:
    return Definition(Kind.GAUGE, meaning, labels)


def _score(meaning: str) -> Definition:
    explained = f"{meaning} Each event is predicted before it is learned. NaN: not defined."
    return Definition(Kind.GAUGE, explained, ("view",), per_model=True)


def _baseline(meaning: str) -> Definition:
    explained = f"{meaning} Taken on the same events as the model's. NaN: not defined yet."
    return Definition(Kind.GAUGE, explained, ("baseline", "view"), per_model=True)


def _partition(meaning: str) -> Definition:
    explained = f"{meaning} Only while the partition is owned."
    return Definition(Kind.GAUGE, explained, ("topic", "partition"))


@unique
class Metric(Enum):
    """All metrics, in the order in which a page should list them."""

    value: Definition

    RECORDS_CONSUMED = _counter(
        "Records read, or gone before they were read: those decoded, rejected and skipped."
    )
    RECORDS_DECODED = _counter("Events decoded: those learned, unlabelled and poisoned.")
    RECORDS_REJECTED = _counter(
        "Records refused before learning, by stage and reason.", "stage", "reason"
    )
    RECORDS_SKIPPED = _counter(
        "Records passed over without being a dead letter. Reason gap: retention had removed them "
        'before they were read, and on_gap = "skip"; they count as consumed too.',
        "reason",
    )
    RECORDS_LEARNED = _counter("Labelled events learned.")
    RECORDS_UNLABELLED = _counter("Events predicted but not learned: no label.")
    RECORDS_POISONED = _counter("Events left out since learning them would spoil the model.")
    PREDICTIONS = _counter("Predictions handed to the producer.")
    DEAD_LETTERS = _counter("Dead letters produced, by the stage that refused them.", "stage")
    REBALANCES = _counter("Rebalances of the consumer group that touched this member.", "event")
    CHECKPOINTS = _counter("Epochs ended, by whether their commit was acknowledged.", "result")
    TRANSACTIONS = _counter(
        "Kafka transactions ended, by how; failed: refused, or the outcome is unknown.", "result"
    )
    ROLLBACKS = _counter(
        "Times that all since the last commit was given up and read again, by reason.", "reason"
    )
    DRIFT_DETECTIONS = _counter(
        "Changes of the stream found in the errors of the models, by detector.", "detector"
    )
    PREQUENTIAL_SCORED = _counter("Labelled events scored.")
    PREQUENTIAL_CORRECT = _counter("Labelled events predicted right; stays 0 for numbers.")

    CONSUMER_LAG_RECORDS = _partition("Records not yet read.")
    CONSUMER_LAG_SECONDS = _partition(
        "Age in seconds of the record read last where there is lag, else 0."
    )
    COMMITTED_OFFSET = _partition("Next offset as committed: that of the next record to read.")

    PREQUENTIAL_ACCURACY = _score("Share of events predicted right, 0 to 1.")
    PREQUENTIAL_BALANCED_ACCURACY = _score("Mean recall over the classes, 0 to 1.")
    PREQUENTIAL_MACRO_F1 = _score("Mean F1 over the classes, 0 to 1.")
    PREQUENTIAL_KAPPA = _score("Cohen's kappa: 1 is perfect, 0 as good as chance.")
    PREQUENTIAL_KAPPA_T = _score("Temporal kappa: 1 is perfect, 0 as good as no-change.")
    PREQUENTIAL_LOG_LOSS = _score("Mean log loss in nats; needs probabilities.")
    PREQUENTIAL_MAE = _score("Mean absolute error in units of the label.")
    PREQUENTIAL_RMSE = _score("Root of the mean squared error in units of the label.")
    PREQUENTIAL_R2 = _score("Coefficient of determination: 1 is perfect.")
    BASELINE_ACCURACY = _baseline("Share of events a baseline predicts right, 0 to 1.")
    BASELINE_MAE = _baseline("Mean absolute error of a baseline in units of the label.")

    CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS = _gauge(
        "When the last commit was acknowledged, seconds since 1970 UTC. NaN: not yet."
    )
    CHECKPOINT_SIZE_BYTES = _gauge("Size of the last committed checkpoint in bytes.")
    UNCHECKPOINTED_RECORDS = _gauge("Records read since the last commit.")
    PAUSED = _gauge("1 while reading is held back since too much is uncheckpointed, else 0.")
    STATE = _gauge("1 for what the consumer is doing now, 0 for the rest.", "state")
    MODEL_VERSION = Definition(
        Kind.GAUGE,
        "Events the model has learned, over all restarts; 0 on a standby.",
        per_model=True,
    )
    STRIDE_ROWS = _gauge("Labelled events between two model updates; 1 is exact.")

    BATCH_RECORDS = Definition(
        Kind.HISTOGRAM,
        "Records that one read brought; where each partition has its model, to one of them.",
        buckets=_BATCH_BUCKETS,
    )
    STAGE_DURATION_SECONDS = Definition(
        Kind.HISTOGRAM,
        "Seconds spent in a stage: decode, step, produce per read; flush, save, commit per epoch.",
        ("stage",),
        _STAGE_BUCKETS,
    )
    END_TO_END_LATENCY_SECONDS = Definition(
        Kind.HISTOGRAM,
        "Seconds from the timestamp of a read's oldest record to its prediction being handed to "
        "the producer; one observation per read.",
        buckets=_LATENCY_BUCKETS,
    )
    BUILD_INFO = Definition(
        Kind.INFO, "Versions of streamfit, Python and scikit-learn as labels; always 1."
    )

    @property
    def full_name(self) -> str:
        """Name with the prefix, as it stands in the TYPE line of the OpenMetrics format.

        Examples
        --------
        >>> Metric.RECORDS_CONSUMED.full_name, Metric.RECORDS_CONSUMED.sample_name
        ('streamfit_records_consumed', 'streamfit_records_consumed_total')
        >>> Metric.BUILD_INFO.full_name, Metric.BUILD_INFO.sample_name
        ('streamfit_build', 'streamfit_build_info')
        """
        return PREFIX + self.name.lower().removesuffix("_info")

    @property
    def sample_name(self) -> str:
        """Name to query; a histogram's has `_bucket`, `_sum` or `_count` after it."""
        suffix = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.value.kind, "")
        return self.full_name + suffix
