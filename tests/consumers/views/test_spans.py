"""Spans of batches and epochs, as an exporter in memory gets them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import StatusCode, Tracer

from consumers.views.epoch_spans import EpochSpans
from consumers.views.spans import MAX_LINKS, BatchSpans, Origin
from consumers.views.trace_context import traceparent
from learners.events import Headers, Records
from metrics.facts import BatchFacts, EpochFacts

ORIGIN = Origin("events", "elec2")


class Memory:
    """Keeps spans."""

    def __init__(self, ratio: float) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(sampler=TraceIdRatioBased(ratio), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer: Tracer = provider.get_tracer("tests")

    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def memory() -> Memory:
    return Memory(1.0)


def records(count: int, headers: Callable[[int], Headers | None] = lambda _: []) -> Records:
    return Records(
        topic="events",
        values=[b"{}"] * count,
        keys=[None] * count,
        partitions=np.zeros(count, np.int64),
        offsets=np.arange(count) + 40,
        time_ms=np.zeros(count, np.int64),
        headers=headers,
    )


def facts(count: int, **changed: Any) -> BatchFacts:
    return BatchFacts(
        *(count, count, count, 0, 0, count),
        *({}, {}, {}),
        seconds={"decode": 0.25},
        latency_seconds=None,
        model_version=count,
        next_offsets=changed.get("next_offsets", {0: 40 + count}),
    )


def parent(row: int) -> Headers:
    return [("traceparent", traceparent(row + 1, row + 1, 1))]


def unasked(row: int) -> Headers:
    raise AssertionError(f"headers of {row} were asked for")


def test_a_batch_says_where_it_comes_from_and_what_became_of_it(memory: Memory) -> None:
    with BatchSpans(memory.tracer, ORIGIN, headers=False).batch(records(5, unasked)) as trace:
        assert trace.headers(np.arange(5)) is None
        trace.done(facts(5))
    (span,) = memory.spans()
    told = dict(span.attributes or {})
    assert told["messaging.batch.message_count"] == 5
    assert told["streamfit.model_version"] == 5
    assert told["streamfit.decode.seconds"] == 0.25
    assert (told["streamfit.first_offset"], told["streamfit.next_offset"]) == (40, 45)
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent is None


def test_a_batch_of_several_partitions_names_none(memory: Memory) -> None:
    with BatchSpans(memory.tracer, ORIGIN, headers=False).batch(records(5)) as trace:
        trace.done(facts(5, next_offsets={0: 41, 1: 44}))
    (span,) = memory.spans()
    assert "messaging.destination.partition.id" not in (span.attributes or {})


def test_a_batch_that_fails_is_told_without_the_text_of_its_error(memory: Memory) -> None:
    batch = BatchSpans(memory.tracer, ORIGIN, headers=False).batch(records(5))
    with pytest.raises(ValueError, match="4711"), batch:
        raise ValueError("4711.25")
    (span,) = memory.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert "4711" not in span.to_json()
    assert (span.attributes or {})["error.type"] == "ValueError"


def test_links_are_bounded_and_each_context_is_there_once(memory: Memory) -> None:
    batches = BatchSpans(memory.tracer, ORIGIN, headers=True)
    with (
        batches.batch(records(500, parent)),
        batches.batch(records(500, lambda row: parent(row % 3))),
    ):
        pass
    few, many = memory.spans()
    assert (len(few.links), len(many.links)) == (3, MAX_LINKS)


def test_bad_input_31_an_event_whose_headers_cannot_be_read_has_no_context(memory: Memory) -> None:
    def read(row: int) -> Headers | None:
        return None if row == 0 else parent(row)

    with BatchSpans(memory.tracer, ORIGIN, headers=True).batch(records(2, read)) as trace:
        first, second = trace.headers(np.arange(2)) or ()
    assert [name for name, _ in first] == ["traceparent"]  # that of the batch
    assert second == parent(1)
    (span,) = memory.spans()
    assert len(span.links) == 1


def test_predictions_carry_the_context_of_their_own_event(memory: Memory) -> None:
    with BatchSpans(memory.tracer, ORIGIN, headers=True).batch(records(5, parent)) as trace:
        assert trace.headers(np.array([4, 0])) == [parent(4), parent(0)]


def test_what_is_not_sampled_carries_that_on() -> None:
    memory = Memory(0.0)
    with BatchSpans(memory.tracer, ORIGIN, headers=True).batch(records(2)) as trace:
        found = trace.headers(np.arange(2))
        trace.done(facts(2))
    assert found is not None
    ((name, value),) = found[0]
    assert isinstance(value, bytes)
    assert (name, int(value[-2:], 16) & 1) == ("traceparent", 0)
    assert memory.spans() == []


@pytest.mark.parametrize("ok", [True, False])
def test_an_epoch_spans_the_time_that_it_took(
    ok: bool,  # noqa: FBT001 a parameter of the test
    memory: Memory,
) -> None:
    seconds = {"flush": 0.5, "save": 1.0, "commit": 0.25}
    EpochSpans(memory.tracer, ORIGIN).epoch(EpochFacts(ok, 12, 1000.0, seconds, 99, {0: 5}, 7))
    (span,) = memory.spans()
    assert (span.start_time, span.end_time) == (998_250_000_000, 1_000_000_000_000)
    assert (span.attributes or {})["streamfit.epoch"] == 12
    assert span.status.status_code is (StatusCode.UNSET if ok else StatusCode.ERROR)
