"""The parser of packed numbers: a whole read becomes a matrix without a look at its events."""

from collections.abc import Sequence

import numpy as np

from learners.formats import Fields, RefusedError
from learners.rejections import Reason, Stage
from learners.schema import Schema

_FLOAT = np.dtype("<f8")


class PackedParser:
    """A `Parser` of little-endian float64: the features in order, then the label if declared.

    A label of NaN is none. A class is a whole number.

    Parameters
    ----------
    schema : Schema
        Without id and time, for which there is no room; all features numbers, classes integers.

    Raises
    ------
    ValueError
        If the schema is any other.
    """

    def __init__(self, schema: Schema) -> None:
        named = any(isinstance(label, str) for label in schema.classes or ())
        if schema.id or schema.time or schema.is_sparse or named:
            raise ValueError("packed float64 holds numbers alone, and neither id nor time")
        self._n_features = len(schema.features)
        self._has_label = schema.label is not None
        self._width = self._n_features + self._has_label
        self._n_bytes = self._width * _FLOAT.itemsize

    def read_all(self, values: Sequence[bytes]) -> list[bytes]:
        """Look at the lengths; see `Parser`."""
        if any(length != self._n_bytes for length in set(map(len, values))):
            raise ValueError("a value of another length")
        return list(values)

    def read(self, value: bytes) -> bytes:
        """Look at the length of one value; see `Parser`."""
        if len(value) != self._n_bytes:
            detail = f"{len(value)} bytes, not {self._n_bytes}: {self._width} float64"
            raise RefusedError(Stage.SCHEMA, Reason.WRONG_LENGTH, detail)
        return value

    def fields(self, events: list[bytes]) -> Fields:
        """Cut the joined values into columns."""
        # A bytearray, since what compiled code takes must be writeable.
        packed = np.frombuffer(bytearray().join(events), _FLOAT).reshape(len(events), self._width)
        packed = packed.astype(np.float64, copy=False)  # on machines that are not little-endian
        return Fields(
            numbers=np.ascontiguousarray(packed[:, : self._n_features]),
            words=[],
            labels=packed[:, self._n_features].copy() if self._has_label else None,
            ids=None,
            time_ms=None,
        )
