"""The consumer on librdkafka itself: it gives what confluent-kafka's own gives, in columns."""

import gc
import logging
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, cast

import numpy as np
import pytest
from confluent_kafka import Consumer as BareConsumer
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from consumers.demo.embedded import EmbeddedBroker
from consumers.kafka.config import EMBEDDED, consumer_config
from consumers.kafka.consumer import Consumer
from consumers.kafka.messages import Messages, take, warm_up
from consumers.kafka.queries import MissingTopicError, Place
from learners.events import Headers
from learners.slices import Slices

LOGGER = logging.getLogger("streamfit.source")
TOPIC, PARTITIONS = "events", 2
TIMEOUT_S = 20.0
PLACES = [TopicPartition(TOPIC, partition, 0) for partition in range(PARTITIONS)]
Row = tuple[int, int, int, bytes | None, bytes | None, Headers]
# Key, value, headers.
Given = tuple[bytes | None, bytes | None, Headers]


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as embedded:
        embedded.create_topic(TOPIC, PARTITIONS)
        yield embedded


@pytest.fixture
def consumer(broker: EmbeddedBroker) -> Iterator[Consumer]:
    with closing(consumer_of(broker.bootstrap_servers)) as made:
        yield made


def consumer_of(
    address: str, complain: Callable[[KafkaError], None] = lambda _: None, **more: Any
) -> Consumer:
    options = {"bootstrap.servers": address, **EMBEDDED, "log_level": 0, **more}
    return Consumer(consumer_config(options, "group", None), complain, LOGGER)


