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


MAX_POLL_MS = 300_000.0  # librdkafka's default
LONGEST_REVOKE_S = 20.0

# A fetch of the embedded broker does not wake on new data: without this, events wait for 0.5 s.
EMBEDDED: dict[str, str | int | float | bool] = {"fetch.wait.max.ms": 10}


def consumer_config(options: Mapping[str, Any], group: str, instance: str | None) -> dict[str, Any]:
    """Put the consumer's options together: ours, the user's over them, the fixed ones over all."""
    config = {**CONFIG, **options, **FIXED, "group.id": group}
    if instance is not None:
        config["group.instance.id"] = instance
    if options.get("group.protocol") == "consumer":
        config = {key: value for key, value in config.items() if key not in _CLASSIC_ONLY}
    return config


def revoke_timeout_s(options: Mapping[str, Any]) -> float:
    """Give the seconds for the last epoch of partitions that are given up.

    A fifth of `max.poll.interval.ms`, after which the group would take them without asking; and
    no longer than a loop may stand still.
    """
    value = options.get("max.poll.interval.ms", MAX_POLL_MS)
    limit_ms = float(value) if isinstance(value, int | float | str) else MAX_POLL_MS
    return min(LONGEST_REVOKE_S, limit_ms / 5000)


def client_config(settings: Settings) -> dict[str, str | int | float | bool]:
    """Give the options of any client, with secrets read from their files."""
    try:
        return settings.kafka.client_config()
    except OSError as error:
        raise SettingsError(
            f"kafka.librdkafka: {error.filename}: cannot be read ({error.strerror})"
        ) from None
