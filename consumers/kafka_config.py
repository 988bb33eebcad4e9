"""Options of the consumer: which are ours, which are the user's, which are fixed."""

from collections.abc import Mapping
from typing import Any

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
