"""What an event looks like, as the settings declare it."""

from dataclasses import dataclass

Label = int | str


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields of an event.

    Attributes
    ----------
    features : tuple of str
        Names of the features, in the order of the model's columns.
    features_in : str
        Field that holds the features, as an object or an array; empty for flat rows.
    id, time, label : str or None
        Fields of the event's id, its time (ms since 1970 UTC) and its label; None if absent.
    classes : tuple of int or tuple of str, or None
        All classes, sorted; None for regression.
    max_abs : float
        Largest absolute value of a feature that is accepted.
    max_bytes : int
        Largest size of a record's value that is parsed.
    """

    features: tuple[str, ...]
    features_in: str = "features"
    id: str | None = None
    time: str | None = None
    label: str | None = None
    classes: tuple[Label, ...] | None = None
    max_abs: float = 1e15
    max_bytes: int = 1_000_000
