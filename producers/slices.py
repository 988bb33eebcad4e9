"""Many values in one buffer, for who writes them without an object of Python for each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

import numpy as np
from numpy.typing import NDArray

from learners.events import Ints


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
    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, values: Sequence[bytes]) -> "Slices":
        """Put values one after the other into a buffer of their own."""
        ends = np.fromiter(accumulate(map(len, values)), np.int64, len(values))
        starts = np.zeros_like(ends)
        starts[1:] = ends[:-1]
        return cls(np.frombuffer(b"".join(values), np.uint8), starts, ends)

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
