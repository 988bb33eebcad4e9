"""Traces of the program as a process on a real broker, as a collector gets them."""

import json
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer

from tests.brokers.kafka import Kafka
from tests.collector import Collector, attributes, collector
from tests.jobs import FEATURES, TIMEOUT_S, Job

Headers = list[tuple[str, str | bytes | None]]
BAD = b'{"id": "bad", "features": {"a": "4711.25"}}'


def event(number: int) -> bytes:
    x = [float(number % 7), float(number % 5), 1.0]
    features = dict(zip(FEATURES, x, strict=True))
    label = "up" if number % 7 > 3 else "down"
    return json.dumps({"id": f"e{number}", "features": features, "label": label}).encode()


def parent(number: int) -> bytes:
    return f"00-{number + 1:032x}-{number + 1:016x}-01".encode()


def produce(job: Job, events: Sequence[tuple[bytes, Headers]]) -> None:
    producer = Producer({"bootstrap.servers": job.kafka.bootstrap_servers})
    for value, headers in events:
        producer.produce(job.topic, value, b"k", 0, headers=headers)
    assert producer.flush(TIMEOUT_S) == 0


def context_of(message: Message) -> bytes | None:
    headers: Any = message.headers() or []
    return dict(headers).get("traceparent")


@pytest.fixture(scope="module")
def traced(
    kafka: Kafka, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Job, Collector]]:
    """Run over 300 events, of which every third has a context and one is bad."""
    job = Job(kafka, tmp_path_factory.mktemp("traced"))
    produce(
        job,
        [
            (BAD if i == 100 else event(i), [] if i % 3 else [("traceparent", parent(i))])
            for i in range(300)
        ],
    )
    with collector() as found:
        job.run_until(
            300,
            *("--set", f"tracing.endpoint={found.endpoint}", "--set", "tracing.headers=true"),
            *("--set", "learning.max_batch=50", "--set", "input.instance=replica-0"),
        )
        yield job, found


def test_batches_have_a_span_each_and_their_counts_add_up_to_the_events(
    traced: tuple[Job, Collector],
) -> None:
    job, found = traced
    spans = [attributes(span) for span in found.spans("process ")]
    assert {span.name for span in found.spans("process ")} == {f"process {job.topic}"}
    assert sum(told["messaging.batch.message_count"] for told in spans) == 300
    assert sum(told["streamfit.predicted"] for told in spans) == 299
    assert sum(told["streamfit.dead_letters"] for told in spans) == 1
    assert max(told["streamfit.model_version"] for told in spans) == 299
    assert len(spans) >= 6  # max_batch
    places = sorted((t["streamfit.first_offset"], t["streamfit.next_offset"]) for t in spans)
    assert [first for first, _ in places[1:]] == [following for _, following in places[:-1]]
    told = spans[0]
    assert told["messaging.system"] == "kafka"
    assert told["messaging.destination.name"] == job.topic
    assert told["messaging.consumer.group.name"] == job.group
    assert told["messaging.destination.partition.id"] == "0"
    assert told["streamfit.step.seconds"] > 0
    assert found.paths == {"/v1/traces"}
    process = found.processes()[0]
    assert (process["service.name"], process["service.instance.id"]) == ("streamfit", "replica-0")


def test_epochs_have_a_span_each(traced: tuple[Job, Collector]) -> None:
    job, found = traced
    spans = found.spans(f"commit {job.topic}")
    numbers = sorted(attributes(span)["streamfit.epoch"] for span in spans)
    assert numbers == list(range(1, len(numbers) + 1))
    assert json.loads(job.committed()[0].metadata or "")["epoch"] == numbers[-1]
    told = attributes(spans[0])
    assert told["streamfit.save.seconds"] > 0
    assert told["streamfit.checkpoint.bytes"] > 0
    assert spans[0].end_time_unix_nano > spans[0].start_time_unix_nano


def test_a_prediction_carries_the_context_of_its_event_or_that_of_its_batch(
    traced: tuple[Job, Collector],
) -> None:
    job, found = traced
    own = {
        f"00-{span.trace_id.hex()}-{span.span_id.hex()}".encode()
        for span in found.spans("process ")
    }
    messages = job.read(job.predictions)
    assert len(messages) == 299
    for message in messages:
        offset = json.loads(message.value() or b"")["offset"]
        context = context_of(message)
        if offset % 3:
            assert context is not None
            begin, _, flags = context.rpartition(b"-")
            assert begin in own
            assert int(flags, 16) & 1  # sampled
        else:
            assert context == parent(offset)


def test_batches_are_linked_to_the_contexts_of_their_events(
    traced: tuple[Job, Collector],
) -> None:
    _, found = traced
    linked = {link.span_id for span in found.spans("process ") for link in span.links}
    assert linked == {(i + 1).to_bytes(8) for i in range(0, 300, 3)}


def test_without_headers_asked_for_predictions_carry_none(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    produce(job, [(event(i), [("traceparent", parent(i))]) for i in range(20)])
    with collector() as found:
        job.run_until(20, "--set", f"tracing.endpoint={found.endpoint}")
        assert sum(len(span.links) for span in found.spans()) == 0
        assert found.spans("process ")
    assert [message.headers() for message in job.read(job.predictions)] == [None] * 20


@pytest.mark.parametrize("way", ["refuses", "hangs"])
def test_a_collector_that_is_away_neither_stops_the_run_nor_its_end(
    way: str, kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    produce(job, [(event(i), []) for i in range(200)])
    with collector(answers=False) as found, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        refusing = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        endpoint = found.endpoint if way == "hangs" else refusing
        with job.running("--set", f"tracing.endpoint={endpoint}") as running:
            running.address()
            job.await_committed(200, running)
            if way == "hangs":
                assert found.asked.wait(TIMEOUT_S)
            produce(job, [(event(i), []) for i in range(200, 400)])
            job.await_committed(400, running)
            running.stop()
    assert len(job.predicted()) == 400


def test_a_transaction_s_predictions_carry_their_contexts(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    produce(job, [(event(i), [("traceparent", parent(i))]) for i in range(30)])
    with collector() as found:
        job.run_until(
            30,
            *("--set", f"tracing.endpoint={found.endpoint}", "--set", "tracing.headers=true"),
            *("--set", "output.delivery=exactly_once"),
        )
    assert [context_of(m) for m in job.read(job.predictions)] == [parent(i) for i in range(30)]