def fill(broker: EmbeddedBroker, records: list[Given]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for number, (key, value, headers) in enumerate(records):
        producer.produce(TOPIC, value, key, number % PARTITIONS, headers=headers)
    assert producer.flush(TIMEOUT_S) == 0


def rows_of(messages: Messages) -> list[Row]:
    places = [messages.partitions, messages.offsets, messages.time_ms]
    columns = zip(
        *(column.tolist() for column in places), messages.keys, messages.values, strict=True
    )
    return [(*row, messages.headers(at) or []) for at, row in enumerate(columns)]


def read(consumer: Consumer, count: int, most: int = 100) -> list[Messages]:
    found: list[Messages] = []
    deadline = time.monotonic() + TIMEOUT_S
    while sum(map(len, found)) < count:
        assert time.monotonic() < deadline
        messages = consumer.read(most, 0.1)
        if messages is not None and len(messages):
            found.append(messages)
    return found


def as_others_read(broker: EmbeddedBroker, count: int) -> list[Row]:
    options = {"bootstrap.servers": broker.bootstrap_servers, "group.id": "other"}
    found: list[Row] = []
    with closing(BareConsumer(options)) as consumer:
        consumer.assign(PLACES)
        deadline = time.monotonic() + TIMEOUT_S
        while len(found) < count:
            assert time.monotonic() < deadline
            message = consumer.poll(0.1)
            if message is None or message.error() is not None:
                continue
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            headers = cast("Headers", list(message.headers() or []))
            time_ms = message.timestamp()[1]
            found.append((partition, offset, time_ms, message.key(), message.value(), headers))
    return found


HEADERS: Headers = [("a", b"1"), ("b", None), ("a", b""), ("é", "ü".encode())]
KINDS: dict[str, list[Given]] = {
    "plain": [(b"k%d" % i, b"v%d" % i * (i % 9), []) for i in range(3_000)],
    "without keys": [(None, b"v%d" % i, []) for i in range(10)],
    "some without": [
        (b"k" if i % 3 else None, None if i % 4 == 1 else b"v", []) for i in range(20)
    ],
    "tombstones": [(b"k", None, []) for _ in range(10)],
    "empty": [(b"", b"", []) for _ in range(10)],
    "headers": [(b"k", b"v", HEADERS[: 1 + i % 4]) for i in range(200)],
    "some with headers": [(b"k", b"v", HEADERS[: i % 5]) for i in range(200)],
    "headers of every size": [(b"k", b"v", [("h" * (i % 5), b"h" * i)]) for i in range(300)],
    "large": [(b"k" * 100_000, b"v" * 400_000, [("h", b"h" * 100_000)])],
}


@pytest.mark.parametrize("most", [3, 2_000])
@pytest.mark.parametrize("records", KINDS.values(), ids=KINDS)
def test_what_it_reads_is_what_confluent_kafka_reads(
    broker: EmbeddedBroker, consumer: Consumer, records: list[Given], most: int
) -> None:
    fill(broker, records)
    consumer.assign(PLACES)
    found = read(consumer, len(records), most)
    rows = [row for messages in found for row in rows_of(messages)]
    assert sorted(rows, key=lambda row: row[:2]) == sorted(
        as_others_read(broker, len(records)), key=lambda row: row[:2]
    )
    for partition in range(PARTITIONS):  # in order
        offsets = [row[1] for row in rows if row[0] == partition]
        assert offsets == list(range(len(offsets)))


def test_values_and_keys_stand_in_one_buffer_where_all_have_one(
    broker: EmbeddedBroker, consumer: Consumer
) -> None:
    fill(broker, [(b"k", b"v" * (i % 3), []) for i in range(10)])
    consumer.assign(PLACES)
    for messages in read(consumer, 10):
        values = messages.values
        assert isinstance(values, Slices)
        assert isinstance(messages.keys, Slices)
        assert np.shares_memory(
            values.with_room()[0], values.buffer
        )  # nothing is copied for the scan


def test_headers_outlive_the_client(broker: EmbeddedBroker) -> None:
    fill(broker, [(b"k", b"v", [("a", b"%d" % i)]) for i in range(4)])
    with closing(consumer_of(broker.bootstrap_servers)) as consumer:
        consumer.assign(PLACES)
        found = read(consumer, 4, most=1)
    assert sorted(str(messages.headers(0)) for messages in found) == [
        f"[('a', b'{i}')]" for i in range(4)
    ]


def test_it_reads_no_more_than_it_is_asked_for(broker: EmbeddedBroker, consumer: Consumer) -> None:
    fill(broker, [(None, b"%d" % i, []) for i in range(50)])
    consumer.assign(PLACES)
    assert max(map(len, read(consumer, 50, most=7))) <= 7


def test_the_end_of_a_partition_is_told_behind_its_records(
    broker: EmbeddedBroker, consumer: Consumer
) -> None:
    fill(broker, [(None, b"v", [])] * 4)
    consumer.assign(PLACES)
    ends: dict[int, int] = {}
    deadline = time.monotonic() + TIMEOUT_S
    while len(ends) < PARTITIONS:
        assert time.monotonic() < deadline
        messages = consumer.read(100, 0.1)
        for failure in messages.failures if messages is not None else []:
            assert failure.error.code() == KafkaError._PARTITION_EOF
            assert failure.error.str()
            ends[failure.partition] = failure.offset
    assert ends == {0: 2, 1: 2}


def test_what_is_read_no_more_does_not_come_behind_what_is(
    broker: EmbeddedBroker, consumer: Consumer
) -> None:
    fill(broker, [(None, b"v", [])] * 400)
    consumer.subscribe([TOPIC], *[lambda one, _: one.incremental_assign([])] * 3)
    deadline = time.monotonic() + TIMEOUT_S
    for begin in range(5):
        consumer.incremental_assign([TopicPartition(TOPIC, 0, begin)])
        while (messages := consumer.read(3, 0.1)) is None or not len(messages):
            assert time.monotonic() < deadline
        assert messages.offsets[0] == begin
        consumer.incremental_unassign([TopicPartition(TOPIC, 0)])
    assert consumer.read(3, 0.2) is None


def test_a_pause_lasts_until_it_ends(broker: EmbeddedBroker, consumer: Consumer) -> None:
    consumer.assign(PLACES[:1])
    consumer.pause(PLACES[:1])
    fill(broker, [(None, b"v", [])])
    assert all(not len(found) for _ in range(5) if (found := consumer.read(9, 0.1)) is not None)
    consumer.resume(PLACES[:1])
    assert len(read(consumer, 1)) == 1


def test_what_is_committed_is_told_back(consumer: Consumer) -> None:
    offsets = [TopicPartition(TOPIC, 0, 3, "é"), TopicPartition(TOPIC, 1, 5)]
    assert [(place.partition, place.error) for place in consumer.commit(offsets)] == [
        (0, None),
        (1, None),
    ]
    assert consumer.committed(PLACES, TIMEOUT_S) == [
        Place(TOPIC, 0, 3, "é", None),
        Place(TOPIC, 1, 5, "", None),
    ]


def test_a_commit_of_a_partition_that_is_not_there_is_refused(consumer: Consumer) -> None:
    with pytest.raises(KafkaException) as caught:
        consumer.commit([TopicPartition(TOPIC, 0, 3), TopicPartition("missing", 0, 3)])
    assert caught.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART


def test_it_tells_the_bounds_of_a_partition(broker: EmbeddedBroker, consumer: Consumer) -> None:
    fill(broker, [(None, b"v", [])] * 6)
    place = PLACES[1]
    assert consumer.get_watermark_offsets(place, TIMEOUT_S) == (0, 3)
    consumer.assign(PLACES)
    read(consumer, 6)
    assert consumer.get_watermark_offsets(place, cached=True)[1] == 3


def test_it_tells_the_partitions_of_a_topic(consumer: Consumer) -> None:
    assert consumer.partitions(TOPIC, TIMEOUT_S) == {0, 1}
    with pytest.raises(KafkaException):
        consumer_of("127.0.0.1:1").partitions(TOPIC, 0.1)


def test_a_topic_without_partitions_is_told_apart(
    consumer: Consumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The embedded broker makes every topic that it is asked for.
    monkeypatch.setattr(consumer, "_topic", lambda _: consumer.__class__._topic(consumer, "a b"))
    with pytest.raises(MissingTopicError) as caught:
        consumer.partitions(TOPIC, TIMEOUT_S)
    assert caught.value.args[0].code()


def test_it_complains_where_nobody_answers() -> None:
    told: list[KafkaError] = []
    with closing(consumer_of("127.0.0.1:1", told.append)) as consumer:
        deadline = time.monotonic() + TIMEOUT_S
        while not told and time.monotonic() < deadline:
            assert consumer.read(1, 0.1) is None
    codes = {error.code() for error in told}
    assert codes <= {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}
    assert codes


def test_its_own_lines_go_to_the_logger(caplog: pytest.LogCaptureFixture) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    with closing(consumer_of("127.0.0.1:1", log_level=6)) as consumer:
        while not any("Connection refused" in line for line in caplog.messages):
            assert time.monotonic() < deadline
            consumer.read(1, 0.1)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_what_a_callback_raises_comes_out_of_the_read_and_the_group_has_its_answer(
    consumer: Consumer, kind: type[BaseException]
) -> None:
    harm = [kind("harm")]

    def fail(one: Consumer, _: list[Place]) -> None:
        if harm:
            raise harm.pop()
        one.incremental_unassign([])

    consumer.subscribe([TOPIC], fail, fail, fail)
    with pytest.raises(kind, match="harm"):
        read(consumer, 1)
    assert consumer.read(1, 0.2) is None  # once, and nothing is read that nobody asked for


@pytest.mark.parametrize("option", ["fetch.wait.max.ms", "no.such.option"])
def test_an_option_that_is_refused_is_told(option: str) -> None:
    with pytest.raises(KafkaException, match=option):
        consumer_of("127.0.0.1:1", complain=lambda _: None, **{option: "x"})


def test_nothing_but_a_close_can_be_asked_of_a_closed_one(consumer: Consumer) -> None:
    consumer.close()
    consumer.close()
    for request in (
        lambda: consumer.read(1, 0.1),
        consumer.unsubscribe,
        lambda: consumer.commit(PLACES),
        lambda: consumer.committed(PLACES, 0.1),
        consumer.consumer_group_metadata,
    ):
        with pytest.raises(RuntimeError, match="closed"):
            request()


def test_a_read_ends_once_partitions_have_come(consumer: Consumer) -> None:
    owned: list[int] = []

    def take(one: Consumer, places: list[Place]) -> None:
        owned.extend(place.partition for place in places)
        one.incremental_assign([])

    consumer.subscribe([TOPIC], take, take, take)
    assert consumer.read(1, 1_000.0) is None  # longer than a test may last
    assert owned == [0, 1]


LEFT_BEHIND = """
    import gc, logging, time
    from confluent_kafka import TopicPartition
    from consumers.demo.embedded import EmbeddedBroker
    from consumers.kafka.config import EMBEDDED, consumer_config
    from consumers.kafka.consumer import Consumer

    def use(address):
        options = consumer_config({"bootstrap.servers": address, **EMBEDDED}, "group", None)
        consumer = Consumer(options, lambda _: None, logging.getLogger())
        owned = []
        def take(one, places):
            owned.extend(places)
            one.incremental_assign([])
        consumer.subscribe(["events"], take, take, take)
        while not owned:
            consumer.read(1, 0.1)
        consumer.incremental_assign([TopicPartition("events", 0, 0)])
        consumer.read(1, 0.1)

    with EmbeddedBroker() as broker:
        broker.create_topic("events", 1)
        use(broker.bootstrap_servers)
        gc.collect()
        print("over")
"""


def test_one_that_is_left_behind_harms_nobody() -> None:
    command = [sys.executable, "-c", textwrap.dedent(LEFT_BEHIND)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "over\n"), done.stderr


def test_it_gives_back_what_it_takes(broker: EmbeddedBroker, consumer: Consumer) -> None:
    """Messages that were not given back would keep the buffers that they came in."""
    fill(broker, [(b"k", b"v" * 5_000, [("h", b"h" * 5_000)]) for _ in range(500)])
    consumer.subscribe([TOPIC], *[lambda one, _: one.incremental_assign([])] * 3)

    def turn() -> int:
        consumer.incremental_assign(PLACES)
        read(consumer, 500)
        consumer.incremental_unassign(PLACES)
        gc.collect()
        return resident_kb()

    before = max(turn() for _ in range(5))
    assert max(turn() for _ in range(20)) < before + 50_000  # 100 MB have gone by


def resident_kb() -> int:
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123 no file on a disk
        found = next(line for line in file if line.startswith("VmRSS"))
    return int(found.split()[1])


def test_columns_are_of_the_types_that_kernels_are_compiled_for(
    broker: EmbeddedBroker, consumer: Consumer
) -> None:
    fill(broker, [(b"k", b"v", [])] * 4)
    consumer.assign(PLACES)
    warm_up()
    (messages, *_) = read(consumer, 4)
    compiled: Any = take
    assert len(compiled.signatures) == 1  # nothing is compiled for the first read
    for column in (messages.partitions, messages.offsets, messages.time_ms):
        assert column.dtype == np.int64
        assert column.flags.c_contiguous
        assert column.flags.writeable
