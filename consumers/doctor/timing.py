"""Settings of time that fight each other: time-outs of the group, and the length of an epoch."""

from collections.abc import Iterator

from consumers.doctor.finding import SETTINGS, Finding, Kind, Level
from consumers.doctor.librdkafka import number_of, options_of
from consumers.kafka.config import CONFIG, MAX_POLL_MS
from consumers.settings import Settings

SESSION = Kind(
    "settings.session_timeout",
    Level.PROBLEM,
    "librdkafka refuses a max.poll.interval.ms below session.timeout.ms",
    "set kafka.librdkafka.max.poll.interval.ms above kafka.librdkafka.session.timeout.ms",
    SETTINGS,
)
HEARTBEAT = Kind(
    "settings.heartbeat",
    Level.WARNING,
    "a member that sends fewer than three heartbeats in a session is thrown out at the first lost",
    "set kafka.librdkafka.heartbeat.interval.ms to a third of session.timeout.ms or less",
    SETTINGS,
)
POLL_INTERVAL = Kind(
    "settings.poll_interval",
    Level.WARNING,
    "a fifth of max.poll.interval.ms is all the time for the last epoch of partitions that are "
    "given up; an epoch that ends too late is done again by the next owner",
    "leave kafka.librdkafka.max.poll.interval.ms out (5 min)",
    SETTINGS,
)
LONG_EPOCH = Kind(
    "settings.long_epoch",
    Level.NOTE,
    "what was learned since the last checkpoint is done again after a crash, and with exactly_once "
    "readers see no prediction before the epoch's end",
    "set checkpoint.every to a few seconds",
    SETTINGS,
)
SHORT_EPOCH = Kind(
    "settings.short_epoch",
    Level.WARNING,
    "the end of an epoch takes 6 ms and more: so often, the run does little else",
    "set checkpoint.every to 200ms or more",
    SETTINGS,
)
UNCHECKPOINTED = Kind(
    "settings.uncheckpointed",
    Level.WARNING,
    "the epoch ends as soon as limits.max_uncheckpointed events are open, so after every batch",
    "set limits.max_uncheckpointed to many times learning.max_batch",
    SETTINGS,
)
STALL = Kind(
    "settings.stall_after",
    Level.WARNING,
    "a new leader, a rebalance or a slow answer takes seconds: /readyz would be red each time",
    "set limits.stall_after to 30s or more",
    SETTINGS,
)

_SHORTEST_EPOCH_S, _LONG_EPOCH_S, _LONG_TRANSACTION_S = 0.05, 60.0, 10.0
_SHORTEST_STALL_S = 10.0
_LEAST_POLL_MS = 30_000
_SESSION_MS = float(CONFIG["session.timeout.ms"])
_HEARTBEAT_MS = 3_000.0  # librdkafka's default


def judge(settings: Settings) -> Iterator[Finding]:
    """Hold times against each other."""
    yield from _timing(settings)
    yield from _epochs(settings)


def _timing(settings: Settings) -> Iterator[Finding]:
    options = options_of(settings)
    poll = number_of(options, "max.poll.interval.ms", MAX_POLL_MS)
    session = number_of(options, "session.timeout.ms", _SESSION_MS)
    heartbeat = number_of(options, "heartbeat.interval.ms", _HEARTBEAT_MS)
    if poll < session:
        seen = f"max.poll.interval.ms {poll:g}, session.timeout.ms {session:g}"
        yield SESSION.found(seen)
    elif poll < _LEAST_POLL_MS:
        yield POLL_INTERVAL.found(f"max.poll.interval.ms {poll:g}: {poll / 5000:g} s are left")
    if heartbeat * 3 > session:
        seen = f"heartbeat.interval.ms {heartbeat:g}, session.timeout.ms {session:g}"
        yield HEARTBEAT.found(seen)


def _epochs(settings: Settings) -> Iterator[Finding]:
    every = settings.checkpoint.every.total_seconds()
    seen = f"checkpoint.every is {every:g} s"
    once = settings.output.delivery == "exactly_once"
    if every > (_LONG_TRANSACTION_S if once else _LONG_EPOCH_S):
        yield LONG_EPOCH.found(seen)
    if every < _SHORTEST_EPOCH_S:
        yield SHORT_EPOCH.found(seen)
    stall = settings.limits.stall_after.total_seconds()
    if stall < _SHORTEST_STALL_S:
        yield STALL.found(f"limits.stall_after is {stall:g} s")
    open_, batch = settings.limits.max_uncheckpointed, settings.learning.max_batch
    if open_ <= batch:
        yield UNCHECKPOINTED.found(
            f"limits.max_uncheckpointed is {open_}, learning.max_batch {batch}"
        )
