"""What the input log holds: events, tombstones, and records that are no events.

Read with Python's own JSON, apart from the program's decoder.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.chaos.evidence import Label, Model, Record


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """An event of the input.

    Attributes
    ----------
    partition, offset : int
        Where it stands.
    key : bytes or None
        Its key.
    id : str or int
        As predictions must tell it.
    x : ndarray of shape (1, n_features)
        Its features.
    label : str, int, float or None
        None: it is predicted only.
    plain : bool
        Whether no reader could refuse it. Others, such as one with a repeated field, may be
        taken or refused.
    tame : bool
        Whether it cannot spoil the model.
    """

    partition: int
    offset: int
    key: bytes | None
    id: str | int
    x: NDArray[np.float64]
    label: Label | float | None
    plain: bool
    tame: bool


def event_of(record: Record, model: Model, topic: str) -> Event | None:
    """Read a record; None if it is no event of this model."""
    try:
        fields, plain = _fields(record.value or b"")
        row = fields[model.features_in] if model.features_in else fields
        x = _row(row, model)
        label = fields.get(model.label_field) if model.label_field else None
        place = f"{topic}/{record.partition}/{record.offset}"
        name = fields[model.id_field] if model.id_field else place
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    if not np.abs(x).max(initial=0.0) <= model.max_abs or not _fits(label, model):
        return None
    exact = not isinstance(label, float) or not model.classes
    if isinstance(name, bool) or not isinstance(name, str | int):
        return None
    plain = plain and exact and len(str(name)) <= 1000
    tame = bool(np.abs(x).max(initial=0.0) <= model.tame)
    return Event(record.partition, record.offset, record.key, name, x, label, plain, tame)


def _fields(value: bytes) -> tuple[dict[str, Any], bool]:
    """Give the object's fields, and whether no name comes twice in it."""
    repeated: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            repeated.append("")
        return dict(pairs)

    text = value.decode("utf-8")
    found = json.loads(text, object_pairs_hook=once, parse_constant=_refuse)
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found, not repeated and len(value) < 900_000


def _row(row: Any, model: Model) -> NDArray[np.float64]:
    if isinstance(row, dict):
        if model.features_in and row.keys() != set(model.features):
            raise ValueError("other features")
        row = [row[name] for name in model.features]
    if len(row) != len(model.features) or not all(_is_number(value) for value in row):
        raise ValueError("not the features")
    return np.array([row], dtype=np.float64)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fits(label: Any, model: Model) -> bool:
    if label is None:
        return True
    if not model.classes:
        return _is_number(label) and abs(label) <= model.max_abs
    return not isinstance(label, bool) and label in model.classes


def _refuse(name: str) -> float:
    raise ValueError(name)
