"""Every event of the log by its name, and what it means; the sentences stand where they are told.

A log pipeline filters by these names and by the fields that come with them. They are stable: a
sentence may change, a name does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of line in the log.

    Called with fields, it gives what `logging` takes as `extra`. A field is never a feature value,
    a record's key or a secret.

    Attributes
    ----------
    name : str
        Stable, snake_case.
    meaning : str
        When it is told.

    Examples
    --------
    >>> EPOCH_FAILED(epoch=12)
    {'event': 'epoch_failed', 'fields': {'epoch': 12}}
    """

    name: str
    meaning: str

    def __call__(self, **fields: Any) -> Mapping[str, object]:
        """Give the event and its fields, as the attributes of a log record."""
        return {"event": self.name, "fields": fields}


# A run begins, goes on and ends.
STARTING = Event("starting", "a run has connected and begins")
KERNELS_READY = Event("kernels_ready", "what learns is compiled")
STATE_CHANGED = Event("state_changed", "the consumer does something else from now on")
SUMMARY = Event("summary", "figures since the summary before, once a minute and at the end")
STOPPED = Event("stopped", "a run has ended in order, everything learned is committed")
FAILED = Event("failed", "a run has ended on an error; exit_code says of which kind")
CLOSE_OVERDUE = Event("close_overdue", "a client did not close in time, the process ends at once")

# The group.
STANDING_BY = Event("standing_by", "another member holds the group")
GROUP_NOT_DESCRIBED = Event("group_not_described", "the broker does not tell who is in the group")
UNASSIGNED = Event("unassigned", "partitions are with nobody, this member joins the group anew")
INSTANCE_HELD = Event("instance_held", "the broker holds input.instance for a dead member")
PARTITIONS_CHANGED = Event("partitions_changed", "partitions were assigned, revoked or lost")
ASSIGN_REFUSED = Event("assign_refused", "the group took partitions back before they were taken")
UNASSIGN_REFUSED = Event("unassign_refused", "the group took partitions before they were given")
LEAVE_FAILED = Event("leave_failed", "a client did not leave in order, its session ends by itself")

# Records and the model.
DEAD_LETTERS = Event("dead_letters", "records were refused; told of the first of a minute")
DRIFT_DETECTED = Event("drift_detected", "a detector found a change of the stream")
DRIFT_BEGUN_ANEW = Event("drift_begun_anew", "a drift detector lost its state at a restore")
PAUSED = Event("paused", "reading is held back until a checkpoint is saved")
RESUMED = Event("resumed", "reading goes on after a pause")

# Epochs and checkpoints.
EPOCH_COMMITTED = Event("epoch_committed", "an epoch is permanent; told at level debug")
EPOCH_FAILED = Event("epoch_failed", "nothing of an epoch is committed")
REVOKE_EPOCH_FAILED = Event("revoke_epoch_failed", "the epoch at a revoke failed")
TRANSACTION_FAILED = Event("transaction_failed", "a transaction was aborted or refused")
COMMIT_POSTPONED = Event("commit_postponed", "a commit waits for a rebalance")
ROLLED_BACK = Event("rolled_back", "the run goes back to the last commit")
STORE_FAILED = Event("store_failed", "a checkpoint cannot be written, it is tried again")
CHECKPOINTS_NOT_DELETED = Event("checkpoints_not_deleted", "old checkpoints stay")

# Where a start goes on.
CHECKPOINT_PASSED_OVER = Event("checkpoint_passed_over", "a checkpoint is missing or damaged")
RECORDS_REDONE = Event("records_redone", "an older checkpoint is used, records are done again")
OFFSETS_RESET = Event("offsets_reset", "offsets do not fit, learning.on_reset says how to go on")
RECORDS_SKIPPED = Event("records_skipped", "retention removed records before they were read")
TOPIC_ID_UNKNOWN = Event("topic_id_unknown", "the broker does not tell the topic's id")

# The cluster.
CONSUMER_ERROR = Event("consumer_error", "an error that the consumer mends itself")
TOPIC_NOT_DESCRIBED = Event("topic_not_described", "the broker does not tell a topic's settings")
OFFSETS_OF_TIME_UNKNOWN = Event(
    "offsets_of_time_unknown", "the broker does not tell where a time begins"
)
LIBRDKAFKA = Event("librdkafka", "a line of the Kafka client's own log")

# Watching, serving and tracing.
STALLED = Event("stalled", "the loop or a partition stands still")
STALL_ENDED = Event("stall_ended", "the loop turns again, or partitions move again")
WATCH_FAILED = Event("watch_failed", "the watch for stalls failed, and goes on")
SERVING = Event("serving", "what the HTTP server says, such as that a request failed")
TRACING = Event("tracing", "what OpenTelemetry says, such as that spans cannot be sent")

# The log itself.
WARNING = Event("warning", "a warning of Python or of a library")
LINES_LEFT_OUT = Event("lines_left_out", "so many lines like one were left out")
OTHER = Event("other", "a line without a name of its own")

ALL: Mapping[str, Event] = {
    event.name: event for event in list(globals().values()) if isinstance(event, Event)
}
