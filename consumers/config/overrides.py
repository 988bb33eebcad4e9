"""`--set section.key=value`, turned into tables as a TOML file would give them."""

import copy
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from consumers.config.passthrough import is_secret
from consumers.errors import SettingsError


def parse_overrides(overrides: Sequence[str], tables: Mapping[str, Any]) -> dict[str, Any]:
    """Turn `a.b.c=value` into nested tables.

    Parameters
    ----------
    overrides : sequence of str
        As given on the command line; a later one wins.
    tables : mapping
        The file's tables. A number in a path (`model.steps.1.eta0`) is a place in a list of
        theirs, which is taken over with that place changed.

    Raises
    ------
    SettingsError
        If one has no `=`, or a path leads nowhere.

    Examples
    --------
    >>> parse_overrides(["metrics.port=0"], {})
    {'metrics': {'port': '0'}}
    """
    result: dict[str, Any] = {}
    for override in overrides:
        path, equals, text = override.partition("=")
        keys = path.strip().split(".")
        if not equals or len(keys) < 2 or not all(keys):
            shown = "***" if is_secret(override) else override
            raise SettingsError(f"--set {shown}: not an override; write --set section.key=value")
        try:
            _put(result, keys, _value(keys, text.strip()), tables)
        except (IndexError, ValueError, TypeError, AttributeError):
            raise SettingsError(
                f"--set {path}: leads nowhere; the places of a list count from 0"
            ) from None
    return result


def _put(target: dict[str, Any], keys: list[str], value: Any, tables: Any) -> None:
    for depth, key in enumerate(keys[:-1]):
        below = tables.get(key) if isinstance(tables, Mapping) else None
        if isinstance(below, list) and len(keys) > depth + 2:
            items = target.setdefault(key, copy.deepcopy(below))
            _put(items[int(keys[depth + 1])], keys[depth + 2 :], value, {})
            return
        if key == "librdkafka":  # its own keys have dots
            target.setdefault(key, {})[".".join(keys[depth + 1 :])] = value
            return
        target = target.setdefault(key, {})
        tables = below
    target[keys[-1]] = value


def _value(keys: list[str], text: str) -> Any:
    # Text stays text (a group may be called 2024); lists, tables and what has no type of its
    # own, a parameter of an estimator, are read as TOML.
    if not text.startswith(("[", "{", '"', "'")) and keys[0] != "model":
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
