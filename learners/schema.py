"""What an event looks like, as the settings declare it."""

from dataclasses import dataclass
from enum import StrEnum

Label = int | str


class Kind(StrEnum):
    """What a feature holds."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Schema:
    """Fields of an event.

    Attributes
    ----------
    features : tuple of str
        Names of the features.
    features_in : str
        Field that holds the features, as an object or an array; empty for flat rows.
    id, time, label : str or None
        Fields of the event's id, its time (ms since 1970 UTC) and its label; None if absent.
    classes : tuple of int or tuple of str, or None
        All classes, sorted; None for regression.
    max_abs : float
        Largest absolute value of a number that is accepted.
    max_bytes : int
        Largest size of a record's value that is parsed.
    kinds : tuple of Kind
        Of each feature, in order; empty if all of them are numbers.
    n_hashed : int
        Number of columns that texts and categories are hashed to; a power of two.
    """

    features: tuple[str, ...]
    features_in: str = "features"
    id: str | None = None
    time: str | None = None
    label: str | None = None
    classes: tuple[Label, ...] | None = None
    max_abs: float = 1e15
    max_bytes: int = 1_000_000
    kinds: tuple[Kind, ...] = ()
    n_hashed: int = 2**18

    @property
    def kind_of(self) -> dict[str, Kind]:
        """Kind of each feature, by its name, in order."""
        kinds = self.kinds or (Kind.NUMBER,) * len(self.features)
        return dict(zip(self.features, kinds, strict=True))

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of the features that are numbers, in the order of the model's first columns."""
        return tuple(name for name, kind in self.kind_of.items() if kind is Kind.NUMBER)

    @property
    def is_sparse(self) -> bool:
        """Whether any feature is hashed, so that the model's matrix is in CSR."""
        return len(self.numbers) < len(self.features)

    @property
    def n_features(self) -> int:
        """Number of columns of the model's matrix: one for each number, then the hashed ones."""
        return len(self.numbers) + (self.n_hashed if self.is_sparse else 0)
