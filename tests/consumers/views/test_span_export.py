"""Sending spans, also to a collector that never answers."""

import threading

import pytest

from consumers.views import span_export
from consumers.views.span_export import sending
from tests.collector import WAIT_S, collector

PROCESS = {"service.name": "streamfit", "service.version": "0.1.0"}


def closing() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "spans"]


def test_what_was_made_has_arrived_when_the_block_is_left() -> None:
    with collector() as found:
        with sending(f"{found.endpoint}/v1/traces", 1.0, PROCESS) as tracer:
            for number in range(1_000):
                tracer.start_span(f"span {number}").end()
        assert {span.name for span in found.spans()} == {f"span {i}" for i in range(1_000)}
        assert found.processes()[0].items() >= PROCESS.items()


def test_the_environment_names_the_process_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "elec2")
    with collector() as found:
        with sending(f"{found.endpoint}/v1/traces", 1.0, PROCESS) as tracer:
            tracer.start_span("span").end()
        assert found.processes()[0]["service.name"] == "elec2"


def test_of_many_traces_the_share_asked_for_is_kept() -> None:
    with collector() as found:
        with sending(f"{found.endpoint}/v1/traces", 0.25, PROCESS) as tracer:
            for _ in range(2_000):
                tracer.start_span("span").end()
        assert 300 < len(found.spans()) < 700


def test_a_collector_that_never_answers_holds_up_neither_the_loop_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(span_export, "QUEUE", 600)
    monkeypatch.setattr(span_export, "CLOSE_S", 0.1)
    monkeypatch.setattr(span_export, "REQUEST_S", 1.0)
    with collector(answers=False) as found:
        with sending(f"{found.endpoint}/v1/traces", 1.0, PROCESS) as tracer:
            for _ in range(10_000):
                tracer.start_span("span").end()
            assert found.asked.wait(WAIT_S)
        (waits,) = closing()
    waits.join(WAIT_S)
    assert not waits.is_alive()
