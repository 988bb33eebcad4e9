import os
import signal
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
from confluent_kafka import Consumer, TopicPartition
from rich.console import Console
from typer.testing import CliRunner

from consumers.commands.produce import produce, split_arguments
from consumers.commands.produce_progress import ReplayProgress
from consumers.demo.embedded import EmbeddedBroker
from consumers.errors import KafkaUnreachableError, SettingsError
from producers import topics

DEADLINE_S = 20.0
CSV = "ID,Feature1,Feature2,Feature3,TARGET\n" + "".join(
    f"{i},{i}.5,2,3,{'UP' if i % 2 else 'DOWN'}\n" for i in range(20)
)
SETTINGS = """
[kafka]
bootstrap_servers = "127.0.0.1:1"
[input]
topic = "elsewhere"
group = "g"
[schema]
id = "uid"
label = "truth"
features_in = "x"
features = ["Feature1", "Feature2"]
classes = ["DOWN", "UP"]
[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
[output]
topic = "predictions"
[checkpoint]
store = "file:///nowhere"
"""


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def source(tmp_path: Path) -> str:
    path = tmp_path / "data.csv"
    path.write_text(CSV)
    return str(path)


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "settings.toml"
    path.write_text(SETTINGS)
    return str(path)


def run(*arguments: str) -> Any:
    app = typer.Typer()
    app.command()(produce)
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def read_back(broker: EmbeddedBroker, topic: str, number: int) -> list[tuple[bytes | None, Any]]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "read-back",
            "fetch.wait.max.ms": 10,
        }
    )
    partitions = consumer.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, 0) for p in partitions])
    messages: list[Any] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while len(messages) < number and time.monotonic() < deadline_s:
        messages += [m for m in consumer.consume(number, 0.05) if m.error() is None]
    consumer.close()
    return [(m.key(), msgspec.json.decode(m.value())) for m in messages]


def test_a_table_is_sent_and_the_summary_is_json(broker: EmbeddedBroker, source: str) -> None:
    partitions = broker.create_topic("table", 2)
    address = broker.bootstrap_servers
    to = ("--bootstrap-servers", address, "--topic", "table")
    result = run(source, *to, "--id", "ID", "--label", "TARGET", "--repeat", "2", "--json")
    summary = msgspec.json.decode(result.stdout)
    assert set(summary) == {"sent", "seconds", "events_per_s", "topic", "partitions"}
    assert (summary["sent"], summary["topic"], summary["partitions"]) == (40, "table", partitions)
    events = read_back(broker, "table", 40)
    assert len({key for key, _ in events}) == 40
    features = {"Feature1": 1.5, "Feature2": 2, "Feature3": 3}
    assert (b"1", {"id": 1, "features": features, "label": "UP"}) in events
    assert (b"1-1", {"id": "1-1", "features": features, "label": "UP"}) in events


def test_a_settings_file_gives_the_names_and_the_options_win(
    broker: EmbeddedBroker, source: str, settings: str
) -> None:
    address = broker.bootstrap_servers
    to = ("--bootstrap-servers", address, "--topic", "named")
    result = run(settings, source, *to, "--id", "ID", "--label", "TARGET")
    assert result.stdout.startswith("sent 20 events to topic named")
    events = read_back(broker, "named", 20)
    expected = {"uid": 1, "x": {"Feature1": 1.5, "Feature2": 2}, "truth": "UP"}
    assert (b"1", expected) in events


def test_events_in_their_own_form_need_no_columns_named(
    broker: EmbeddedBroker, tmp_path: Path, settings: str
) -> None:
    event = {"uid": "e1", "x": {"Feature1": 1.5, "Feature2": 2}, "truth": "UP"}
    path = tmp_path / "events.ndjson"
    path.write_bytes(msgspec.json.encode(event))
    to = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", "own-form")
    result = run(settings, str(path), *to)
    assert result.stderr == ""
    assert read_back(broker, "own-form", 1) == [(b"e1", event)]


