"""Breaks the program on purpose, inside a replica's own process: the checker must notice each way.

A replica is broken by the environment, `STREAMFIT_TEST_SABOTAGE=<name of a function here>`.
"""

from collections.abc import Callable, Mapping
from typing import Any

from consumers.checkpoints.store import LocalStore
from consumers.kafka import kafka_source
from consumers.kafka.source import Committed
from consumers.loop.assignment import Assignment
from consumers.loop.lanes import Lanes
from learners.events import Records
from producers.sink import KafkaSink


def commit_before_save() -> None:
    """Keep each checkpoint back until the next one is saved: the commit comes first."""
    put, kept = LocalStore.put, list[tuple[str, bytes]]()

    def late(self: LocalStore, key: str, data: bytes) -> None:
        kept.append((key, data))
        for one in kept[:-1]:
            put(self, *one)
        del kept[:-1]

    LocalStore.put = late  # type: ignore[method-assign]  # that is the sabotage


def no_fence_filter() -> None:
    """Go on with partitions that the group has given away, and commit them."""

    def everything(places: Mapping[int, Committed], _: Any) -> dict[int, Committed]:
        return dict(places)

    vars(kafka_source)["only"] = everything
    Lanes.drop = _nothing  # type: ignore[method-assign, assignment]
    Lanes.keep = _nothing  # type: ignore[method-assign, assignment]


def offset_one_too_far() -> None:
    """Take the offset after the next for the next one."""
    next_offsets = Records.next_offsets

    def too_far(self: Records) -> dict[int, int]:
        return {p: offset + 1 for p, offset in next_offsets(self).items()}

    Records.next_offsets = too_far  # type: ignore[method-assign]


def forget_a_revoked_partition() -> None:
    """Give partitions up without an epoch for them."""

    def forget(self: Assignment, partitions: frozenset[int]) -> None:
        self.lanes.drop(partitions)

    Assignment._on_revoke = forget  # type: ignore[method-assign]


def skip_the_flush() -> None:
    """Commit what is not acknowledged."""
    KafkaSink.flush = _nothing  # type: ignore[method-assign, assignment]


def _nothing(*_: object) -> None:
    """Do nothing."""


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way
    for way in (
        commit_before_save,
        no_fence_filter,
        offset_one_too_far,
        forget_a_revoked_partition,
        skip_the_flush,
    )
}
