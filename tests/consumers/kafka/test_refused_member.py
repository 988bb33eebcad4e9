"""A coordinator that refuses a member, as the client tells it."""

import time
from contextlib import closing

import pytest
from confluent_kafka import KafkaError

from consumers.errors import KafkaUnreachableError, SettingsError, StreamfitError
from consumers.kafka.config import consumer_config
from consumers.kafka.kafka_source import KafkaSource
from tests.brokers.faulty import Api, FaultyBroker

DEADLINE_S = 20.0


def read_on(source: KafkaSource) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        source.read(0.1)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.INVALID_SESSION_TIMEOUT, SettingsError),
        (KafkaError.INVALID_GROUP_ID, SettingsError),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, KafkaUnreachableError),
        (KafkaError.GROUP_MAX_SIZE_REACHED, KafkaUnreachableError),
    ],
)
def test_a_member_that_is_refused_for_good_does_not_stand_by(
    faulty_broker: FaultyBroker, code: int, kind: type[StreamfitError]
) -> None:
    faulty_broker.create_topic("events")
    faulty_broker.push_errors(Api.JOIN_GROUP, [code] * 100)
    options = {"bootstrap.servers": faulty_broker.bootstrap_servers}
    source = KafkaSource(consumer_config(options, "group", None), "events", 10, lambda: None)
    with closing(source):
        source.subscribe(lambda _: None)
        with pytest.raises(kind):
            read_on(source)
