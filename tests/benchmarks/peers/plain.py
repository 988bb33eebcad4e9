"""What hand-written jobs on confluent-kafka share: clients, and a commit once a second."""

import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer
from job import EPOCH_S, Job, Stopper

Model = Callable[[bytes, int, int], bytes]


class Plain:
    """A loop as one writes it by hand: nothing is committed before its predictions are there."""

    def __init__(self, job: Job, model: Model) -> None:
        self._topic = job.output
        self._model = model
        self._failed: list[Any] = []
        self.consumer = Consumer(
            {
                "bootstrap.servers": job.bootstrap,
                "group.id": job.group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 10,
            }
        )
        self.consumer.subscribe([job.input])
        self._producer = Producer(
            {
                "bootstrap.servers": job.bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "compression.type": "lz4",
                "on_delivery": self._delivered,
            }
        )

    def _delivered(self, error: Any, _: Message) -> None:
        if error is not None:
            self._failed.append(error)

    def run(self, read: Callable[[Consumer], list[Message]]) -> None:
        """Work until SIGTERM."""
        stopper = Stopper()
        moved, due = False, time.monotonic() + EPOCH_S
        while not stopper.asked:
            for message in read(self.consumer):
                self._work_off(message)
                moved = True
            self._producer.poll(0)
            if moved and time.monotonic() >= due:
                self._commit()
                moved, due = False, time.monotonic() + EPOCH_S
        if moved:
            self._commit()
        self.consumer.close()

    def _work_off(self, message: Message) -> None:
        if message.error() is not None:
            raise KafkaException(message.error())
        prediction = self._model(message.value(), message.partition(), message.offset())
        while True:
            try:
                self._producer.produce(self._topic, prediction, message.key())
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _commit(self) -> None:
        if self._producer.flush(30) or self._failed:
            raise RuntimeError(f"predictions were not delivered: {self._failed[:1]}")
        self.consumer.commit(asynchronous=False)


def one_by_one(consumer: Consumer) -> list[Message]:
    """Read a message by `poll`."""
    message = consumer.poll(0.1)
    return [] if message is None else [message]


def in_batches(consumer: Consumer) -> list[Message]:
    """Read up to 500 messages by `consume`."""
    return consumer.consume(500, 0.1)
