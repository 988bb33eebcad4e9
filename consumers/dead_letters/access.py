"""Opens what the `dlq` commands work on: the dead letter topic, and the way back to the input."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing, contextmanager
from dataclasses import dataclass

from consumers.dead_letters.letters import Position, Stored
from consumers.dead_letters.outcome import Left, Outcome, Target
from consumers.dead_letters.reading import Bounds, DeadLetterTopic, Read
from consumers.dead_letters.replay import PRODUCER, DeadLetterReplay
from consumers.errors import SettingsError
from consumers.kafka.cluster import Cluster
from consumers.kafka.config import client_config
from consumers.kafka.failures import making_a_client
from consumers.settings import Settings
from producers.replay import open_producer

_SMALLEST_LIMIT = 1000  # that librdkafka knows


@dataclass(frozen=True, slots=True)
class Topics:
    """What is known of the topics.

    Attributes
    ----------
    dead_letters, input : int
        How many partitions they have.
    max_bytes : int
        Largest record that the input topic takes.
    """

    dead_letters: int
    input: int
    max_bytes: int


@contextmanager
def open_topic(settings: Settings) -> Iterator[tuple[DeadLetterTopic, int]]:
    """Open the dead letter topic; gives it and the number of its partitions.

    Raises
    ------
    KafkaUnreachableError
        If Kafka does not answer, or the topic is not there.
    SettingsError
        If librdkafka refuses an option.
    """
    name = settings.dead_letter_topic
    partitions = Cluster(client_config(settings)).partitions_of({"output.dead_letter_topic": name})
    with closing(_topic(settings)) as topic:
        yield topic, partitions[name]


@contextmanager
def open_both(settings: Settings) -> Iterator[tuple[DeadLetterTopic, Topics]]:
    """Open the dead letter topic, where the input topic is there too; else as `open_topic`."""
    name = settings.dead_letter_topic
    wanted = {"output.dead_letter_topic": name, "input.topic": settings.input.topic}
    cluster = Cluster(client_config(settings))
    found = cluster.partitions_of(wanted)
    max_bytes = cluster.max_message_bytes(settings.input.topic)
    with closing(_topic(settings)) as topic:
        yield topic, Topics(found[name], found[settings.input.topic], max_bytes)


def replay_of(
    settings: Settings, target: Target, max_bytes: int, *, dry_run: bool
) -> DeadLetterReplay:
    """Make a replay to the settings' Kafka, or one that sends nothing."""
    if dry_run:
        return DeadLetterReplay(None, target)
    # A larger record is refused before it is sent: the broker would refuse its whole batch.
    size = {"message.max.bytes": max(_SMALLEST_LIMIT, max_bytes)}
    with making_a_client():
        producer = open_producer({**client_config(settings), **PRODUCER, **size})
    return DeadLetterReplay(producer, target)


def begun_at(bounds: Bounds, begins: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    """Leave out what stands before where it is to begin.

    Raises
    ------
    SettingsError
        If there is no such partition.
    """
    _check("--from-offset", begins.items(), len(bounds))
    return {p: (min(max(low, begins.get(p, low)), high), high) for p, (low, high) in bounds.items()}


def single(
    read: Read, bounds: Bounds, positions: AbstractSet[Position], outcome: Outcome
) -> Iterator[Stored]:
    """Read single records; where there is none, the outcome is told.

    Raises
    ------
    SettingsError
        If there is no such partition.
    """
    _check("--partition-offset", positions, len(bounds))
    return _single(read, bounds, sorted(positions), outcome)


def _single(
    read: Read, bounds: Bounds, positions: list[Position], outcome: Outcome
) -> Iterator[Stored]:
    for at in positions:
        low, high = bounds[at.partition]
        found = False
        if low <= at.offset < high:
            for stored in read(at.partition, at.offset, at.offset + 1):
                found = True
                yield stored
        if not found:
            outcome.leave(at, Left.NOT_THERE)


def _check(option: str, places: AbstractSet[tuple[int, int]], partitions: int) -> None:
    for partition, offset in sorted(places):
        if partition >= partitions:
            raise SettingsError(
                f"{option} = '{partition}:{offset}': no such partition; the dead letter topic has "
                f"{partitions}, from 0 on"
            )


def _topic(settings: Settings) -> DeadLetterTopic:
    options, group = client_config(settings), settings.input.group
    with making_a_client():
        return DeadLetterTopic(options, settings.dead_letter_topic, group)
