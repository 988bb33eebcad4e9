"""What a parameter of a drift detector may be, and how what a user wrote becomes its value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str

# Far above anything that makes sense, and far below what overflows in a compiled detector.
_LARGEST_COUNT = 1_000_000
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a detector.

    Attributes
    ----------
    default : bool, int, float or str
        River's; its type is the parameter's.
    told : str
        What it may be, in words.
    allows : callable
        Tells whether a value of the right type may be.
    """

    default: Value
    told: str
    allows: Callable[[Any], bool]

    def read(self, value: object) -> Value | None:
        """Give a value as the type it has to be; None if it is none that may be.

        The environment gives text, so text that holds a number counts as one.
        """
        found = _as(type(self.default), value)
        return found if found is not None and self.allows(found) else None


def _as(kind: type[Value], value: object) -> Value | None:
    if kind is bool:
        return _WORDS.get(value) if isinstance(value, str) else _only(bool, value)
    if isinstance(value, bool):
        return None
    if kind is str:
        return _only(str, value)
    accepted = (int, str) if kind is int else (int, float, str)
    try:
        return kind(value) if isinstance(value, accepted) else None
    except (ValueError, OverflowError):
        return None


def _only(kind: type[Value], value: object) -> Value | None:
    return value if isinstance(value, kind) else None


def share(default: float) -> Parameter:
    """Make one that is a number between 0 and 1."""
    return Parameter(default, "a number above 0 and below 1", lambda value: 0 < value < 1)


def ratio(default: float) -> Parameter:
    """Make one that is a number above 0 and may be 1."""
    return Parameter(default, "a number above 0, 1 at most", lambda value: 0 < value <= 1)


def size(default: float) -> Parameter:
    """Make one that is a number and not negative."""
    return Parameter(default, "a number from 0 to 1e100", lambda value: 0 <= value <= 1e100)


def count(default: int, least: int = 1) -> Parameter:
    """Make one that is a whole number."""
    told = f"a whole number from {least} to {_LARGEST_COUNT}"
    return Parameter(default, told, lambda value: least <= value <= _LARGEST_COUNT)


def switch() -> Parameter:
    """Make one that is off or on."""
    return Parameter(default=False, told="true or false", allows=lambda _: True)


def choice(default: str, *others: str) -> Parameter:
    """Make one that is one of some words."""
    told = " or ".join(map(repr, (default, *others)))
    return Parameter(default, told, lambda value: value in (default, *others))
