"""Spans of OpenTelemetry: one for each I/O batch. That of an epoch is in `epoch_spans`.

Imported only where traces are asked for. Names and attributes are those of the semantic
conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/); what they have
no name for begins with `streamfit.`. How spans are sent is in `consumers.views.span_export`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Self

from opentelemetry.context import Context
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
)

from consumers.views.trace_context import TRACEPARENT, Incoming, incoming, traceparent
from learners.events import Headers, Ints, Records
from metrics.facts import BatchFacts

# A span of the SDK keeps no more.
MAX_LINKS = 128


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose work the spans tell.

    Attributes
    ----------
    topic, group : str
        Where records are read, and for whom.
    """

    topic: str
    group: str

    def attributes(self, name: str, kind: str) -> dict[str, str]:
        """Give what all spans of one operation have in common."""
        return {
            "messaging.system": "kafka",
            "messaging.operation.name": name,
            "messaging.operation.type": kind,
            "messaging.destination.name": self.topic,
            "messaging.consumer.group.name": self.group,
        }


class BatchSpans:
    """Traces batches; see `consumers.loop.tracing.Tracing`.

    Parameters
    ----------
    tracer : Tracer
        Makes spans.
    origin : Origin
        Whose they are.
    headers : bool
        Whether predictions carry a context on: that of their event, otherwise the batch's own.
    """

    def __init__(self, tracer: Tracer, origin: Origin, *, headers: bool) -> None:
        self._tracer = tracer
        self._name = f"process {origin.topic}"
        self._attributes = origin.attributes("process", "process")
        self._headers = headers

    def batch(self, records: Records) -> "BatchSpan":
        """Begin a span; with `headers`, linked to the contexts that the records came with."""
        came = _incoming(records) if self._headers else None
        # A root of its own: a batch has as many parents as records, which only links can tell.
        span = self._tracer.start_span(
            self._name,
            context=Context(),
            kind=SpanKind.CONSUMER,
            attributes=self._attributes,
            links=_links(came or ()),
        )
        return BatchSpan(span, records, came)


class BatchSpan:
    """The span of one batch, from the beginning of the block to its end.

    Parameters
    ----------
    span : Span
        What is told.
    records : Records
        The batch.
    came : sequence of Incoming or None, of length n_records, or None
        The context of each record; None where predictions carry none on.
    """

    def __init__(
        self, span: Span, records: Records, came: Sequence[Incoming | None] | None
    ) -> None:
        self._span = span
        self._records = records
        self._came = came

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            fail(self._span, kind.__qualname__)
        self._span.end()

    def headers(self, rows: Ints) -> Sequence[Headers] | None:
        """Give each prediction the context of its event, or that of this span."""
        if self._came is None:
            return None
        own = self._span.get_span_context()
        ours: Headers = [
            (TRACEPARENT, traceparent(own.trace_id, own.span_id, int(own.trace_flags)))
        ]
        came = [self._came[row] for row in rows.tolist()]
        return [ours if each is None else each.to_headers() for each in came]

    def done(self, facts: BatchFacts) -> None:
        """Tell what became of the batch."""
        if not self._span.is_recording():
            return
        told: dict[str, str | int | float] = {
            "messaging.batch.message_count": facts.consumed,
            "streamfit.predicted": facts.predicted,
            "streamfit.learned": facts.learned,
            "streamfit.dead_letters": sum(facts.dead_letters.values()),
            "streamfit.model_version": facts.model_version,
            **stages(facts.seconds),
        }
        if len(facts.next_offsets) == 1:
            ((partition, next_offset),) = facts.next_offsets.items()
            told["messaging.destination.partition.id"] = str(partition)
            told["streamfit.first_offset"] = int(self._records.offsets[0])
            told["streamfit.next_offset"] = next_offset
        self._span.set_attributes(told)


def stages(seconds: Mapping[str, float]) -> dict[str, float]:
    """Give the seconds of each stage as attributes: spans of their own would be many."""
    return {f"streamfit.{stage}.seconds": taken for stage, taken in seconds.items()}


def fail(span: Span, error: str) -> None:
    """Mark a span as failed, by the kind of the error alone: its text might hold anything."""
    span.set_attribute("error.type", error)
    span.set_status(Status(StatusCode.ERROR))


def _incoming(records: Records) -> list[Incoming | None]:
    return [incoming(records.headers(row) or ()) for row in range(len(records))]


def _links(came: Sequence[Incoming | None]) -> list[Link]:
    # Each context once: events of one request often come together.
    distinct = dict.fromkeys(each for each in came if each is not None)
    return [
        Link(SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags)))
        for trace_id, span_id, flags in (each.ids for each in islice(distinct, MAX_LINKS))
    ]
