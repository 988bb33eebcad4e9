"""How the kernels are compiled: once, kept on disk, with the arithmetic exactly as written."""

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