def test_data_without_a_label_is_sent_and_told(broker: EmbeddedBroker, source: str) -> None:
    to = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", "unlabelled")
    result = run(source, *to, "--features", "Feature1, Feature3", "--features-in", "")
    assert result.stderr.startswith("no label: ")
    assert (None, {"Feature1": 1.5, "Feature3": 3}) in read_back(broker, "unlabelled", 20)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FILE", "FILE", "SOURCE"], "one too many"),
        (["FILE"], "nothing to send"),
        (["SOURCE"], "--bootstrap-servers: missing"),
        (["SOURCE", "--bootstrap-servers", "h:1"], "--topic: missing"),
        (["SOURCE", "--set", "a.b=c"], "--set"),
        (["FILE", "SOURCE"], "schema.id = 'uid': no column of the data gives it"),
        (["FILE", "SOURCE", "--id", "nope"], "no column 'nope'; the columns are ID, Feature1"),
        (["FILE", "SOURCE", "--set", "input.topic=a b"], "input.topic"),
        (["FILE", "SOURCE", "--set", "input.format=json_array"], "sends JSON objects only"),
        (["FILE", "SOURCE", "--set", "kafka.librdkafka.nonsense=1", "--id", "ID"], "nonsense"),
        (
            ["FILE", "SOURCE", "--set", "kafka.librdkafka.sasl.password={file='/nowhere'}"],
            "/nowhere: cannot be read",
        ),
        (["FILE", "nowhere.csv"], "nowhere.csv: no such file"),
        (["nowhere.toml", "SOURCE"], "nowhere.toml"),
        (["FILE", "sqlite://"], "--query: missing"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_ends_with_exit_code_2(
    arguments: list[str], message: str, source: str, settings: str
) -> None:
    names = {"FILE": settings, "SOURCE": source}
    with pytest.raises(SettingsError) as caught:
        run(*(names.get(argument, argument) for argument in arguments))
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_no_broker_at_the_address_ends_with_exit_code_3(
    source: str, settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_ANSWER_S", 1.0)
    with pytest.raises(KafkaUnreachableError, match=r"127\.0\.0\.1:1") as caught:
        run(settings, source, "--id", "ID", "--label", "TARGET")
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_good_order(
    broker: EmbeddedBroker, source: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: Callable[[ReplayProgress, int], None] = ReplayProgress.__call__

    signals = [number]

    def told_and_killed(self: ReplayProgress, sent: int) -> None:
        told(self, sent)
        if signals:  # one only: the second is meant to end the process at once
            os.kill(os.getpid(), signals.pop())

    monkeypatch.setattr(ReplayProgress, "__call__", told_and_killed)
    before = signal.getsignal(number)
    to = ("--bootstrap-servers", broker.bootstrap_servers, "--topic", "signal")
    result = run(source, *to, "--label", "TARGET", "--rate", "50", "--repeat", "100", "--json")
    assert result.exit_code == 0
    assert msgspec.json.decode(result.stdout)["sent"] < 1000
    assert signal.getsignal(number) is before


def test_progress_is_a_plain_line_every_5_s_where_there_is_no_terminal() -> None:
    now = [0.0]
    out = StringIO()
    with ReplayProgress(Console(file=out), 1000, clock=lambda: now[0]) as progress:
        for second in range(13):
            now[0] = float(second)
            progress(second * 10)
    assert out.getvalue().splitlines() == [
        "sent 50 of 1,000 events, 10 events/s",
        "sent 100 of 1,000 events, 10 events/s",
    ]


def test_progress_is_a_bar_on_a_terminal() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    with ReplayProgress(console, 1000) as progress:
        progress(500)
    assert "500/1000" in out.getvalue()


def test_the_settings_file_comes_before_the_source() -> None:
    assert split_arguments(["a.toml", "b.csv"]) == (Path("a.toml"), "b.csv")
