"""Limits on what a model may become by learning one event."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """Bound on the weights of a model.

    Attributes
    ----------
    max_weight : float
        A row after whose learning any weight is non-finite or above this, in absolute value, is
        guilty: it is left out as if it had never come.
    """

    max_weight: float = 1e12
