"""How the kernels are compiled: once, kept on disk, with the arithmetic exactly as written.

The copy on disk is made anew when the module of a function changes, but not when only a module
that it takes functions from does: while you work on those, remove `__pycache__` beside them.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function with numba at its first call.

    No fastmath, since reordered sums would differ from scikit-learn's; division by zero gives
    what numpy gives, since the guard looks for it afterwards.

    Parameters
    ----------
    function : callable
        Of arrays, numbers and named tuples of them.

    Returns
    -------
    callable
        The same, compiled.
    """
    return cast("_Function", njit(cache=True, error_model="numpy")(function))


def inlined(function: _Function) -> _Function:
    """Compile a part of a kernel's inner loop: as `compiled`, and never called but inserted.

    Where arrays are handed on to a function, counting who holds them costs more than to learn a
    row of ten features. So such a function takes arrays one by one, since in a tuple they are
    counted nevertheless, and none at all where it is called for each single value.

    Parameters
    ----------
    function : callable
        Of arrays and numbers, and of named tuples of numbers.

    Returns
    -------
    callable
        The same, for compiled functions to call.
    """
    return cast("_Function", njit(cache=True, error_model="numpy", forceinline=True)(function))
