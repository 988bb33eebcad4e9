"""How batches are traced: the contract between the flow and whatever keeps spans.

The loop knows nothing of OpenTelemetry; what does is in `consumers.views.spans`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from learners.events import Headers, Ints, Records
from metrics.facts import BatchFacts


class BatchTrace(Protocol):
    """The trace of one batch while it is on its way."""

    def headers(self, rows: Ints) -> Sequence[Headers] | None:
        """Give the headers of predictions, asked for at most once.

        Parameters
        ----------
        rows : ndarray of shape (n_events,)
            Position of each predicted event in the records of the batch.

        Returns
        -------
        sequence of list of (str, str or bytes or None), of length n_events, or None
            None where predictions carry no headers.
        """

    def done(self, facts: BatchFacts) -> None:
        """Take what became of the batch; not called where working it off failed."""


class Tracing(Protocol):
    """Traces batches, in the loop's thread; must return at once and never raise."""

    def batch(self, records: Records) -> AbstractContextManager[BatchTrace]:
        """Trace a batch from the beginning of the block to its end."""


class Untraced:
    """Traces nothing, and costs nothing."""

    def batch(self, records: Records) -> AbstractContextManager[BatchTrace]:  # noqa: ARG002 untraced
        """Give a trace that keeps nothing."""
        return nullcontext(self)

    def headers(self, rows: Ints) -> Sequence[Headers] | None:  # noqa: ARG002 untraced
        """Give none."""
        return None

    def done(self, facts: BatchFacts) -> None:
        """Take no notice."""


UNTRACED = Untraced()
