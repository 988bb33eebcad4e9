"""`streamfit produce`: sends a data set to a topic."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from confluent_kafka import KafkaException, Producer
from rich.console import Console

from consumers.commands.produce_progress import ReplayProgress
from consumers.commands.produce_target import Target, TargetOptions, choose_columns, find_target
from consumers.errors import KafkaUnreachableError, SettingsError
from consumers.kafka.cluster import Cluster
from producers.datasets import Dataset, DatasetError, open_dataset
from producers.mapping import ColumnMapping, Record, encode_rows
from producers.replay import Replay, Replayed, ReplayError, ReplayOptions, open_producer
from producers.topics import LastError, Topic, TopicError, find_topic

Arguments = Annotated[
    list[str],
    typer.Argument(
        metavar="[FILE.toml] SOURCE",
        help="The settings file, which may be left out, and what to send: a file (.csv, .tsv, "
        ".ndjson, .jsonl, .parquet) or a database URL.",
        show_default=False,
    ),
]
BootstrapServers = Annotated[str | None, typer.Option(help="Address of Kafka, host:port.")]
TopicName = Annotated[str | None, typer.Option(help="Topic to send to.")]
Query = Annotated[str | None, typer.Option(help="What to ask the database.")]
Id = Annotated[str | None, typer.Option("--id", help="Column of the id, also the record's key.")]
Time = Annotated[str | None, typer.Option("--time", help="Column of the time: ms, or ISO 8601.")]
Label = Annotated[str | None, typer.Option(help="Column of the label.")]
Features = Annotated[
    str | None, typer.Option(metavar="A,B,C", help="Columns of the features; all others if not.")
]
FeaturesIn = Annotated[
    str | None, typer.Option(help='Field that holds the features; "" for flat rows.')
]
Rate = Annotated[float | None, typer.Option(min=0.001, help="Events per second; else full speed.")]
Partitions = Annotated[
    int | None, typer.Option(min=1, help="Make the topic with so many, if it is not there.")
]
Repeat = Annotated[int, typer.Option(min=1, help="Send it all so often; ids stay unique.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Override: section.key=value.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")]


@dataclass(frozen=True, slots=True)
class Summary:
    """What is told at the end."""

    sent: int
    seconds: float
    events_per_s: float
    topic: str
    partitions: int

    def line(self) -> str:
        """Tell it in one line."""
        return (
            f"sent {self.sent:,} events to topic {self.topic} (partitions: {self.partitions}) "
            f"in {self.seconds:.1f} s: {self.events_per_s:,.0f} events/s"
        )


@dataclass(frozen=True, slots=True)
class Sending:
    """How to send: events per second, wanted partitions, and how often."""

    rate: float | None
    partitions: int | None
    repeat: int


def produce(  # noqa: PLR0913 - each is an option of the command line
    arguments: Arguments,
    *,
    bootstrap_servers: BootstrapServers = None,
    topic: TopicName = None,
    query: Query = None,
    id_: Id = None,
    time_: Time = None,
    label: Label = None,
    features: Features = None,
    features_in: FeaturesIn = None,
    rate: Rate = None,
    partitions: Partitions = None,
    repeat: Repeat = 1,
    set_: Set = None,
    json_: AsJson = False,
) -> None:
    """Send a data set to a topic, each row as one JSON event."""
    path, source = split_arguments(arguments)
    overrides = TargetOptions(bootstrap_servers, topic, features_in, tuple(set_ or ()))
    target = find_target(path, overrides)
    named = tuple(name.strip() for name in features.split(",")) if features else None
    with _one_line_errors():
        dataset = open_dataset(source, query)
        wanted = ColumnMapping(id_, time_, label, named)
        mapping = choose_columns(dataset.columns, wanted, target)
        summary = _send(dataset, mapping, target, Sending(rate, partitions, repeat))
    typer.echo(msgspec.json.encode(summary) if json_ else summary.line())


def split_arguments(arguments: list[str]) -> tuple[Path | None, str]:
    """Tell the settings file from the source.

    Raises
    ------
    SettingsError
        If there are more than two, or only a settings file.

    Examples
    --------
    >>> split_arguments(["data.csv"])
    (None, 'data.csv')
    """
    *files, source = arguments
    if len(files) > 1:
        raise SettingsError(f"{files[1]}: one too many; write streamfit produce [FILE.toml] SOURCE")
    if source.endswith(".toml"):
        raise SettingsError(f"{source}: a settings file, and nothing to send; add SOURCE behind it")
    return (Path(files[0]) if files else None), source


def _send(dataset: Dataset, mapping: ColumnMapping, target: Target, sending: Sending) -> Summary:
    records = encode_rows(dataset, mapping, sending.repeat)
    console = Console(stderr=True)
    producer, topic = _connect(target, sending.partitions)
    if mapping.label is None:
        _tell(console, "no label: events are predicted, not learned; name one with --label")
    if topic.notice:
        _tell(console, topic.notice)
    total = None if dataset.total is None else dataset.total * sending.repeat
    with ReplayProgress(console, total) as progress:
        options = ReplayOptions(sending.rate)
        replayed = _run(Replay(producer, topic.name, options, on_progress=progress), records)
    return Summary(
        replayed.sent, replayed.seconds, replayed.events_per_s, topic.name, topic.partitions
    )


def _connect(target: Target, partitions: int | None) -> tuple[Producer, Topic]:
    Cluster(target.config).partitions()  # tells best why Kafka does not let us in
    errors = LastError()
    try:
        producer = open_producer(target.config, errors)
    except KafkaException as error:
        raise SettingsError(f"kafka.librdkafka: {error.args[0].str()}; mend that option") from None
    return producer, find_topic(producer, target.topic, partitions, target.config, errors)


def _run(replay: Replay, records: Iterator[Record]) -> Replayed:
    """Run it; the first Ctrl-C or SIGTERM ends it in good order, the second at once."""
    before: dict[signal.Signals, Any] = {}

    def stop(*_: object) -> None:
        replay.stop()
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, stop)
    try:
        return replay.run(records)
    finally:
        restore()


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Give the producers' errors their exit codes."""
    try:
        yield
    except DatasetError as error:
        raise SettingsError(str(error)) from None
    except (TopicError, ReplayError) as error:
        raise KafkaUnreachableError(str(error)) from None


def _tell(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
