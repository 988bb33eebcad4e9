"""Options of the consumer: which are ours, which are the user's, which are fixed."""

from collections.abc import Mapping
from typing import Any

from consumers.errors import SettingsError
from consumers.settings import Settings

CONFIG: dict[str, str | int | float | bool] = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10_000,
    # Once its queue is full, the client waits that long before it fetches again; with the
    # default of 1 s a fast reader stands still most of the time.
    "fetch.queue.backoff.ms": 10,
    # The default does not look: a record that a disk has damaged would be learned as it is.
    "check.crcs": True,
}
FIXED: dict[str, str | int | float | bool] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "isolation.level": "read_committed",
    "auto.offset.reset": "error",
    "allow.auto.create.topics": False,
    # Tells the position behind markers of transactions, which are offsets without a record.
    "enable.partition.eof": True,
}
# The constructor refuses these under the newer group protocol: there the broker decides them.
_CLASSIC_ONLY = ("partition.assignment.strategy", "session.timeout.ms")


# What only one kind of client knows: the other would complain of it at each start.
_CONSUMERS = (
    *("session.timeout.ms", "heartbeat.interval.ms", "max.poll.interval.ms", "check.crcs"),
    *("fetch.", "queued.", "group.", "consume.", "coordinator.query.interval.ms"),
    "max.partition.fetch.bytes",
)
_PRODUCERS = (
    *("batch.", "linger.ms", "compression.", "queue.buffering.", "partitioner", "sticky."),
    *("message.timeout.ms", "delivery.timeout.ms", "message.send.max.retries", "retries"),
    *("request.timeout.ms", "enable.gapless.guarantee"),
)

MAX_POLL_MS = 300_000.0  # librdkafka's default
LONGEST_REVOKE_S = 20.0

# A fetch of the embedded broker does not wake on new data: without this, events wait for 0.5 s.
EMBEDDED: dict[str, str | int | float | bool] = {"fetch.wait.max.ms": 10}


def consumer_config(options: Mapping[str, Any], group: str, instance: str | None) -> dict[str, Any]:
    """Put the consumer's options together: ours, the user's over them, the fixed ones over all."""
    known = {key: value for key, value in options.items() if not key.startswith(_PRODUCERS)}
    config = {**CONFIG, **known, **FIXED, "group.id": group}
    if instance is not None:
        config["group.instance.id"] = instance
    if options.get("group.protocol") == "consumer":
        config = {key: value for key, value in config.items() if key not in _CLASSIC_ONLY}
    return config


def producer_config(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options that a producer or an admin client knows."""
    return {key: value for key, value in options.items() if not key.startswith(_CONSUMERS)}


def revoke_timeout_s(options: Mapping[str, Any]) -> float:
    """Give the seconds for the last epoch of partitions that are given up.

    A fifth of `max.poll.interval.ms`, after which the group would take them without asking; and
    no longer than a loop may stand still.
    """
    return min(LONGEST_REVOKE_S, max_poll_s(options) / 5)


def max_poll_s(options: Mapping[str, Any]) -> float:
    """Give the seconds between two reads after which the client leaves its group."""
    value = options.get("max.poll.interval.ms", MAX_POLL_MS)
    return (float(value) if isinstance(value, int | float | str) else MAX_POLL_MS) / 1000


def client_config(settings: Settings) -> dict[str, str | int | float | bool]:
    """Give the options of any client, with secrets read from their files."""
    try:
        return settings.kafka.client_config()
    except OSError as error:
        raise SettingsError(
            f"kafka.librdkafka: {error.filename}: cannot be read ({error.strerror})"
        ) from None
