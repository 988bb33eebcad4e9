"""Many values in one buffer, for who reads or writes them without an object of Python for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

_Value = TypeVar("_Value")
# Zeros behind the last value, so that who reads words ahead stays inside of the buffer.
ROOM = 16


@dataclass(frozen=True, slots=True, eq=False)
class Slices(Sequence[bytes]):
    """Values that stand in one buffer; as bytes where they are read.

    Attributes
    ----------
    buffer : ndarray of uint8
        Contiguous.
    starts, ends : ndarray of shape (n_values,)
        Position of the first byte of each, and after its last, int64.

    Examples
    --------
    >>> values = Slices(np.frombuffer(b"onetwo", np.uint8), np.array([0, 3]), np.array([3, 6]))
    >>> list(values), values[-1], list(values[:1])
    ([b'one', b'two'], b'two', [b'one'])
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def joined(cls, buffer: NDArray[np.uint8], ends: NDArray[np.int64]) -> "Slices":
        """Take a buffer in which values stand one after the other, from its first byte on."""
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        return cls(buffer, starts, ends)

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "Slices":
        """Put values one after the other into a buffer of their own, with room behind them."""
        ends = np.fromiter(accumulate(map(len, values)), np.int64, len(values))
        # Of bytes that may be changed: kernels are compiled anew for an array that may not.
        joined = bytearray().join([*values, bytes(ROOM)])
        return cls.joined(np.frombuffer(joined, np.uint8), ends)

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[bytes]:
        if not len(self):
            return
        # One copy of all, and a part of it for each: half the time of a copy for each.
        first = int(self.starts.min())
        text = self.buffer[first : int(self.ends.max())].tobytes()
        starts, ends = (self.starts - first).tolist(), (self.ends - first).tolist()
        for start, end in zip(starts, ends, strict=True):
            yield text[start:end]

    @overload
    def __getitem__(self, at: int) -> bytes: ...

    @overload
    def __getitem__(self, at: slice) -> "Slices": ...

    def __getitem__(self, at: int | slice) -> "bytes | Slices":
        if isinstance(at, slice):
            return Slices(self.buffer, self.starts[at], self.ends[at])
        return self.buffer[self.starts[at] : self.ends[at]].tobytes()

    def take(self, positions: NDArray[np.int64]) -> "Slices":
        """Return the values at some positions; the buffer is shared."""
        return Slices(self.buffer, self.starts[positions], self.ends[positions])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__: Any = None  # as of a list

    def with_room(self) -> "tuple[NDArray[np.uint8], NDArray[np.int64]]":
        """Give the values one after the other, with `ROOM` zeros behind them; and their ends.

        Returns
        -------
        ndarray of uint8, ndarray of shape (n_values,)
            A part of the buffer itself where they stand so in it.
        """
        end = int(self.ends[-1]) if len(self) else 0
        behind = self.buffer[end : end + ROOM]
        is_joined = np.array_equal(self.starts, np.append(0, self.ends[:-1])[: len(self)])
        if is_joined and len(behind) == ROOM and not behind.any():
            return self.buffer[: end + ROOM], self.ends
        whole = Slices.of(list(self))
        return whole.buffer, whole.ends


def taken(values: Sequence[_Value], positions: NDArray[np.int64]) -> Sequence[_Value]:
    """Return the values at some positions."""
    if isinstance(values, Slices):
        return cast("Sequence[_Value]", values.take(positions))
    return [values[position] for position in positions.tolist()]
