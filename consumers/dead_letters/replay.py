"""Sends dead letters back to the input topic. Which of them are read is decided elsewhere.

Nothing remembers what was replayed: the same letters, given again, are sent again.
"""

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from confluent_kafka import KafkaError, KafkaException, Message

from consumers.dead_letters.letters import Letter, Position, Stored, headers_to_replay, read_letter
from consumers.dead_letters.outcome import Left, Outcome, Target, how_to_go_on, obstacle
from consumers.errors import KafkaUnreachableError
from learners.events import Headers
from producers.encoding import BY_KEY

# How a replay writes, over any other option.
PRODUCER: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,
    "delivery.report.only.error": False,  # what was acknowledged is told
    "queue.buffering.max.messages": 10_000,
    "queue.buffering.max.kbytes": 65_536,
}
FLUSH_S = 35.0  # longer than the client itself keeps a record: it knows why one is not delivered
_RETRY_S = 0.1
_POLL_EVERY = 100


class RecordProducer(Protocol):
    """What a replay needs of `confluent_kafka.Producer`."""

    def produce(  # noqa: D102 - the client's own
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        *,
        headers: Headers,
        on_delivery: Callable[[KafkaError | None, Message], None],
    ) -> None: ...

    def poll(self, timeout: float) -> int: ...  # noqa: D102

    def flush(self, timeout: float) -> int: ...  # noqa: D102


class DeadLetterReplay:
    """Sends letters back, each to where its record came from.

    A letter with a key goes by the key, one without to the partition that it came from. Key,
    value and own headers are as they were; the time is that of the replay, since a topic may
    throw away at once what is older than its retention.

    Parameters
    ----------
    producer : RecordProducer or None
        Idempotent, and used by this replay alone; None for a rehearsal, which sends nothing.
    target : Target
        Where to.
    """

    def __init__(self, producer: RecordProducer | None, target: Target) -> None:
        self._producer, self._target = producer, target
        self._under_way: set[Position] = set()
        self._failed: list[Position] = []
        self._why = ""
        self._stop = False

    def stop(self) -> None:
        """Send no more; `run` then flushes and returns. A signal handler may call it."""
        self._stop = True

    def run(
        self,
        records: Iterable[Stored],
        fits: Callable[[Letter], bool],
        outcome: Outcome,
        timeout_s: float = FLUSH_S,
    ) -> None:
        """Send what fits, then wait until Kafka has acknowledged all of it. Call it once.

        Parameters
        ----------
        records : iterable of Stored
            Sent in this order. What it raises goes through, after a flush.
        fits : callable
            Whether a letter is meant at all.
        outcome : Outcome
            Is brought up to date while it goes on.
        timeout_s : float
            How long to wait at the end.

        Raises
        ------
        KafkaUnreachableError
            If a letter was not acknowledged; sending stops at the first one known.
        """
        try:
            for count, stored in enumerate(records):
                if self._producer is not None and count % _POLL_EVERY == 0:
                    self._producer.poll(0)  # hands over what became of the ones before
                if self._over:
                    break
                self._take(stored, fits, outcome)
        finally:
            self._flush(timeout_s)
        outcome.stopped = self._stop
        missing = [*self._failed, *self._under_way]
        if missing:
            raise KafkaUnreachableError(self._complaint(missing, outcome))

    def _take(self, stored: Stored, fits: Callable[[Letter], bool], outcome: Outcome) -> None:
        letter = read_letter(stored, keep=1)
        if fits(letter):
            why = obstacle(letter, self._target)
            if why is not None:
                outcome.leave(letter.at, why)
            elif not self._send(stored, letter, outcome):
                return
        if outcome.next_offsets is not None:
            outcome.next_offsets[stored.at.partition] = stored.at.offset + 1

    def _send(self, stored: Stored, letter: Letter, outcome: Outcome) -> bool:
        """Hand one over; blocks while the queue is full. False if sending is over."""
        if self._producer is None:
            outcome.send(stored.at)
            return True
        headers = headers_to_replay(stored, letter.attempts + 1)
        source = letter.origin.partition
        where = source if stored.key is None and source is not None else BY_KEY
        done = partial(self._on_delivery, stored.at)
        while not self._over:
            try:
                self._producer.produce(
                    self._target.topic,
                    stored.value,
                    stored.key,
                    where,
                    headers=headers,
                    on_delivery=done,
                )
            except BufferError:  # the queue is full: Kafka takes them slower than we read them
                self._producer.poll(_RETRY_S)
                continue
            except KafkaException as error:
                if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                    outcome.leave(stored.at, Left.TOO_LARGE)
                    return True
                self._fail(stored.at, error.args[0])
            else:
                self._under_way.add(stored.at)
            outcome.send(stored.at)
            return True
        return False

    @property
    def _over(self) -> bool:
        return self._stop or bool(self._failed)

    def _on_delivery(self, at: Position, error: KafkaError | None, _message: Message) -> None:
        self._under_way.discard(at)
        if error is not None:
            self._fail(at, error)

    def _fail(self, at: Position, error: KafkaError) -> None:
        self._failed.append(at)
        self._why = self._why or error.str()

    def _flush(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._producer is not None and self._producer.flush(_RETRY_S):
            if time.monotonic() > deadline:
                return

    def _complaint(self, missing: list[Position], outcome: Outcome) -> str:
        why = self._why or "no answer in time; is the broker up?"
        return (
            f"input.topic = {self._target.topic!r}: {len(missing)} of {outcome.sent} dead letters "
            f"not acknowledged ({why}); go on with {how_to_go_on(outcome, missing)}, which may "
            "send some of the others again"
        )
