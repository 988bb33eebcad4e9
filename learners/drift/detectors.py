"""River's drift detectors, fed a batch at a time.

A batch gives what its events would have given one at a time, wherever it was cut.
"""

import importlib
from collections.abc import Sequence
from operator import length_hint
from typing import Any, Protocol

from learners.drift.catalogue import KINDS, DetectorSpec


class Detector(Protocol):
    """Watches a stream of numbers for a change of its mean; begins anew after each one found."""

    @property
    def river(self) -> Any:
        """River's detector, with all that this one knows; it may be put back by `vars`."""

    def update(self, errors: Sequence[float]) -> list[int]:
        """Take the next errors; tell at which positions among them a change was found."""


class OneByOne:
    """Any of River's detectors.

    Parameters
    ----------
    river : Any
        River's own.
    """

    def __init__(self, river: Any) -> None:
        self.river = river

    def update(self, errors: Sequence[float]) -> list[int]:
        """Call River once for each error; it begins anew by itself, with the error after."""
        river, found = self.river, []
        update = river.update
        for position, error in enumerate(errors):
            update(error)
            if river.drift_detected:
                found.append(position)
        return found


class Adwin:
    """River's ADWIN, past its Python wrapper: two to three times as fast.

    Parameters
    ----------
    river : Any
        River's own.
    """

    def __init__(self, river: Any) -> None:
        self.river = river

    def update(self, errors: Sequence[float]) -> list[int]:
        """Run the errors through the compiled window, stopping only where it finds a change."""
        rest, found = iter(errors), []
        while any(map(self.river._helper.update, rest)):  # noqa: SLF001 - River is pinned for it
            found.append(len(errors) - length_hint(rest) - 1)
            # River would do so with the next error, which may be of another batch.
            self.river._reset()  # noqa: SLF001 - same
        return found


def make_detector(spec: DetectorSpec) -> Detector:
    """Make a detector that has seen nothing; imports River."""
    kind = KINDS[spec.name]
    river = getattr(importlib.import_module(kind.module), kind.cls)(**spec.params)
    return Adwin(river) if spec.name == "adwin" else OneByOne(river)
