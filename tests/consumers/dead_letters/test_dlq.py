"""`streamfit dlq` without Kafka: what letters tell, which are meant, and which go back."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from consumers.dead_letters.access import begun_at, single
from consumers.dead_letters.filters import Filters, parse_begins, parse_filters, parse_positions
from consumers.dead_letters.harmless import harmless, json_line, text_of
from consumers.dead_letters.letters import Letter, Position, Stored, headers_to_replay, read_letter
from consumers.dead_letters.outcome import NAMED, Left, Outcome, Target, obstacle
from consumers.dead_letters.reading import MOST, newest_first, oldest_first
from consumers.dead_letters.replay import DeadLetterReplay
from consumers.dead_letters.views import (
    count_lines,
    counted,
    letter_json,
    letter_lines,
    outcome_json,
    outcome_lines,
)
from consumers.errors import KafkaUnreachableError, SettingsError
from learners.events import Headers
from learners.rejections import Reason, Rejection, Stage
from producers.dead_letters import DeadLetter, dead_letter, undeliverable
from tests.records import records_of

NOW_MS = 1_700_000_000_000
HERE = Position(0, 7)
TARGET = Target("events", partitions=4, max_attempts=3)
NASTY = "\x1b[2J\x07\r\n\x9b31m\u202e\x7f"


def stored(
    value: bytes | None = b"{",
    key: bytes | None = b"key",
    headers: Headers | None = None,
    stage: Stage = Stage.DECODE,
    at: Position = HERE,
) -> Stored:
    """Give a dead letter as `run` writes it and the topic holds it."""
    records = records_of([value], keys=[key], partition=3, first=41, headers=headers)
    rejection = Rejection(0, stage, Reason.MALFORMED, "a fault")
    return in_topic(dead_letter(records, rejection, "1.2.3"), at)


def in_topic(letter: DeadLetter, at: Position = HERE) -> Stored:
    return Stored(at, NOW_MS, letter.key, letter.value, letter.headers)


def told(record: Stored) -> Letter:
    return read_letter(record, keep=100)


def foreign(at: Position, stage: str = "decode", time_ms: int = NOW_MS) -> Stored:
    return Stored(at, time_ms, None, b"x", [("streamfit.error.stage", stage.encode())])


def test_a_letter_tells_where_its_record_came_from_and_why() -> None:
    letter = told(stored())
    assert (letter.stage, letter.reason, letter.detail) == ("decode", "malformed", "a fault")
    origin = letter.origin
    assert (origin.topic, origin.partition, origin.offset) == ("events", 3, 41)
    assert (origin.time_ms, letter.version, letter.attempts) == (41_000, "1.2.3", 0)
    assert letter.cut == ()
    assert (letter.value.data, letter.value.kept, letter.value.length) == (b"{", 1, 1)


def test_a_cut_letter_tells_what_is_missing_and_how_long_it_was() -> None:
    many: Headers = [("header", b"h" * 100)] * 10_000
    letter = told(stored(b"v" * 2_000_000, b"k" * 1_000_000, many))
    assert letter.cut == ("key", "value", "headers")
    assert (letter.value.length, letter.value.kept) == (2_000_000, 100_000)
    assert letter.key.length == 1_000_000
    assert letter.value.data == b"v" * 100


def test_a_letter_whose_headers_could_not_be_read_is_not_whole_and_stays() -> None:
    headers: Headers = [*stored().headers, ("streamfit.error.headers.unreadable", b"not UTF-8")]
    letter = told(Stored(HERE, NOW_MS, None, b"x", headers))
    assert letter.cut == ("headers",)
    assert obstacle(letter, TARGET) is Left.CUT


def test_a_record_that_streamfit_did_not_write_is_told_as_far_as_it_goes() -> None:
    letter = told(Stored(Position(0, 0), -1, None, None, [("a", b"b")]))
    assert (letter.stage, letter.reason, letter.origin.topic) == (None, None, None)
    assert obstacle(letter, TARGET) is Left.NOT_OURS


def test_bad_input_31_headers_that_make_no_sense_are_taken_as_unknown() -> None:
    headers: Headers = [
        ("streamfit.error.stage", None),
        ("streamfit.error.reason", b"\xff"),
        ("streamfit.error.partition", "9" * 5000),
        ("streamfit.error.offset", "1e3"),
        ("streamfit.error.timestamp", "٣"),
        ("streamfit.error.value.length", ""),
    ]
    letter = told(Stored(Position(0, 0), NOW_MS, None, b"value", headers))
    origin = letter.origin
    assert (letter.stage, letter.reason) == ("", "\ufffd")
    assert (origin.partition, origin.offset, origin.time_ms) == (None, None, None)
    assert letter.value.length == 5


def test_a_record_that_came_with_error_headers_is_told_by_those_of_its_own_error() -> None:
    sent: Headers = [
        ("streamfit.error.stage", b"produce"),
        ("streamfit.error.topic", b"elsewhere"),
        ("streamfit.error.value.sha256", b"00"),
    ]
    record = stored(headers=sent)
    letter = told(record)
    assert (letter.stage, letter.origin.topic, letter.cut) == ("decode", "events", ())
    assert headers_to_replay(record, 1) == [("streamfit.replay.attempt", b"1")]


def test_own_headers_go_back_as_they_were_with_the_attempt_behind_them() -> None:
    own: Headers = [("a", b"\xff"), ("a", b"again"), ("b", None)]
    again: Headers = [("streamfit.replay.attempt", b"1"), *own]
    record = stored(headers=again)
    assert told(record).attempts == 1
    assert headers_to_replay(record, 2) == [*own, ("streamfit.replay.attempt", b"2")]


@pytest.mark.parametrize("content", [b"", b"x", None, b"-4", b"9" * 100])
def test_an_attempt_header_that_makes_no_sense_counts_as_none(content: bytes | None) -> None:
    assert told(stored(headers=[("streamfit.replay.attempt", content)])).attempts == 0


def test_what_a_letter_lacks_keeps_it_from_going_back() -> None:
    def why(record: Stored, **changed: Any) -> Left | None:
        return obstacle(told(record), replace(TARGET, **changed))

    assert why(stored()) is None
    assert why(stored(stage=Stage.LEARN)) is None
    assert why(stored(stage=Stage.PRODUCE)) is Left.PREDICTION
    assert why(in_topic(undeliverable(b"k", b'{"partition":0,"offset":1}'))) is Left.PREDICTION
    assert why(stored(), topic="others") is Left.OTHER_TOPIC
    assert why(stored(b"v" * 10**6)) is Left.CUT
    assert why(stored(key=b"k" * 10**6)) is Left.CUT
    assert why(stored(key=None), partitions=3) is Left.NO_PARTITION
    assert why(stored(), partitions=3) is None
    assert why(stored(headers=[("streamfit.replay.attempt", b"3")])) is Left.ATTEMPTS
    assert why(stored(headers=[("streamfit.replay.attempt", b"2")])) is None


@pytest.mark.parametrize(
    ("since", "ms"),
    [
        ("2h", NOW_MS - 7_200_000),
        ("30", NOW_MS - 30_000),
        ("2023-11-14", 1_699_920_000_000),
        ("2023-11-14T08:00", 1_699_948_800_000),
        ("2023-11-14T08:00+02:00", 1_699_941_600_000),
        ("2023-11-14T08:00Z", 1_699_948_800_000),
        ("0001-01-01T00:00+23:00", 0),
    ],
)
def test_since_is_a_duration_or_a_time_in_utc(since: str, ms: int) -> None:
    filters = parse_filters([], [], since, NOW_MS)
    assert filters.since_ms == ms
    assert filters.fit(replace(told(stored()), time_ms=ms))
    assert not filters.fit(replace(told(stored()), time_ms=ms - 1))


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda: parse_filters(["decod"], [], None, 0), "--stage = 'decod': not known; one of dec"),
        (lambda: parse_filters([], ["bad"], None, 0), "--reason = 'bad': not known; one of empty"),
        (lambda: parse_filters([], [], "soon", 0), "--since = 'soon': neither a duration nor a"),
        (lambda: parse_positions("--partition-offset", ["1"]), "--partition-offset = '1': not a"),
        (lambda: parse_positions("--partition-offset", ["-1:2"]), "write PARTITION:OFFSET"),
        (lambda: parse_begins(["0:x"]), "--from-offset = '0:x': not a place"),
        (lambda: parse_begins(["0:1", "0:2"]), "partition 0 is named twice"),
        (lambda: begun_at({0: (0, 9)}, {1: 0}), "--from-offset = '1:0': no such partition"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused_in_one_line(
    read: Callable[[], object], text: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read()
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_filters_hold_together_and_each_takes_several() -> None:
    letter = told(stored())
    assert Filters().fit(letter)
    assert parse_filters(["label", "decode"], ["malformed"], None, 0).fit(letter)
    assert not parse_filters(["decode"], ["empty"], None, 0).fit(letter)
    assert not parse_filters(["label"], ["malformed"], None, 0).fit(letter)


class Topic:
    """A dead letter topic in memory; remembers what was read of it."""

    def __init__(self, *records: Stored) -> None:
        self._records = records
        self.bounds: dict[int, tuple[int, int]] = {}
        for partition in {record.at.partition for record in records}:
            offsets = [r.at.offset for r in records if r.at.partition == partition]
            self.bounds[partition] = (min(offsets), max(offsets) + 1)
        self.asked: list[tuple[int, int, int]] = []

    def read(self, partition: int, begin: int, end: int) -> Iterator[Stored]:
        self.asked.append((partition, begin, end))
        for record in self._records:
            if record.at.partition == partition and begin <= record.at.offset < end:
                yield record


def test_the_newest_letters_come_first_across_partitions_and_no_more_is_read_than_needed() -> None:
    many = [foreign(Position(p, o), time_ms=1000 * o + p) for p in (0, 1) for o in range(10_000)]
    topic = Topic(*many)
    letters = newest_first(topic.read, topic.bounds, told)
    found = [str(next(letters).at) for _ in range(5)]
    assert found == ["1:9999", "0:9999", "1:9998", "0:9998", "1:9997"]
    assert topic.asked == [(0, 9980, 10_000), (1, 9980, 10_000)]


def test_reading_backwards_gives_every_letter_once_by_steps_of_a_bounded_size() -> None:
    topic = Topic(*(foreign(Position(0, o), time_ms=o) for o in range(17, 9_000)))
    found = [letter.at.offset for letter in newest_first(topic.read, topic.bounds, told)]
    assert found == list(range(8_999, 16, -1))
    assert max(end - begin for _, begin, end in topic.asked) == MOST


def test_bad_input_36_gaps_in_the_offsets_are_passed_over() -> None:
    topic = Topic(*(foreign(Position(0, o), time_ms=o) for o in (0, 1, 500, 501)))
    found = [letter.at.offset for letter in newest_first(topic.read, topic.bounds, told)]
    assert found == [501, 500, 1, 0]
    assert [r.at.offset for r in oldest_first(topic.read, topic.bounds)] == [0, 1, 500, 501]


def test_where_a_partition_is_to_begin_leaves_the_others_whole() -> None:
    bounds = {0: (5, 9), 1: (0, 3), 2: (0, 3)}
    assert begun_at(bounds, {0: 7, 2: 99}) == {0: (7, 9), 1: (0, 3), 2: (3, 3)}
    assert begun_at(bounds, {0: 1}) == bounds


def test_single_letters_that_are_not_there_are_told() -> None:
    topic, outcome = Topic(foreign(Position(0, 3)), foreign(Position(0, 5))), Outcome()
    asked = {Position(0, offset) for offset in (5, 4, 3, 99)}
    found = [record.at.offset for record in single(topic.read, topic.bounds, asked, outcome)]
    assert found == [3, 5]
    assert outcome.named == {Left.NOT_THERE: [Position(0, 4), Position(0, 99)]}
    with pytest.raises(SettingsError, match="no such partition"):
        single(topic.read, topic.bounds, {Position(1, 0)}, outcome)


class FakeProducer:
    """A client that acknowledges when it is polled, as far as it is told to.

    Parameters
    ----------
    room : int
        How many it takes before its queue is full.
    refuses : bytes or None
        A value whose delivery fails.
    silent : bool
        Acknowledge nothing.
    """

    def __init__(
        self, room: int = 10**6, *, refuses: bytes | None = None, silent: bool = False
    ) -> None:
        self.sent: list[tuple[bytes | None, bytes | None, int, Headers]] = []
        self._waiting: list[Callable[[], None]] = []
        self._room, self._refuses, self._silent = room, refuses, silent

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        *,
        headers: Headers,
        on_delivery: Callable[[KafkaError | None, Any], None],
    ) -> None:
        assert topic == TARGET.topic
        if value == b"no such partition":
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))
        if value == b"too large":
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if len(self._waiting) >= self._room:
            raise BufferError
        error = KafkaError(KafkaError._MSG_TIMED_OUT) if value == self._refuses else None
        self.sent.append((value, key, partition, headers))
        self._waiting.append(lambda: on_delivery(error, None))

    def poll(self, timeout: float) -> int:
        return self.flush(timeout)

    def flush(self, timeout: float) -> int:
        del timeout
        if not self._silent:
            waiting, self._waiting = self._waiting, []
            for report in waiting:
                report()
        return len(self._waiting)


def sent_back(producer: FakeProducer | None, *records: Stored, **options: Any) -> Outcome:
    outcome = Outcome()
    DeadLetterReplay(producer, TARGET).run(records, lambda _: True, outcome, **options)
    return outcome


def numbered(count: int) -> list[Stored]:
    return [stored(b"%d" % i, at=Position(i % 2, i // 2)) for i in range(count)]


def test_letters_go_back_as_they_came_and_keyless_ones_to_their_partition() -> None:
    producer = FakeProducer()
    keyless, keyed = stored(b"{", None, [("a", None)]), stored(b"\xff", b"k", at=Position(1, 2))
    outcome = sent_back(producer, keyless, keyed)
    attempt = ("streamfit.replay.attempt", b"1")
    assert producer.sent == [
        (b"{", None, 3, [("a", None), attempt]),
        (b"\xff", b"k", -1, [attempt]),
    ]
    assert (outcome.sent, outcome.left) == (2, {})
    assert outcome.ranges == {0: (7, 7), 1: (2, 2)}
    assert outcome.next_offsets == {0: 8, 1: 3}


def test_row_27_a_full_queue_is_waited_for_and_nothing_is_dropped() -> None:
    producer = FakeProducer(room=3)
    assert sent_back(producer, *numbered(20)).sent == 20
    assert [value for value, *_ in producer.sent] == [b"%d" % i for i in range(20)]


def test_a_rehearsal_sends_nothing_and_tells_the_same() -> None:
    records = [*numbered(4), stored(stage=Stage.PRODUCE, at=Position(3, 1))]
    assert sent_back(None, *records) == sent_back(FakeProducer(), *records)


def test_letters_that_are_not_meant_are_neither_sent_nor_left() -> None:
    producer, outcome = FakeProducer(), Outcome()
    meant = parse_filters(["label"], [], None, 0).fit
    DeadLetterReplay(producer, TARGET).run(numbered(3), meant, outcome)
    assert (producer.sent, outcome.sent, outcome.left) == ([], 0, {})
    assert outcome.next_offsets == {0: 2, 1: 1}


def test_a_delivery_that_fails_ends_it_and_tells_where_to_go_on() -> None:
    with pytest.raises(KafkaUnreachableError) as caught:
        sent_back(FakeProducer(room=5, refuses=b"3"), *numbered(50))
    assert "1 of 5 dead letters not acknowledged" in str(caught.value)
    assert "Message timed out" in str(caught.value)
    assert "--from-offset 0:3 --from-offset 1:1" in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_delivery_that_fails_among_single_letters_names_those_to_go_on_with() -> None:
    outcome = Outcome(next_offsets=None)
    producer = FakeProducer(room=5, refuses=b"3")
    with pytest.raises(KafkaUnreachableError, match=r"go on with --partition-offset 1:1, which"):
        DeadLetterReplay(producer, TARGET).run(numbered(50), lambda _: True, outcome)
    assert outcome_json(outcome)["next_offsets"] is None


def test_a_letter_that_the_client_refuses_ends_it_too() -> None:
    with pytest.raises(KafkaUnreachableError, match=r"1 of 1 dead letters.*--from-offset 0:7"):
        sent_back(FakeProducer(), stored(b"no such partition"))


def test_row_26_a_letter_that_is_too_large_is_left_and_the_others_go() -> None:
    producer = FakeProducer()
    outcome = sent_back(producer, stored(b"too large"), *numbered(2))
    assert (outcome.sent, outcome.left) == (2, {Left.TOO_LARGE: 1})
    assert [value for value, *_ in producer.sent] == [b"0", b"1"]


def test_no_answer_in_time_ends_it_and_tells_how_many_were_under_way() -> None:
    with pytest.raises(KafkaUnreachableError, match="4 of 4 dead letters not acknowledged") as e:
        sent_back(FakeProducer(silent=True), *numbered(4), timeout_s=0.0)
    assert "--from-offset 0:0 --from-offset 1:0" in str(e.value)


def test_a_wish_to_stop_sends_no_more_and_tells_where_it_was() -> None:
    producer, outcome = FakeProducer(), Outcome()
    sending = DeadLetterReplay(producer, TARGET)

    def records() -> Iterator[Stored]:
        yield from numbered(3)
        sending.stop()
        yield from numbered(9)

    sending.run(records(), lambda _: True, outcome)
    assert (len(producer.sent), outcome.sent, outcome.stopped) == (3, 3, True)
    assert outcome.next_offsets == {0: 2, 1: 1}
    assert "stopped before the last one" in outcome_lines(outcome, "events", dry_run=False)


def test_what_was_left_is_told_by_cause_and_only_the_first_few_by_place() -> None:
    outcome = Outcome()
    for offset in range(1000):
        outcome.leave(Position(0, offset), Left.CUT)
    (line,) = outcome_lines(outcome, "events", dry_run=False)[1:]
    assert line.startswith("left 1,000: key, value or headers were too large")
    assert line.endswith("(0:0, 0:1, 0:2, 0:3, 0:4, 0:5, 0:6, 0:7, 0:8, 0:9, ...)")
    (left,) = outcome_json(outcome)["left"]
    assert (left["why"], left["letters"], len(left["first"])) == ("cut", 1000, NAMED)


def test_a_replay_warns_that_it_is_remembered_nowhere_and_tells_how_to_leave_it_out() -> None:
    lines = outcome_lines(sent_back(FakeProducer(), *numbered(5)), "events", dry_run=False)
    assert lines[0] == "replayed 5 dead letters to events: 0:0 to 0:2, 1:0 to 1:1"
    assert "sends the same dead letters again" in lines[1]
    assert lines[1].endswith("--from-offset 0:3 --from-offset 1:2")
    dry = outcome_lines(sent_back(None, *numbered(5)), "events", dry_run=True)
    assert dry == ["would replay 5 dead letters to events: 0:0 to 0:2, 1:0 to 1:1"]


def test_counts_are_of_closed_sets_and_tell_first_and_last() -> None:
    letters = [
        *(replace(told(stored()), time_ms=time_ms) for time_ms in (3000, 1000, 2000, -1)),
        *(told(foreign(Position(0, 0), f"made up {i}")) for i in range(5)),
    ]
    made_up, malformed = counted(letters)
    assert (made_up.stage, made_up.reason, made_up.letters) == ("unknown", "unknown", 5)
    assert (malformed.letters, malformed.first_ms, malformed.last_ms) == (4, 1000, 3000)
    lines = count_lines([malformed])
    row = "decode  malformed  4  1970-01-01 00:00:01.000  1970-01-01 00:00:03.000"
    assert lines[1].split() == row.split()


def test_a_value_is_shown_only_when_asked_for() -> None:
    letter = told(stored(b"a secret", b"a name"))
    for lines in (letter_lines([letter], values=False), [str(letter_json(letter, values=False))]):
        assert not any("secret" in line or "name" in line for line in lines)
    shown = letter_lines([letter], values=True)
    assert [line.split(maxsplit=1) for line in shown[2:]] == [
        ["key", "a name"],
        ["value", "a secret"],
    ]
    assert letter_json(letter, values=True)["value"]["text"] == "a secret"


def test_a_value_is_shown_cut_and_as_base64_where_it_is_no_text() -> None:
    long = letter_json(told(stored("é".encode() * 99)), values=True)["value"]
    assert (long["text"], long["bytes"], long["shown_bytes"]) == ("é" * 50, 198, 100)
    odd = letter_json(told(stored(b"x" + "é".encode() * 99)), values=True)["value"]
    assert odd["text"] == "x" + "é" * 49  # the half of a character is left out
    assert letter_json(told(stored(b"\xff\x00")), values=True)["value"]["base64"] == "/wA="
    (line,) = [x for x in letter_lines([told(stored(b"v" * 200))], values=True) if "value" in x]
    assert line.endswith("v ... (100 of 200 bytes)")
    assert letter_json(told(stored(None, None)), values=True)["key"] is None


def test_bad_input_30_nothing_of_a_letter_drives_the_terminal() -> None:
    facts = ("stage", "reason", "detail", "topic", "partition", "version")
    headers: Headers = [(f"streamfit.error.{name}", NASTY) for name in facts]
    letter = told(Stored(Position(0, 0), 2**60, NASTY.encode(), b"\xff" + NASTY.encode(), headers))
    for line in letter_lines([letter], values=True):
        assert line.isprintable()
    as_json = json_line(letter_json(letter, values=True))
    assert as_json.isprintable()
    assert json.loads(as_json)["key"]["text"] == NASTY
    assert json.loads(as_json)["detail"] == NASTY


def test_bad_input_30_harmless_text_is_left_as_it_is_and_long_text_is_cut() -> None:
    assert harmless("Größe: 3 µm, ok") == "Größe: 3 µm, ok"
    assert harmless("a\nb\tc\x00\ud800") == "a\\nb\\tc\\x00\\ud800"
    assert harmless("x" * 1000, 10) == "x" * 10 + "..."
    assert text_of("é".encode()[:1]) is None
    assert text_of("é".encode()[:1], cut=True) == ""
