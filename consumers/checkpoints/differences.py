"""Naming the keys in which two settings differ."""

from collections.abc import Mapping
from typing import Any


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Name the keys whose values differ, with a dot between tables and a number in lists.

    >>> differences({"schema": {"classes": [0, 1]}}, {"schema": {"classes": [0, 2]}})
    ['schema.classes[1]']
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted(old.keys() | new.keys())
        below = [differences(old.get(k), new.get(k), f"{path}.{k}" if path else k) for k in keys]
        return [name for names in below for name in names]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        below = [differences(*pair, f"{path}[{i}]") for i, pair in pairs]
        return [name for names in below for name in names]
    return [] if old == new else [path]
