"""How the state of the scores becomes bytes and comes back. What the state means is not here."""

from collections.abc import Sized
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Snapshot = TypeVar("Snapshot", bound=msgspec.Struct)


def column(values: ArrayLike, dtype: DTypeLike) -> NDArray[Any]:
    """Give `values` as the one kind of array the kernels are compiled for.

    Parameters
    ----------
    values : array_like of shape (n_events,) or (n_events, n_classes)
        A column of a batch; copied only if its type or its order in memory differs.
    dtype : dtype
        What the kernel takes.

    Returns
    -------
    ndarray
        C-contiguous and writable.
    """
    array = np.ascontiguousarray(values, dtype=dtype)
    # numba takes a read-only array for another type, and would stop to compile once more.
    return array if array.flags.writeable else array.copy()


def decode(snapshot: bytes, kind: type[Snapshot]) -> Snapshot:
    """Read a snapshot's JSON.

    Raises
    ------
    ValueError
        If it is not JSON or not of this kind.
    """
    try:
        return msgspec.json.decode(snapshot, type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"scores: the snapshot cannot be read: {error}") from error


def array_from(name: str, data: bytes, like: NDArray[Any]) -> NDArray[Any]:
    """Make an array from the bytes of a snapshot.

    Parameters
    ----------
    name : str
        The snapshot's field, for the message.
    data : bytes
        What `ndarray.tobytes` gave.
    like : ndarray
        Has the type and shape that the result must have.

    Returns
    -------
    ndarray
        A writable array of its own.

    Raises
    ------
    ValueError
        If the number of bytes differs.
    """
    if len(data) != like.nbytes:
        raise ValueError(
            f"scores: {name} of the snapshot has {len(data)} bytes, expected {like.nbytes} "
            f"for {like.dtype.itemsize} bytes x {like.shape}"
        )
    return np.frombuffer(data, dtype=like.dtype).reshape(like.shape).copy()


def require_equal(name: str, found: float, expected: float) -> None:
    """Refuse a snapshot that was taken with other settings.

    Raises
    ------
    ValueError
        If the two differ.
    """
    if found != expected:
        raise ValueError(f"scores: the snapshot has {name} {found}, these scores have {expected}")


def require_lengths(**columns: Sized) -> None:
    """Refuse columns of one batch that are not of the same length.

    Raises
    ------
    ValueError
        If any length differs.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"scores: columns of one batch differ in length: {lengths}")
