"""Bytes at an address and bits of a word: what compiled code needs and numba has no name for.

An address is a number, so that handing it on costs nothing, as opposed to an array. Who reads at
one answers for it that the memory goes on long enough.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from learners.kernels.compiling import inlined

# The type of a function, and what writes its code.
_Made = tuple[Any, Callable[..., Any]]


def _byte_at(typingctx: Any, address: Any) -> _Made:  # noqa: ARG001 - numba's form
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.zext(_loaded(builder, arguments[0], 8), ir.IntType(64))

    return types.int64(address), code


def _word_at(typingctx: Any, address: Any) -> _Made:  # noqa: ARG001 - numba's form
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _loaded(builder, arguments[0], 64)

    return types.uint64(address), code


def _loaded(builder: Any, address: Any, bits: int) -> Any:
    pointer = builder.inttoptr(address, ir.IntType(bits).as_pointer())
    return builder.load(pointer, align=1)


def _zeros_below(typingctx: Any, word: Any) -> _Made:  # noqa: ARG001 - numba's form
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(word), code


def _zeros_above(typingctx: Any, word: Any) -> _Made:  # noqa: ARG001 - numba's form
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(word), code


def _float_of(typingctx: Any, word: Any) -> _Made:  # noqa: ARG001 - numba's form
    def code(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(word), code


byte_at = cast("Callable[[int], int]", intrinsic(_byte_at))
"""Give the byte at an address."""

word_at = cast("Callable[[int], np.uint64]", intrinsic(_word_at))
"""Give the eight bytes from an address on, as a number of this machine."""

zeros_below = cast("Callable[[np.uint64], int]", intrinsic(_zeros_below))
"""Count the zeros below the lowest bit that is set; 64 if there is none."""

zeros_above = cast("Callable[[np.uint64], int]", intrinsic(_zeros_above))
"""Count the zeros above the highest bit that is set; 64 if there is none."""

float_of = cast("Callable[[np.uint64], float]", intrinsic(_float_of))
"""Give the float64 that has these bits."""


@inlined
def signed(word: Any) -> Any:
    """Give a word as int64, since of uint64 and int64 together numba makes a float."""
    return np.int64(word)
