"""Whole reads of plain JSON to fields, without an object for each event.

What a bad record is, is not decided here: a read that is not plain is left to `learners.fields`.
"""

import sys
from collections.abc import Sequence
from itertools import count

import numpy as np

from learners.events import Floats, Ints
from learners.formats import Fields
from learners.json_scan import (
    FEATURES,
    ID,
    INTEGER,
    LABEL,
    TARGET,
    TEXT,
    TIME,
    Plan,
    Scanned,
    quoted,
    scan,
)
from learners.schema import Label, Schema
from learners.slices import Slices
from learners.tokens import Tokens

# Classes are looked through one by one.
_MOST_CLASSES = 256


class JsonScanner:
    """Reads plain events of a schema into fields.

    Plain are objects of the declared names, each once, in any order, with values that need no
    second look: text is ASCII without escapes, numbers have at most 19 digits, labels are declared.
    Fields that are not declared are passed over where they hold no object and no array. It compiles
    at its making, not at the first read.

    Parameters
    ----------
    schema : Schema
        One that `fits`.

    Examples
    --------
    >>> scanner = JsonScanner(Schema(features=("a", "b"), label="y", classes=("no", "yes")))
    >>> fields = scanner.scan([b'{"features": {"a": 1, "b": 2.5}, "y": "yes"}'])
    >>> fields.numbers.tolist(), fields.labels.tolist()
    ([[1.0, 2.5]], [1])
    >>> scanner.scan([b'{"features": [1, 2.5], "y": "yes"}']) is None
    True
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._plan = _plan(schema)
        self.scan([])

    @staticmethod
    def fits(schema: Schema) -> bool:
        """Tell whether events of this schema can be plain."""
        texts, integers = _told_apart(schema.classes or ())
        names = [name for name, _ in _beside(schema)]
        return (
            sys.byteorder == "little"
            and not schema.is_sparse
            and bool(schema.features)
            and all(names)
            and all(map(_is_plain, (*names, *schema.features, *texts)))
            and all(abs(label) < 2**63 for label in integers)
            and len(texts) + len(integers) <= _MOST_CLASSES
        )

    def scan(self, values: Sequence[bytes | None]) -> Fields | None:
        """Read values into fields, or give None if any of them is too large or not plain."""
        if not isinstance(values, Slices):
            if None in values:  # a tombstone
                return None
            values = Slices.of(values)  # type: ignore[arg-type]  # none is None
        if (values.ends - values.starts).max(initial=0) > self._schema.max_bytes:
            return None
        buffer, ends = values.with_room()
        n_events = len(values)
        scanned = Scanned(
            numbers=np.empty((n_events, len(self._schema.features))),
            indices=np.full(n_events, -1),
            targets=np.full(n_events, np.nan),
            id_starts=np.empty(n_events, np.int64),
            id_ends=np.empty(n_events, np.int64),
            time_ms=np.empty(n_events, np.int64),
        )
        if not scan(buffer, ends, self._plan, scanned):
            return None
        return Fields(
            numbers=scanned.numbers,
            words=[],
            labels=self._labels(scanned),
            ids=Tokens(buffer, scanned.id_starts, scanned.id_ends) if self._schema.id else None,
            time_ms=scanned.time_ms if self._schema.time else None,
        )

    def _labels(self, scanned: Scanned) -> Ints | Floats | None:
        if not self._schema.label:
            return None
        return scanned.targets if self._schema.classes is None else scanned.indices


def _plan(schema: Schema) -> Plan:
    beside = _beside(schema)
    within = list(zip(schema.features, count())) if schema.features_in else []
    names, meanings = zip(*beside, *within, strict=True)
    texts, integers = _told_apart(schema.classes or ())
    return Plan(
        names=quoted(names),
        meanings=np.array(meanings, dtype=np.int64),
        n_beside=len(beside),
        n_required=len(schema.features) + (schema.id is not None) + (schema.time is not None),
        label_kind=TEXT if texts else INTEGER if integers else TARGET,
        texts=quoted(texts),
        integers=np.array(integers, dtype=np.int64),
    )


def _beside(schema: Schema) -> list[tuple[str, int]]:
    """Give the names that stand in the object itself, and their meanings."""
    head = ((schema.id, ID), (schema.time, TIME), (schema.label, LABEL))
    declared = [(name, meaning) for name, meaning in head if name is not None]
    if schema.features_in:
        return [*declared, (schema.features_in, FEATURES)]
    return [*declared, *zip(schema.features, count())]


def _told_apart(classes: tuple[Label, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Take classes that are text and classes that are integers apart; one of them is empty."""
    texts = tuple(label for label in classes if isinstance(label, str))
    return texts, tuple(label for label in classes if not isinstance(label, str))


def _is_plain(text: str) -> bool:
    """Tell whether text stands in JSON as it is."""
    return text.isascii() and text.isprintable() and not {'"', "\\"} & set(text)
