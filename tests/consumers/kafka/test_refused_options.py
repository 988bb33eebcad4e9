"""Options that librdkafka refuses only when a client is made, at the start and later. No broker."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from consumers import connecting
from consumers.errors import EpochLostError, SettingsError
from consumers.kafka.cluster import Cluster
from consumers.kafka.config import consumer_config, producer_config
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.membership import ASK_EVERY_S, StandsBy
from consumers.loop.delivery import AtLeastOnce, Delivery, ExactlyOnce
from consumers.loop.failpoints import nothing
from consumers.settings import Settings, load
from metrics.facts import RollbackReason
from producers.outputs import Outputs
from producers.sink import KafkaSink
from producers.transactional_sink import Transaction, TransactionalSink
from tests.fakes import Recorder

TOML = """
[input]
topic = "in"
group = "group"
[schema]
features = ["a"]
label = "y"
classes = ["no", "yes"]
id = "id"
[model]
steps = [{ use = "SGDClassifier", loss = "log_loss" }]
[output]
topic = "out"
[checkpoint]
store = "file:///nowhere"
[kafka]
bootstrap_servers = "127.0.0.1:1"
"""
NOWHERE: dict[str, Any] = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
OUTPUTS = Outputs("out", "dead", 1)
REFUSED = {"ssl.ca.location": "/nowhere/ca.pem", "security.protocol": "ssl"}
CLUSTER = cast("Cluster", SimpleNamespace(embedded=False, topic_id=lambda _: None))


@pytest.fixture
def settings_with(tmp_path: Path) -> Callable[..., Settings]:
    path = tmp_path / "my.toml"
    path.write_text(TOML)

    def settings(options: str, delivery: str = "at_least_once") -> Settings:
        return load(path, [f"output.delivery={delivery}", f"kafka.librdkafka={{{options}}}"])

    return settings


def assert_one_line(error: SettingsError, name: str) -> None:
    assert error.exit_code == 2
    (line,) = str(error).splitlines()
    assert line.startswith("kafka.librdkafka: ")
    assert name in line
    assert line.endswith("; mend or remove it")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ('"session.timeout.ms" = 400000', "session.timeout.ms"),
        ('"max.poll.interval.ms" = 5000', "max.poll.interval.ms"),
        ('"max.poll.interval.ms" = "x"', "max.poll.interval.ms"),
        ('"session.timeout.ms" = "x"', "session.timeout.ms"),
        ('"fetch.max.bytes" = 200000000', "fetch.max.bytes"),
        (
            '"heartbeat.interval.ms" = 1000, "group.protocol" = "consumer"',
            "heartbeat.interval.ms",
        ),
    ],
)
def test_what_a_consumer_refuses_is_an_error_of_the_settings(
    settings_with: Callable[..., Settings], options: str, named: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        connecting._source(settings_with(options), CLUSTER, 1)
    assert_one_line(caught.value, named)


@pytest.mark.parametrize(
    ("delivery", "options", "named"),
    [
        ("exactly_once", '"message.timeout.ms" = 300000', "message.timeout.ms"),
        ("exactly_once", '"delivery.timeout.ms" = 120000', "timeout.ms"),
        ("at_least_once", '"max.in.flight.requests.per.connection" = 10', "max.in.flight"),
        ("at_least_once", '"retries" = 0', "retries"),
        ("at_least_once", '"retry.backoff.ms" = "x"', "retry.backoff.ms"),
    ],
)
def test_what_a_producer_refuses_is_an_error_of_the_settings(
    settings_with: Callable[..., Settings], delivery: str, options: str, named: str
) -> None:
    settings = settings_with(options, delivery)
    source = cast("KafkaSource", None)
    with pytest.raises(SettingsError) as caught:
        connecting._delivery(settings, source, OUTPUTS, Recorder(), nothing)
    assert_one_line(caught.value, named)


@pytest.fixture
def source() -> Iterator[KafkaSource]:
    options = consumer_config(NOWHERE, "group", None)
    with closing(KafkaSource(options, "in", 10, lambda: None)) as made:
        yield made


def test_a_new_consumer_that_is_refused_later_is_tried_again_and_the_old_one_stays(
    source: KafkaSource,
) -> None:
    old, options = source._consumer, dict(source._config)
    source._config |= REFUSED
    with pytest.raises(EpochLostError, match=r"^kafka.librdkafka: .*mend or remove it$") as caught:
        source.rejoin()
    assert caught.value.reason is RollbackReason.KAFKA
    assert source._consumer is old
    assert source.read(0.01) is None
    source._config = options
    source.rejoin()
    assert source._consumer is not old


def deliveries() -> Iterator[tuple[Delivery, KafkaSink]]:
    """Make both, with nobody to deliver to."""
    source = cast("KafkaSource", None)
    config = producer_config(NOWHERE)
    plain = KafkaSink(config, OUTPUTS)
    yield AtLeastOnce(source, plain), plain
    transactional = TransactionalSink(config, OUTPUTS, Transaction("id", 60.0), nothing)
    yield ExactlyOnce(source, transactional, Recorder()), transactional


@pytest.mark.parametrize("number", [0, 1], ids=["at_least_once", "exactly_once"])
def test_a_new_producer_that_is_refused_later_is_tried_again_and_the_old_one_stays(
    number: int,
) -> None:
    delivery, sink = list(deliveries())[number]
    old, options = (sink._producer, sink._reports), dict(sink._options)
    with closing(sink):
        sink._options |= REFUSED
        with pytest.raises(EpochLostError, match=r"^kafka.librdkafka: .*mend or remove it$") as no:
            delivery.renew()
        assert no.value.reason is RollbackReason.KAFKA
        assert (sink._producer, sink._reports) == old
        sink.poll()
        sink._options = options
        delivery.renew()
        assert sink._producer is not old[0]
        sink.poll()


def test_a_standby_that_can_make_no_client_for_a_while_goes_on_standing_by() -> None:
    cluster = Cluster(NOWHERE)
    coordinator = cluster.coordinator_of("group")
    cluster._options |= REFUSED
    standby = StandsBy(coordinator.members, None, lambda: 0.5)
    assert not standby.may_join(0.0)
    assert not standby.may_join(ASK_EVERY_S)
    for name in REFUSED:
        del cluster._options[name]
    assert not standby.may_join(2 * ASK_EVERY_S)
    asked = standby._inquiry._asked
    assert asked is not None  # this time somebody was asked
    asked.cancel()
