"""How scores computed for all views at once become the mappings of the facts."""

import math
from collections.abc import Hashable, Mapping
from typing import TypeVar

from learners.events import Floats
from metrics.facts import View

Name = TypeVar("Name", bound=Hashable)


def by_view(scores: Mapping[Name, Floats]) -> dict[View, dict[Name, float]]:
    """Turn score -> values into view -> score -> value.

    Parameters
    ----------
    scores : mapping of name to ndarray of shape (3,)
        Values in the order of `View`. One that is not finite is not defined, and left out.

    Returns
    -------
    dict of View to dict of name to float
    """
    columns = {name: values.tolist() for name, values in scores.items()}
    return {
        view: {
            name: values[position]
            for name, values in columns.items()
            if math.isfinite(values[position])
        }
        for position, view in enumerate(View)
    }
