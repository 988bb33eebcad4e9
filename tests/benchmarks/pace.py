"""A producer that never runs dry and never runs away: `python -m tests.benchmarks.pace`.

It keeps so many events between itself and what the group has committed, whatever the consumer's
speed is, until it is told to stop.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence

from confluent_kafka import Producer

from producers.elec2 import ROWS
from tests.benchmarks.observing import Progress
from tests.benchmarks.workload import PARTITIONS, values

_LOOK_S = 0.2
_CHUNK = 2_000  # events for one partition at a time


def main(words: Sequence[str] | None = None) -> int:
    """Send Elec2 again and again, held to the pace of a group."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pace", description=__doc__)
    for name in ("bootstrap", "topic", "group"):
        parser.add_argument(name)
    parser.add_argument("--ahead", type=int, default=1_000_000, help="events, at most")
    options = parser.parse_args(words)
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    progress = Progress(options.bootstrap, options.topic, options.group, options.topic)
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "linger.ms": 20,
            "compression.type": "lz4",
            "queue.buffering.max.messages": 200_000,
        }
    )
    chunks, sent = _chunks(), 0
    while not stopped:
        due = progress.committed() + options.ahead - sent
        while due > 0 and not stopped:
            for partition, chunk in enumerate(chunks[sent // (PARTITIONS * _CHUNK) % len(chunks)]):
                producer.produce_batch(options.topic, chunk, partition=partition)
                while producer.flush(0.01) > _CHUNK * PARTITIONS:
                    pass
            sent += PARTITIONS * _CHUNK
            due -= PARTITIONS * _CHUNK
        time.sleep(_LOOK_S)
    progress.close()
    return producer.flush(30)


def _chunks() -> list[list[list[dict[str, bytes]]]]:
    """Give what is sent, ready made: chunks, of each a list for every partition."""
    size = PARTITIONS * _CHUNK
    records = [{"key": key, "value": value} for key, value in values(ROWS // size * size)]
    return [
        [records[first + partition : first + size : PARTITIONS] for partition in range(PARTITIONS)]
        for first in range(0, len(records), size)
    ]


if __name__ == "__main__":
    sys.exit(main())
