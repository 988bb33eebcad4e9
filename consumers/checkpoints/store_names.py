"""The temporary names that files have in a store while they are written."""

import re
from uuid import uuid4

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp")


def temporary_name() -> str:
    """Make a new one."""
    return f".{uuid4().hex}.tmp"


def is_temporary(key: str) -> bool:
    """Tell whether a name, with or without folders before it, is one.

    >>> is_temporary(f"group/{temporary_name()}"), is_temporary("group/mine.tmp")
    (True, False)
    """
    return _TEMPORARY.fullmatch(key.rpartition("/")[2]) is not None
