"""The stages of the job one after the other, each with all before it, in one loop of its own.

Run as `python -m tests.benchmarks.stages STAGE SETTINGS EVENTS`, a process for each, so that none
finds the caches warm; prints one line of JSON.
"""

import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer as BareConsumer
from confluent_kafka import KafkaError, Message, TopicPartition

from consumers.kafka.config import client_config, consumer_config, producer_config
from consumers.kafka.consumer import Consumer
from consumers.kafka.kafka_source import records_of
from consumers.kafka.messages import Messages
from consumers.loop.step import Step
from consumers.loop.warmup import warm_up
from consumers.settings import Settings, load
from consumers.wiring import decoder_of, learning_of, schema_of
from producers.encoding import PredictionEncoder
from producers.outputs import Outputs
from producers.sink import KafkaSink
from tests.benchmarks.workload import PARTITIONS

Work = Callable[[Messages], Any]
CEILING = "bare consume"
NAMES = (
    CEILING,
    "+ records, in columns",
    "+ decode",
    "+ test-then-train, scores",
    "+ encode",
    "+ produce, acknowledged",
)
_PATIENCE_S = 60.0
# What suits it best: an object for each record fits the caches then.
_BARE_BATCH = 512


def stages(settings: Settings) -> tuple[dict[str, Work], Callable[[], None]]:
    """Give the stages by name, and what ends them all."""
    topic = settings.input.topic
    decoder = decoder_of(settings)
    learning = learning_of(settings)
    warm_up(learning_of(settings), schema_of(settings).n_features)
    step = Step(learning.learner, learning.scores)
    encoder = PredictionEncoder(schema_of(settings).classes, PARTITIONS)
    outputs = Outputs(settings.output.topic, settings.dead_letter_topic, 1, 1_000_000)
    sink = KafkaSink(producer_config(client_config(settings)), outputs)

    def predictions(messages: Messages) -> Any:
        result = step(decoder.decode(records_of(topic, messages)).batch)
        return encoder.encode(result.batch, result.predictions)

    works: tuple[Work, ...] = (
        lambda _: None,  # of what confluent-kafka gives, which is the ceiling for all contestants
        lambda messages: records_of(topic, messages),
        lambda messages: decoder.decode(records_of(topic, messages)),
        lambda messages: step(decoder.decode(records_of(topic, messages)).batch),
        predictions,
        lambda messages: sink.predictions(predictions(messages)),
    )
    return dict(zip(NAMES, works, strict=True)), lambda: sink.flush(60.0)


def run(
    settings: Settings, work: Work, end: Callable[[], None], events: int, *, bare: bool
) -> dict[str, float]:
    """Read so many events from the beginning, and work each batch off."""
    config = consumer_config(client_config(settings), settings.input.group, None)
    read = _bare if bare else _columns
    topic, most = settings.input.topic, settings.learning.max_batch
    places = [TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)]
    count, began, cpu, patience = 0, 0.0, 0.0, time.monotonic() + _PATIENCE_S
    for messages in read(config, places, most):
        if time.monotonic() > patience:
            break
        if not messages:
            continue
        if not count:
            began, cpu = time.perf_counter(), _cpu_s()
        count += len(messages)
        work(messages)
        if count >= events:
            break
    end()
    seconds, cpu = time.perf_counter() - began, _cpu_s() - cpu
    return {"events": count, "rate": count / seconds, "cpu_s": cpu / count * 1e6}


def _bare(config: dict[str, Any], places: list[TopicPartition], _: int) -> Iterator[Any]:
    """Read by confluent-kafka, as everybody does."""
    consumer = BareConsumer(config)
    consumer.assign(places)
    while True:
        first = consumer.poll(0.1)
        rest = [] if first is None else [first, *consumer.consume(_BARE_BATCH - 1, 0)]
        yield [message for message in rest if not _is_end(message)]


def _columns(config: dict[str, Any], places: list[TopicPartition], most: int) -> Iterator[Any]:
    """Read as the program does."""
    consumer = Consumer(config, lambda _: None, logging.getLogger("streamfit.benchmark"))
    consumer.assign(places)
    while True:
        yield consumer.read(most, 0.1)


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Run the stage that the command line names."""
    name, file, events = sys.argv[1:]
    settings = load(Path(file))
    works, end = stages(settings)
    last = end if name == NAMES[-1] else lambda: None
    figures = run(settings, works[name], last, int(events), bare=name == CEILING)
    print(json.dumps(figures))  # noqa: T201 its output


if __name__ == "__main__":
    main()
