"""Ids as the JSON tokens they came as, in one buffer: no object for an id that nobody reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import msgspec
import numpy as np
from numpy.typing import NDArray

_DECODER: msgspec.json.Decoder[str | int] = msgspec.json.Decoder(str | int)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens(Sequence[str | int]):
    """Ids of events, each a JSON token that is decoded where it is read.

    A token is either a string, in its quotes, of printable ASCII without a quote or a backslash
    inside; or an integer of at most 18 digits, as JSON is written: no leading zero, no `-0`. So it
    can be copied into other JSON as it is. Who makes tokens has looked; it is not looked at again.

    Attributes
    ----------
    buffer : ndarray of uint8
        Where the tokens are, among other things; contiguous and writable, since that is what
        kernels are compiled for.
    starts, ends : ndarray of shape (n_tokens,)
        Position of the first byte of each, and after its last, int64.

    Examples
    --------
    >>> text = np.frombuffer(bytearray(b'{"id":"a-1"}{"id":17}'), np.uint8)
    >>> ids = Tokens(text, np.array([6, 18]), np.array([11, 20]))
    >>> list(ids), list(ids.take(np.array([1, 1])))
    (['a-1', 17], [17, 17])
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> str | int: ...

    @overload
    def __getitem__(self, at: slice) -> "Tokens": ...

    def __getitem__(self, at: int | slice) -> "str | int | Tokens":
        if isinstance(at, slice):
            return Tokens(self.buffer, self.starts[at], self.ends[at])
        return _DECODER.decode(self.buffer[self.starts[at] : self.ends[at]].tobytes())

    def take(self, positions: NDArray[np.int64]) -> "Tokens":
        """Return the ids at some positions."""
        return Tokens(self.buffer, self.starts[positions], self.ends[positions])
