"""Predictions and dead letters as their topics hold them, and which input each tells of.

A prediction that was too large for its topic is among the dead letters, and a prediction all the
same: its event was learned.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.evidence import Log, Record
from tests.chaos.violations import Violation

Place = tuple[int, int]
_PREFIX = "streamfit.error."


@dataclass(frozen=True, slots=True)
class Prediction:
    """What was said of an event.

    Attributes
    ----------
    record : Record
        Where it stands in the predictions.
    place : (int, int)
        Partition and offset of the event.
    id, value, probability, version
        The fields `id`, `prediction`, `probability` (None: left out) and `model_version`.
    """

    record: Record
    place: Place
    id: Any
    value: Any
    probability: float | None
    version: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, with partition and offset of its origin, and the stage that refused it."""

    record: Record
    place: Place
    stage: str


def predictions_in(log: Log, broken: list[Violation]) -> dict[int, list[Prediction]]:
    """Read all predictions, partition by partition; what is none becomes a violation."""
    return {partition: list(_predictions(log[partition], broken)) for partition in log}


def letters_in(log: Log, topic: str, broken: list[Violation]) -> dict[int, list[Letter]]:
    """Read all dead letters of input, partition by partition; what is none becomes a violation."""
    return {p: list(_letters(_split(log[p])[0], topic, broken)) for p in log}


def too_large_in(log: Log, broken: list[Violation]) -> dict[int, list[Prediction]]:
    """Read the predictions among the dead letters."""
    return {p: list(_predictions(_split(log[p])[1], broken)) for p in log}


def _split(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """Give dead letters of input, and those of predictions."""
    parts: tuple[list[Record], list[Record]] = ([], [])
    for record in records:
        parts[record.headers.get(_PREFIX + "stage") == b"produce"].append(record)
    return parts


def _predictions(records: Sequence[Record], broken: list[Violation]) -> Iterator[Prediction]:
    for record in records:
        try:
            told = json.loads(record.value or b"")
            place = _count(told["partition"]), _count(told["offset"])
            version = _count(told["model_version"])
            probability = None if "probability" not in told else float(told["probability"])
            yield Prediction(record, place, told["id"], told["prediction"], probability, version)
        except (ValueError, KeyError, TypeError) as error:
            broken.append(Violation("O2", f"{_where('prediction', record)}: unreadable: {error!r}"))


def _letters(records: Sequence[Record], topic: str, broken: list[Violation]) -> Iterator[Letter]:
    for record in records:
        try:
            told = {
                name: (record.headers[_PREFIX + name] or b"").decode()
                for name in ("partition", "offset", "stage", "topic")
            }
            _same(told["topic"], topic)
            yield Letter(record, (int(told["partition"]), int(told["offset"])), told["stage"])
        except (ValueError, KeyError) as error:
            text = f"{_where('dead letter', record)}: no origin: {error!r}"
            broken.append(Violation("O2", text))


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def holds(copy: Record, what: str, right: bytes | None) -> bool:
    """Tell whether a record has this key or value, or the beginning of it and its sha256."""
    found = copy.key if what == "key" else copy.value
    sha256 = hashlib.sha256(right or b"").hexdigest().encode()
    cut = copy.headers.get(f"{_PREFIX}{what}.sha256") == sha256
    return found == right or (cut and (right or b"").startswith(found or b""))


def _same(found: str, topic: str) -> None:
    if found != topic:
        raise ValueError(f"it comes from {found}")


def _where(kind: str, record: Record) -> str:
    return f"{kind} at {record.partition}/{record.offset}"
