"""Many values in one buffer, without a Python object for each."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from learners.events import Ints

Bytes = NDArray[np.uint8]


class Slices(Sequence[bytes]):
    """Values by their places in a buffer.

    Parameters
    ----------
    buffer : ndarray of uint8
        Holds them all.
    starts, ends : ndarray of shape (n_values,)
        Where each begins, and where it ends.
    """

    def __init__(self, buffer: Bytes, starts: Ints, ends: Ints) -> None:
        self.buffer, self.starts, self.ends = buffer, starts, ends

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        """Put values one after the other."""
        if isinstance(values, cls):
            return values
        ends = np.fromiter(accumulate(map(len, values)), np.int64, len(values))
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        return cls(np.frombuffer(b"".join(values) or b"\0", np.uint8), starts, ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> bytes | Self:
        """Give one value, or some of them."""
        if isinstance(at, slice):
            return type(self)(self.buffer, self.starts[at], self.ends[at])
        return self.buffer[self.starts[at] : self.ends[at]].tobytes()
