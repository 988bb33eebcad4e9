import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from consumers.demo.embedded import EmbeddedBroker
from producers.mapping import Record
from producers.pacing import Pace
from producers.replay import Replay, ReplayError, ReplayOptions, open_producer

DEADLINE_S = 20.0


def records(number: int) -> list[Record]:
    return [(b"k%d" % i, b"v%d" % i) for i in range(number)]


class FakeTime:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.naps: list[float] = []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now_s += seconds


class StubProducer:
    """Takes records until its queue is full; `poll` empties the queue."""

    def __init__(self, time_: FakeTime, room: int = 10**9, failing: Iterable[int] = ()) -> None:
        self.sent: list[tuple[float, bytes | None, int]] = []
        self.refusals = 0
        self.flushed = False
        self.never_acknowledged = 0
        self.raising: KafkaException | None = None
        self.on_poll: Callable[[], None] = lambda: None
        self._time, self._room, self._failing = time_, room, set(failing)
        self._reports: list[Callable[[], None]] = []

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        *,
        on_delivery: Callable[[Any, Any], None],
    ) -> None:
        assert (topic, key is None) == ("t", value is None)
        if self.raising:
            raise self.raising
        if len(self._reports) >= self._room:
            self.refusals += 1
            raise BufferError
        number = len(self.sent)
        error = SimpleNamespace(str=lambda: f"lost {number}") if number in self._failing else None
        self.sent.append((self._time.now_s, value, partition))
        self._reports.append(lambda: on_delivery(error, None))

    def poll(self, timeout: float) -> int:
        self.on_poll()
        self._time.now_s += timeout if len(self._reports) >= self._room else 0
        reports, self._reports = self._reports, []
        for report in reports:
            report()
        return len(reports)

    def flush(self, timeout: float) -> int:
        self._time.now_s += timeout
        self.poll(0)
        self.flushed = True
        return self.never_acknowledged


def replay(producer: StubProducer, time_: FakeTime, **options: Any) -> Replay:
    settings = ReplayOptions(
        rate=options.pop("rate", None), partition=options.pop("partition", None)
    )
    return Replay(producer, "t", settings, clock=time_.clock, sleep=time_.sleep, **options)


def test_all_records_go_out_in_order_and_are_flushed() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    result = replay(producer, time_).run(records(1000))
    assert [value for _, value, _ in producer.sent] == [value for _, value in records(1000)]
    assert (result.sent, producer.flushed, time_.naps) == (1000, True, [])


def test_a_tombstone_can_be_sent() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    replay(producer, time_).run([(None, None)])
    assert producer.sent == [(0.0, None, -1)]


def test_a_fixed_partition_takes_everything() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    replay(producer, time_, partition=0).run(records(10))
    assert {partition for *_, partition in producer.sent} == {0}


@pytest.mark.parametrize("rate", [0.5, 10.0, 99.0, 5000.0])
def test_events_go_out_at_the_rate_that_was_asked_for(rate: float) -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    replay(producer, time_, rate=rate).run(records(200))
    for number, (sent_s, *_) in enumerate(producer.sent):
        assert sent_s == pytest.approx(number / rate, abs=0.0101)


def test_time_lost_is_not_made_up_by_a_flood() -> None:
    pace = Pace(100.0)
    assert pace.wait_s(0.0) == 0.0
    waits = [pace.wait_s(60.0) for _ in range(100)]  # a minute later: 6,000 events behind
    assert 10 <= sum(wait == 0.0 for wait in waits) <= 12  # a tenth of a second's worth at once
    assert waits[-1] == pytest.approx(0.89, abs=0.02)  # then in step


def test_naps_are_short_enough_to_hear_a_stop() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    stops: list[Callable[[], None]] = []
    sending = replay(producer, time_, rate=0.01, on_progress=lambda _: stops[0]())
    stops.append(sending.stop)
    assert sending.run(records(5)).sent < 5
    assert max(time_.naps) <= 0.1
    assert producer.flushed


def test_a_full_queue_is_waited_for_and_nothing_is_lost() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_, room=7)
    assert replay(producer, time_).run(records(50)).sent == 50
    assert producer.refusals > 0
    assert [value for _, value, _ in producer.sent] == [value for _, value in records(50)]


def test_a_queue_that_stays_full_does_not_hold_up_a_stop() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_, room=0)
    sending = replay(producer, time_)
    producer.on_poll = sending.stop
    assert sending.run(records(3)).sent == 0


def test_nothing_is_sent_while_the_hook_holds_it() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    asked: list[int] = []

    def may_send(sent: int) -> bool:
        asked.append(sent)
        return time_.now_s >= 1.0 or sent < 3

    replay(producer, time_, may_send=may_send).run(records(5))
    assert [sent_s >= 1.0 for sent_s, *_ in producer.sent] == [False, False, False, True, True]
    assert set(asked) == {0, 1, 2, 3, 4}


