"""A span of OpenTelemetry for each epoch: flush, save, commit. Imported only where asked for."""

from collections.abc import Collection

from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Tracer

from consumers.views.spans import Origin, fail, stages
from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)

_NS = 1_000_000_000


class EpochSpans:
    """An observer that makes a span of each epoch, when it has ended, by what it measured.

    Parameters
    ----------
    tracer : Tracer
        Makes spans.
    origin : Origin
        Whose they are.
    """

    def __init__(self, tracer: Tracer, origin: Origin) -> None:
        self._tracer = tracer
        self._name = f"commit {origin.topic}"
        self._attributes = origin.attributes("commit", "settle")

    def epoch(self, facts: EpochFacts) -> None:
        """Tell one, ended well or not."""
        end_ns = int(facts.time_s * _NS)
        span = self._tracer.start_span(
            self._name,
            context=Context(),
            kind=SpanKind.CLIENT,
            attributes=self._attributes,
            start_time=end_ns - int(sum(facts.seconds.values()) * _NS),
        )
        span.set_attributes(
            {
                "streamfit.epoch": facts.epoch,
                "streamfit.checkpoint.bytes": facts.checkpoint_bytes,
                "streamfit.uncheckpointed": facts.uncheckpointed,
                **stages(facts.seconds),
            }
        )
        if not facts.ok:
            fail(span, "epoch_failed")
        span.end(end_ns)

    def batch(self, facts: BatchFacts) -> None:
        """Take no notice: a batch has a span of its own."""

    def scores(self, facts: ScoreFacts) -> None:
        """Take no notice: scores are metrics."""

    def state(self, state: State) -> None:
        """Take no notice."""

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Take no notice."""

    def transaction(self, result: TransactionResult) -> None:
        """Take no notice: the epoch around it is told."""

    def rollback(self, reason: RollbackReason) -> None:
        """Take no notice: the epoch that failed is told."""

    def paused(self, *, on: bool) -> None:
        """Take no notice."""
