"""Bytewax and River; it keeps no offsets in Kafka's groups."""

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main
from confluent_kafka import OFFSET_BEGINNING
from job import RiverModel, job

JOB = job()
MODEL = RiverModel()


def learn(message: KafkaSourceMessage[bytes, bytes]) -> KafkaSinkMessage[bytes, bytes]:
    """Predict and learn an event."""
    return KafkaSinkMessage(message.key, MODEL(message.value, message.partition, message.offset))


flow = Dataflow("bench")
source = KafkaSource(
    [JOB.bootstrap],
    [JOB.input],
    starting_offset=OFFSET_BEGINNING,
    add_config={"fetch.queue.backoff.ms": "10"},
    batch_size=500,
)
sink = KafkaSink([JOB.bootstrap], JOB.output, {"linger.ms": "5", "compression.type": "lz4"})
events = op.input("read", flow, source)
op.output("write", op.map("learn", events, learn), sink)
cli_main(flow)
