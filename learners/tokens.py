"""Ids as the JSON tokens they came as, decoded only where somebody asks for them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

_decode = msgspec.json.Decoder(str | int).decode
_decode_all = msgspec.json.Decoder(list[str | int]).decode


@dataclass(frozen=True, slots=True, eq=False)
class Tokens(Sequence[str | int]):
    """Text and integers as JSON, in a buffer, each as msgspec would write it.

    Attributes
    ----------
    buffer : ndarray of shape (n_bytes,)
        Bytes that they stand in, uint8, C-contiguous and writeable. Text is printable ASCII without
        quote or backslash, an integer has at most 18 digits.
    starts, ends : ndarray of shape (n_tokens,)
        Where each begins and ends; text with its quotes.

    Examples
    --------
    >>> buffer = np.frombuffer(b'"up" 12', np.uint8)
    >>> tokens = Tokens(buffer, np.array([0, 5]), np.array([4, 7]))
    >>> list(tokens), tokens[1]
    (['up', 12], 12)
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> str | int: ...

    @overload
    def __getitem__(self, index: slice) -> "Tokens": ...

    def __getitem__(self, index: int | slice) -> "str | int | Tokens":
        if isinstance(index, slice):
            return Tokens(self.buffer, self.starts[index], self.ends[index])
        token: str | int = _decode(self.buffer[self.starts[index] : self.ends[index]].tobytes())
        return token

    def __iter__(self) -> Iterator[str | int]:
        # All at once: to decode one by one takes five times as long.
        held = self.buffer.tobytes()
        places = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        tokens = [held[start:end] for start, end in places]
        return iter(_decode_all(b"[%b]" % b",".join(tokens)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__: Any = None  # as of a list

    def take(self, positions: NDArray[np.int64]) -> "Tokens":
        """Return the tokens at some positions; the buffer is shared."""
        return Tokens(self.buffer, self.starts[positions], self.ends[positions])
