"""Turns rows of a data set into events: which column becomes which field of the JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from producers.json_values import to_id, to_label, to_ms, to_plain
from producers.rows import Dataset, DatasetError, Row

Record = tuple[bytes | None, bytes | None]
"""Key and value of a Kafka record."""

_PLAIN = frozenset({int, float, str, type(None)})  # msgspec writes a float's NaN as null


@dataclass(frozen=True, slots=True)
class EventFields:
    """Names of an event's fields in JSON; an event has no field for a name of None.

    With an empty `features_in` the features stand beside the other fields: a flat row.
    """

    id: str | None = "id"
    time: str | None = "ts"
    label: str | None = "label"
    features_in: str = "features"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Which columns of a data set become the id, the time, the label and the features.

    Attributes
    ----------
    id, time, label : str or None
        Names of columns; None if there is none.
    features : tuple of str or None
        Columns that become features under their own names; None for all columns not used above.
        A single one called as `fields.features_in` that holds an object or an array is taken as
        the features.
    fields : EventFields
        What the fields are called in the event.
    """

    id: str | None = None
    time: str | None = None
    label: str | None = None
    features: tuple[str, ...] | None = None
    fields: EventFields = EventFields()

    def bind(self, columns: tuple[str, ...]) -> "EventEncoder":
        """Find the columns of a data set.

        Raises
        ------
        DatasetError
            If a column is not there, none is left for the features, the label is also a feature,
            or two values would get the same name.
        """
        used = [self.id, self.time, self.label]
        features = self.features
        if features is None:
            features = tuple(name for name in columns if name not in used)
        for name in (*used, *features):
            if name is not None and name not in columns:
                raise DatasetError(f"no column {name!r}; the columns are {', '.join(columns)}")
        if not features:
            raise DatasetError("no column is left for the features; name them with --features")
        if self.label in features:
            raise DatasetError(
                f"column {self.label!r} is the label and a feature too: a model would only learn "
                "to copy it; take it out of the features"
            )
        self._check_names(features)
        return EventEncoder(self, columns, features)

    def _check_names(self, features: tuple[str, ...]) -> None:
        pairs = ((self.id, self.fields.id), (self.time, self.fields.time))
        names = [field for column, field in (*pairs, (self.label, self.fields.label)) if column]
        names += [self.fields.features_in] if self.fields.features_in else features
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice or len(set(features)) < len(features):
            raise DatasetError(
                f"two values of an event would be called {twice or 'the same'!r}; "
                "rename a field, or name the features with --features"
            )


class EventEncoder:
    """Encodes rows with known columns; made by `ColumnMapping.bind`."""

    def __init__(
        self, mapping: ColumnMapping, columns: tuple[str, ...], features: tuple[str, ...]
    ) -> None:
        def place(name: str | None) -> int | None:
            return None if name is None else columns.index(name)

        self._fields, self._features = mapping.fields, features
        self._places = tuple(map(columns.index, features))
        self._id, self._time, self._label = map(place, (mapping.id, mapping.time, mapping.label))
        self._whole = features == (mapping.fields.features_in,)
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    def __call__(self, row: Row, repeat: int = 0) -> Record:
        """Encode one row.

        Parameters
        ----------
        row : tuple
            A value for each column.
        repeat : int
            How often the data set was sent before; above 0 it is put behind the id.

        Returns
        -------
        Record
            The id as bytes (None without an id), and the event as a JSON object.

        Raises
        ------
        DatasetError
            If a value is no time, or has no form in JSON.
        """
        fields, key = self._fields, None
        event: dict[str, Any] = {}
        if self._id is not None:
            id_ = to_id(row[self._id], repeat)
            key = None if id_ is None else str(id_).encode()
            if fields.id:
                event[fields.id] = id_
        if self._time is not None and fields.time:
            event[fields.time] = to_ms(row[self._time])
        if fields.features_in:
            event[fields.features_in] = self._features_of(row)
        else:
            event.update(self._features_of(row))
        if self._label is not None and fields.label:
            event[fields.label] = to_label(row[self._label])
        try:
            return key, self._encode(event)
        except (TypeError, ValueError, OverflowError) as error:
            raise DatasetError(f"a value has no form in JSON ({error}); leave it out") from None

    def _features_of(self, row: Row) -> Any:
        values = [row[place] for place in self._places]
        if self._whole and isinstance(values[0], dict | list):
            return to_plain(values[0])
        if not _PLAIN.issuperset(map(type, values)):
            values = list(map(to_plain, values))
        return dict(zip(self._features, values, strict=True))


def encode_rows(dataset: Dataset, mapping: ColumnMapping, repeat: int = 1) -> Iterator[Record]:
    """Encode all rows of a data set, `repeat` times over, with ids that stay unique.

    Raises
    ------
    DatasetError
        At once if the mapping does not fit the columns; while iterating if a row cannot be read
        or encoded, with its number.
    """
    return _encode_rows(dataset, mapping.bind(dataset.columns), repeat)


def _encode_rows(dataset: Dataset, encode: EventEncoder, repeat: int) -> Iterator[Record]:
    for round_ in range(repeat):
        for number, row in enumerate(dataset, 1):
            try:
                record = encode(row, round_)
            except DatasetError as error:
                raise DatasetError(f"row {number}: {error}") from None
            yield record
