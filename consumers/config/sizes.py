"""Sizes as people write them: `400MB`, `1GiB`, or a number of bytes."""

import re

from pydantic_core import PydanticCustomError

# Python, scikit-learn and numba take most of it before anything is read.
LEAST_MEMORY = 320_000_000
_UNITS = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGKi]*B)?")


def parse_size(value: object) -> int:
    """Read a size; gives bytes.

    Raises
    ------
    pydantic_core.PydanticCustomError
        If it is not one.

    Examples
    --------
    >>> parse_size("400MB")
    400000000
    >>> parse_size(1024)
    1024
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _PATTERN.fullmatch(value.strip()) if isinstance(value, str) else None
    unit = (found[2] or "") if found else None
    if found is None or unit not in _UNITS:
        raise PydanticCustomError("size", "not a size; write it like '400MB', '1GiB' or in bytes")
    return int(float(found[1]) * _UNITS[unit])