def test_a_stop_is_heard_while_the_hook_holds() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    sending = replay(producer, time_, may_send=lambda _: False)
    producer.on_poll = sending.stop
    assert sending.run(records(5)).sent == 0


def test_progress_is_told_ten_times_a_second_and_at_the_end() -> None:
    time_ = FakeTime()
    told: list[int] = []
    replay(StubProducer(time_), time_, rate=100.0, on_progress=told.append).run(records(100))
    assert told == sorted(told)
    assert told[-1] == 100
    assert 8 <= len(told) <= 11


def test_a_failed_delivery_stops_the_replay_and_is_told() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_, failing=[0, 5])
    with pytest.raises(ReplayError, match="topic t: 2 records not delivered: lost 0"):
        replay(producer, time_).run(records(1000))
    assert len(producer.sent) < 1000
    assert producer.flushed


def test_a_record_that_the_client_refuses_is_told() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    producer.raising = KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    with pytest.raises(ReplayError, match="1 records not delivered: Broker: Message size"):
        replay(producer, time_).run(records(3))


def test_records_that_kafka_never_acknowledges_are_told_after_a_deadline() -> None:
    time_ = FakeTime()
    producer = StubProducer(time_)
    producer.never_acknowledged = 3
    with pytest.raises(ReplayError, match="3 records not acknowledged within 30 s"):
        replay(producer, time_).run(records(3))
    assert 30 <= time_.now_s < 31


def test_what_the_records_raise_goes_through_after_a_flush() -> None:
    def breaking_off() -> Iterator[Record]:
        yield from records(3)
        raise LookupError("broke off")

    time_ = FakeTime()
    producer = StubProducer(time_)
    with pytest.raises(LookupError, match="broke off"):
        replay(producer, time_).run(breaking_off())
    assert (len(producer.sent), producer.flushed) == (3, True)


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        yield running


def read_back(broker: EmbeddedBroker, topic: str, number: int, partitions: int) -> list[Any]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "read-back",
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    messages: list[Any] = []
    deadline_s = time.monotonic() + DEADLINE_S
    while len(messages) < number and time.monotonic() < deadline_s:
        messages += [m for m in consumer.consume(number, 0.05) if m.error() is None]
    consumer.close()
    return messages


def test_records_arrive_in_order_on_one_partition(broker: EmbeddedBroker) -> None:
    partitions = broker.create_topic("in-order", 2)
    producer = open_producer({"bootstrap.servers": broker.bootstrap_servers})
    sent = [*records(300), (None, b"{broken"), (b"k", b"")]
    result = Replay(producer, "in-order", ReplayOptions(partition=0)).run(sent)
    messages = read_back(broker, "in-order", len(sent), partitions)
    assert [(m.key(), m.value()) for m in messages] == sent
    assert {m.partition() for m in messages} == {0}
    assert (result.sent, result.seconds > 0) == (len(sent), True)


def test_keys_go_where_java_clients_put_them(broker: EmbeddedBroker) -> None:
    partitions = broker.create_topic("by-key", 4)
    producer = open_producer({"bootstrap.servers": broker.bootstrap_servers})
    Replay(producer, "by-key").run([(b"21", b"a"), (b"foobar", b"b"), (b"abc", b"c")])
    messages = read_back(broker, "by-key", 3, partitions)
    # Kafka's own UtilsTest: murmur2 of these keys; positive (and 0x7fffffff), modulo partitions.
    hashes = {b"21": -973932308, b"foobar": -790332482, b"abc": 479470107}
    expected = {key: (hash_ & 0x7FFFFFFF) % partitions for key, hash_ in hashes.items()}
    assert {m.key(): m.partition() for m in messages} == expected


def test_a_replay_is_stopped_from_another_thread(broker: EmbeddedBroker) -> None:
    broker.create_topic("stopped", 1)
    producer = open_producer({"bootstrap.servers": broker.bootstrap_servers})
    sending = Replay(producer, "stopped", ReplayOptions(rate=1000.0))
    endless = ((None, b"v") for _ in iter(int, 1))
    results: list[int] = []
    thread = threading.Thread(target=lambda: results.append(sending.run(endless).sent))
    thread.start()
    sending.stop()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert len(results) == 1


def test_an_option_of_the_user_wins_and_an_unknown_one_is_refused() -> None:
    with pytest.raises(KafkaException, match="nonsense"):
        open_producer({"bootstrap.servers": "127.0.0.1:1", "nonsense": "1"})
    with pytest.raises(KafkaException, match="lz5"):
        open_producer({"bootstrap.servers": "127.0.0.1:1", "compression.type": "lz5"})
