"""Undecoded records for tests, and the schema that they follow."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from learners.events import Headers, Records
from learners.schema import Schema

SCHEMA = Schema(features=("a", "b"), id="id", label="y", classes=("down", "up"))


def event(number: int, **changed: Any) -> bytes:
    """Make the value of an event that follows `SCHEMA`."""
    label = ("down", "up")[number % 3 == 0]
    features = {"a": number % 3 - 1.0, "b": number / 7}
    return json.dumps({"id": f"e{number}", "features": features, "y": label, **changed}).encode()


def records_of(
    values: Sequence[bytes | None],
    *,
    keys: Sequence[bytes | None] | None = None,
    partition: int = 0,
    first: int = 0,
    headers: Headers | None = None,
) -> Records:
    """Make one read of one partition from values alone; times are 1000 ms apart."""
    count = len(values)
    offsets = first + np.arange(count)
    return Records(
        topic="events",
        values=values,
        keys=[None] * count if keys is None else keys,
        partitions=np.full(count, partition),
        offsets=offsets,
        time_ms=offsets * 1000,
        headers=lambda _: list(headers or []),
    )
