"""Faust and River."""

import sys

import faust
from job import EPOCH_S, RiverModel, job

JOB = job()
MODEL = RiverModel()
app = faust.App(
    JOB.group,
    broker=f"kafka://{JOB.bootstrap}",
    store="memory://",
    topic_partitions=4,
    topic_disable_leader=True,
    broker_commit_interval=EPOCH_S,
    consumer_auto_offset_reset="earliest",
    producer_linger=0.005,
    stream_wait_empty=False,
    web_enabled=False,
    datadir=f"{sys.argv[1]}.faust",
)
events = app.topic(JOB.input, value_type=bytes, value_serializer="raw", key_serializer="raw")
predictions = app.topic(JOB.output, value_type=bytes, value_serializer="raw", key_serializer="raw")


@app.agent(events)
async def learn(stream: faust.StreamT[bytes]) -> None:
    """Predict and learn each event."""
    async for event in stream.events():
        place = event.message
        prediction = MODEL(event.value, place.partition, place.offset)
        await predictions.send(key=event.key, value=prediction)


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel", "ERROR"]
    app.main()
