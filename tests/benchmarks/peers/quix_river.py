"""Quix Streams and River."""

from typing import Any

from job import EPOCH_S, RiverModel, job
from quixstreams import Application, message_context

JOB = job()
MODEL = RiverModel()
app = Application(
    broker_address=JOB.bootstrap,
    consumer_group=JOB.group,
    auto_offset_reset="earliest",
    auto_create_topics=False,
    commit_interval=EPOCH_S,
    loglevel="ERROR",
    consumer_extra_config={"fetch.queue.backoff.ms": 10},
    producer_extra_config={"linger.ms": 5, "compression.type": "lz4"},
)
events = app.topic(JOB.input, value_deserializer="bytes", key_deserializer="bytes")
predictions = app.topic(JOB.output, value_serializer="bytes", key_serializer="bytes")


def learn(value: bytes) -> Any:
    """Predict and learn an event."""
    context = message_context()
    return MODEL(value, context.partition, context.offset)


app.dataframe(events).apply(learn).to_topic(predictions)
app.run()
