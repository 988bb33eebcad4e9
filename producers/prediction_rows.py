"""Predictions of a batch as JSON, written into one buffer by compiled code.

Byte for byte what msgspec makes of `producers.encoding.PredictionRecord`, for ids that are
`Tokens`. Records, their keys and partitions are in `producers.encoding`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from learners.events import Floats, Ints
from learners.kernels.compiling import compiled, inlined
from learners.slices import Slices
from learners.tokens import Tokens

Bytes = NDArray[np.uint8]


def _array(text: bytes) -> Bytes:
    """Put text into an array that can be written to: the kernel is compiled for such."""
    return np.frombuffer(bytearray(text), np.uint8)


_ENCODER = msgspec.json.Encoder()
_ID = _array(b'{"id":')
_PREDICTION = _array(b',"prediction":')
_PROBABILITY = _array(b',"probability":')
_MODEL_VERSION = _array(b',"model_version":')
_PARTITION = _array(b',"partition":')
_OFFSET = _array(b',"offset":')
_MINUS, _ZERO, _COMMA, _END = ord("-"), ord("0"), ord(","), ord("}")
_NAMES = _ID, _PREDICTION, _PROBABILITY, _MODEL_VERSION, _PARTITION, _OFFSET
# Bytes of a row but for its tokens, at most: an int64 takes up to 20.
_MOST = sum(map(len, _NAMES)) + 3 * 20 + 1
# Positions have no sign: numba looks at each that has one, whether it counts from the end, and
# then copies byte by byte. Mixed with integers that have a sign they would become floats.
_FIRST, _ONE, _TEN = np.uint64(0), np.uint64(1), np.uint64(10)


class Column(NamedTuple):
    """A JSON token for each row.

    Attributes
    ----------
    text : ndarray of uint8
        Where the tokens are.
    starts, ends : ndarray of shape (n_rows,)
        Position of the first byte of each, and after its last, int64.
    """

    text: Bytes
    starts: Ints
    ends: Ints

    def take(self, rows: Ints) -> "Column":
        """Return the tokens of some rows."""
        return Column(self.text, self.starts[rows], self.ends[rows])


class Rows(NamedTuple):
    """The columns of a record as the kernel takes them.

    Attributes
    ----------
    ids, said, chances : Column
        Copied as they are.
    has_chances : bool
        Whether there is a probability.
    model_version, partitions, offsets : ndarray of shape (n_rows,)
        Written digit by digit, int64.
    """

    ids: Column
    said: Column
    chances: Column
    has_chances: bool
    model_version: Ints
    partitions: Ints
    offsets: Ints


_NOTHING = Column(_array(b""), np.empty(0, np.int64), np.empty(0, np.int64))


class PredictionRows:
    """Writes predictions of one kind.

    Parameters
    ----------
    classes : sequence of int or str, or None
        The sorted classes; None where predictions are numbers.
    """

    def __init__(self, classes: Sequence[int | str] | None) -> None:
        self._labels = None if classes is None else _labels(classes)

    def write(
        self,
        ids: Tokens,
        values: NDArray[Any],
        probability: Floats | None,
        model_version: Ints,
        partitions: Ints,
        offsets: Ints,
    ) -> Slices:
        """Write the prediction of each event, in order.

        Parameters
        ----------
        ids : Tokens
            Of the events.
        values : ndarray of shape (n_events,)
            Index of the class (int64), the predicted number (float64) or the cluster (int64).
        probability : ndarray of shape (n_events,) or None
            Of the predicted class; left out where there is none.
        model_version, partitions, offsets : ndarray of shape (n_events,)
            As in the record, int64.

        Returns
        -------
        Slices
            The JSON of each.

        Raises
        ------
        ValueError
            If the columns are not of the same length.
        """
        columns = [values, model_version, partitions, offsets]
        columns += [] if probability is None else [probability]
        sizes = [len(column) for column in columns]
        if any(size != len(ids) for size in sizes):  # compiled code would read beyond its arrays
            raise ValueError(f"{len(ids)} ids, but columns of {sizes} rows")
        rows = Rows(
            ids=Column(ids.buffer, _plain(ids.starts), _plain(ids.ends)),
            said=_numbers(values) if self._labels is None else self._labels.take(values),
            chances=_NOTHING if probability is None else _numbers(probability),
            has_chances=probability is not None,
            model_version=_plain(model_version),
            partitions=_plain(partitions),
            offsets=_plain(offsets),
        )
        out, bounds = _written(rows)
        return Slices(out, bounds[:-1], bounds[1:])


def _plain(column: Ints) -> Ints:
    """Give a column as the kernel is compiled for it: mostly, that is the same array."""
    return np.ascontiguousarray(column, np.int64)


def _labels(classes: Sequence[int | str]) -> Column:
    labels = [msgspec.json.encode(label) for label in classes]
    sizes = np.array([len(label) for label in labels], np.int64)
    ends = np.cumsum(sizes)
    return Column(_array(b"".join(labels)), ends - sizes, ends)


def _numbers(column: NDArray[Any]) -> Column:
    """Let msgspec write the numbers as one list, and cut it: so that the digits are its own."""
    written = bytearray()
    _ENCODER.encode_into(column.tolist(), written)
    text = np.frombuffer(written, np.uint8)
    text[0] = text[-1] = _COMMA  # the brackets
    commas = np.flatnonzero(text == _COMMA)
    return Column(text, commas[:-1] + 1, commas[1:])


@compiled
def _written(rows: Rows) -> tuple[Bytes, Ints]:
    """Write all rows one after the other; gives the bounds of each, too."""
    ids, said, chances = rows.ids, rows.said, rows.chances
    count = len(ids.starts)
    out = np.empty(_MOST * count + _size(ids) + _size(said) + _size(chances), np.uint8)
    bounds = np.zeros(count + 1, np.int64)
    at = _FIRST
    for i in range(count):
        at = _copy(out, at, _ID, 0, len(_ID))
        at = _copy(out, at, ids.text, ids.starts[i], ids.ends[i])
        at = _copy(out, at, _PREDICTION, 0, len(_PREDICTION))
        at = _copy(out, at, said.text, said.starts[i], said.ends[i])
        if rows.has_chances:
            at = _copy(out, at, _PROBABILITY, 0, len(_PROBABILITY))
            at = _copy(out, at, chances.text, chances.starts[i], chances.ends[i])
        at = _copy(out, at, _MODEL_VERSION, 0, len(_MODEL_VERSION))
        at = _integer(out, at, rows.model_version[i])
        at = _copy(out, at, _PARTITION, 0, len(_PARTITION))
        at = _integer(out, at, rows.partitions[i])
        at = _copy(out, at, _OFFSET, 0, len(_OFFSET))
        at = _integer(out, at, rows.offsets[i])
        out[at] = _END
        at += _ONE
        bounds[i + 1] = at
    return out, bounds


@compiled
def _size(column: Column) -> int:
    """Count the bytes of all tokens."""
    total = 0
    for i in range(len(column.starts)):
        total += column.ends[i] - column.starts[i]
    return total


@inlined
def _copy(out: Bytes, at: np.uint64, text: Bytes, start: int, end: int) -> np.uint64:
    """Copy a part of a text; gives the position after it."""
    first, size = np.uint64(start), np.uint64(end - start)
    for i in range(size):
        out[at + i] = text[first + i]
    return at + size


@inlined
def _integer(out: Bytes, at: np.uint64, value: int) -> np.uint64:
    """Write an integer; gives the position after it."""
    left = np.uint64(value)
    if value < 0:
        out[at] = _MINUS
        at += _ONE
        left = ~left + _ONE  # what -value is, for the smallest one too
    end, power = at + _ONE, _TEN
    # The largest has 19 digits, so that the power does not overflow.
    while left >= power:
        end, power = end + _ONE, power * _TEN
    position = end
    while position > at:
        position -= _ONE
        rest = left // _TEN
        out[position] = np.uint64(_ZERO) + (left - rest * _TEN)
        left = rest
    return end
