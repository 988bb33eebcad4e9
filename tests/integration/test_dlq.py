"""`streamfit dlq` on a real broker: dead letters are looked at, sent back, and learned."""

import contextlib
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from consumers.cli import main
from learners.events import Headers
from learners.rejections import Reason, Rejection, Stage
from producers.dead_letters import dead_letter
from tests.brokers.kafka import Kafka
from tests.jobs import TIMEOUT_S, Job
from tests.records import records_of

pytestmark = pytest.mark.usefixtures("logs_as_before")

SMALL = ("--set", "limits.max_value_bytes=100")
Record = tuple[bytes | None, bytes | None]


def event(name: str, label: str = "up") -> bytes:
    value = {"id": name, "features": {"a": 1.0, "b": 2.0, "c": 3.0}, "label": label}
    return json.dumps(value).encode()


def long_event(name: str) -> bytes:
    """Make an event that only `SMALL` refuses."""
    return event(name) + b" " * 200


@dataclass(frozen=True)
class Ended:
    """A command that has come to its end."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote as JSON."""
        return json.loads(self.out)


def dlq(job: Job, command: str, *words: str) -> Ended:
    """Call a command in this process, which saves the start of another."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["dlq", command, str(job.file), *words])
    return Ended(code, out.getvalue(), err.getvalue())


def counts(job: Job, *words: str) -> dict[tuple[str, str], int]:
    """Count the dead letters by stage and reason."""
    done = dlq(job, "show", "--counts", "--json", *words)
    assert done.code == 0, done.err
    return {(c["stage"], c["reason"]): c["letters"] for c in done.json["counts"]}


def produce_raw(
    job: Job,
    records: list[Record],
    headers: Headers | None = None,
    **options: Any,
) -> None:
    """Write to the dead letter topic as something else would."""
    producer = Producer({"bootstrap.servers": job.kafka.bootstrap_servers})
    for key, value in records:
        producer.produce(job.dead_letters, value, key, headers=headers or [], **options)
    assert producer.flush(TIMEOUT_S) == 0


def refused(job: Job, records: list[Record], attempt: int = 0) -> None:
    """Write the dead letters that `run` would write of records spread over the partitions.

    It saves the start of a process where the test is about something else.
    """
    rejection = Rejection(0, Stage.DECODE, Reason.MALFORMED, "as a test says")
    own: Headers = [("origin", b"test")]
    own += [("streamfit.replay.attempt", str(attempt).encode())] if attempt else []
    for i, (key, value) in enumerate(records):
        one = records_of([value], keys=[key], partition=i % job.partitions, headers=own)
        letter = dead_letter(replace(one, topic=job.topic), rejection, "0.0")
        produce_raw(job, [(letter.key, letter.value)], letter.headers)


def headers_of(job: Job, topic: str) -> list[dict[str, Any]]:
    return [dict(message.headers() or []) for message in job.read(topic)]


def test_what_was_refused_is_counted_and_shown_newest_first(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    bad = [b"{", b"", event("x", label="sideways"), b"[]", event("y", label="sideways")]
    job.produce([(b"k", event("good")), *((b"k", value) for value in bad)])
    job.run_until(6)
    before = job.committed()
    assert counts(job) == {
        ("label", "unknown_label"): 2,
        ("decode", "malformed"): 1,
        ("decode", "empty"): 1,
        ("schema", "wrong_type"): 1,
    }
    assert counts(job, "--stage", "label") == {("label", "unknown_label"): 2}
    assert counts(job, "--since", "2100-01-01") == {}
    assert sum(counts(job, "--since", "1h").values()) == 5
    shown = dlq(job, "show", "--json", "--limit", "3").json["letters"]
    assert [letter["offset"] for letter in shown] == [4, 3, 2]
    assert [letter["source"]["offset"] for letter in shown] == [5, 4, 3]
    assert {letter["source"]["topic"] for letter in shown} == {job.topic}
    assert "text" not in shown[0]["value"]
    whole = dlq(job, "show", "--json", "--reason", "unknown_label", "--values").json["letters"]
    assert [letter["value"]["text"].encode() for letter in whole] == [bad[4], bad[2]]
    assert {letter["key"]["text"] for letter in whole} == {"k"}
    assert "sideways" not in dlq(job, "show").out
    assert job.committed() == before


def test_looking_joins_no_group_and_makes_none(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    produce_raw(job, [(None, b"anything")])
    assert dlq(job, "show").code == 0
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    listed = admin.list_consumer_groups(request_timeout=TIMEOUT_S).result(TIMEOUT_S)
    assert job.group not in {group.group_id for group in listed.valid}


def test_replayed_letters_are_learned_and_attempts_are_counted_on(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    job.produce([(b"k", event("e0")), *((b"k", long_event(f"long{i}")) for i in range(3))])
    job.run_until(4, *SMALL)
    assert counts(job) == {("decode", "too_large"): 3}
    first = dlq(job, "replay", "--json")
    assert (first.code, first.json["sent"], first.json["left"]) == (0, 3, [])
    assert first.json["ranges"] == {"0": {"first": 0, "last": 2}}
    assert first.json["next_offsets"] == {"0": 3}

    job.run_until(7, *SMALL)  # refused again: each becomes one more dead letter
    found = headers_of(job, job.dead_letters)
    assert [h.get("streamfit.replay.attempt") for h in found] == [None] * 3 + [b"1"] * 3
    shown = dlq(job, "show", "--json").json["letters"]
    assert [letter["attempts"] for letter in shown] == [1, 1, 1, 0, 0, 0]

    second = dlq(job, "replay", "--from-offset", "0:3", "--json")
    assert (second.code, second.json["sent"]) == (0, 3)
    job.run_until(10)
    assert [p["id"] for p in job.predicted()] == ["e0", "long0", "long1", "long2"]
    assert [p["model_version"] for p in job.predicted()] == [0, 1, 2, 3]
    for message in job.read(job.topic)[7:]:
        assert dict(message.headers() or []) == {
            "origin": b"test",
            "streamfit.replay.attempt": b"2",
        }
        assert message.key() == b"k"


def test_letters_replayed_too_often_are_left_and_told(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    refused(job, [(None, b"{")], attempt=2)
    refused(job, [(None, b"{")], attempt=3)
    done = dlq(job, "replay", "--json")
    assert (done.code, done.json["sent"]) == (5, 1)
    assert done.json["left"] == [
        {"why": "attempts", "letters": 1, "first": [{"partition": 0, "offset": 1}]}
    ]
    (sent,) = job.read(job.topic)
    assert dict(sent.headers() or [])["streamfit.replay.attempt"] == b"3"
    assert dlq(job, "replay", "--max-attempts", "4", "--dry-run").code == 0


def test_letters_without_a_key_go_back_to_their_partition_and_others_by_their_key(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path, partitions=3)
    as_java = {"bootstrap.servers": kafka.bootstrap_servers, "partitioner": "murmur2_random"}
    by_key = Producer(as_java)
    for i in range(6):
        by_key.produce(job.topic, b"{", f"key{i}".encode())
    assert by_key.flush(TIMEOUT_S) == 0
    there = {(m.partition(), m.key(), m.value()) for m in job.read(job.topic)}
    keyless = [(None, b"{%d" % i) for i in range(9)]
    refused(job, [*keyless, *((f"key{i}".encode(), b"{") for i in range(6))])
    assert dlq(job, "replay").code == 0
    replayed = [m for m in job.read(job.topic) if m.headers()]
    assert len(replayed) == 15
    found = {(m.partition(), m.key(), m.value()) for m in replayed}
    assert found == there | {(i % 3, None, value) for i, (_, value) in enumerate(keyless)}


def test_single_letters_are_replayed_and_missing_ones_told(kafka: Kafka, tmp_path: Path) -> None:
    job = Job(kafka, tmp_path)
    refused(job, [(None, b"{%d" % i) for i in range(4)])
    words = ("--partition-offset", "0:2", "--partition-offset", "0:0")
    dry = dlq(job, "replay", *words, "--dry-run", "--json")
    assert (dry.code, dry.json["sent"], dry.json["dry_run"]) == (0, 2, True)
    assert job.read(job.topic) == []
    assert dlq(job, "replay", *words).code == 0
    assert [m.value() for m in job.read(job.topic)] == [b"{0", b"{2"]
    missing = dlq(job, "replay", "--partition-offset", "0:99")
    assert missing.code == 5
    assert "left 1: no record is there (0:99)" in missing.out
    elsewhere = dlq(job, "replay", "--partition-offset", "7:0")
    assert elsewhere.code == 2
    assert elsewhere.err.count("\n") == 1
    assert "no such partition" in elsewhere.err


def test_what_cannot_be_replayed_is_left_and_told_while_the_others_go(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    refused(job, [(None, b"{")])
    told = {"stage": "decode", "reason": "malformed", "topic": job.topic, "partition": "0"}
    for changed in (
        {"topic": "another"},
        {"stage": "produce"},
        {"value.sha256": "00"},
        {"headers.dropped": "7"},
        {"partition": "12"},
    ):
        facts = {**told, **changed}
        produce_raw(job, [(None, b"x")], [(f"streamfit.error.{k}", v) for k, v in facts.items()])
    produce_raw(job, [(None, b"x")])
    done = dlq(job, "replay", "--json")
    assert (done.code, done.json["sent"]) == (5, 1)
    left = {each["why"]: each["letters"] for each in done.json["left"]}
    assert left == {
        "other_topic": 1,
        "prediction": 1,
        "cut": 2,
        "no_partition": 1,
        "not_ours": 1,
    }
    assert [m.value() for m in job.read(job.topic)] == [b"{"]


def test_a_letter_of_an_open_or_aborted_transaction_is_neither_shown_nor_replayed(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    headers: Headers = [
        ("streamfit.error.stage", "decode"),
        ("streamfit.error.topic", job.topic),
        ("streamfit.error.partition", "0"),
    ]
    produce_raw(job, [(None, b"before")], headers)
    producer = Producer(
        {"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": kafka.unique("tx")}
    )
    producer.init_transactions(TIMEOUT_S)
    for ends in (producer.abort_transaction, producer.commit_transaction, None):
        producer.begin_transaction()
        name = getattr(ends, "__name__", "open")
        for _ in range(30):
            producer.produce(job.dead_letters, name.encode(), headers=headers)
        assert producer.flush(TIMEOUT_S) == 0
        if ends is not None:
            ends(TIMEOUT_S)
    shown = dlq(job, "show", "--json", "--values", "--limit", "1000").json["letters"]
    values = [letter["value"]["text"] for letter in shown]
    assert values == ["commit_transaction"] * 30 + ["before"]
    assert dlq(job, "replay", "--json").json["sent"] == 31
    producer.abort_transaction(TIMEOUT_S)


def test_reading_backwards_over_many_records_finds_the_few_that_fit(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    stage = "streamfit.error.stage"
    produce_raw(job, [(None, b"first")], [(stage, "learn")])
    produce_raw(job, [(None, b"x")] * 5000, [(stage, "decode")])
    produce_raw(job, [(None, b"last")], [(stage, "learn")])
    shown = dlq(job, "show", "--json", "--stage", "learn", "--values").json["letters"]
    assert [letter["value"]["text"] for letter in shown] == ["last", "first"]
    offsets = [x["offset"] for x in dlq(job, "show", "--json", "--limit", "5002").json["letters"]]
    assert offsets == list(range(5001, -1, -1))


def test_bad_input_30_control_characters_of_a_record_do_not_reach_the_terminal(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    nasty = "\x1b[2J\x07\r\n\x9b31m\u202e\x7f"
    field = json.dumps({"id": nasty, "features": {nasty: 1}, "label": nasty}, ensure_ascii=False)
    job.produce([(nasty.encode(), nasty.encode()), (nasty.encode(), field.encode())])
    job.run_until(2)
    produce_raw(
        job,
        [(None, nasty.encode())],
        [(f"streamfit.error.{k}", nasty) for k in ("stage", "reason", "detail", "topic")],
    )
    for words in ((), ("--values",), ("--values", "--json"), ("--json",), ("--counts",)):
        told = dlq(job, "show", *words)
        assert told.code == 0, told.err
        assert told.out.replace("\n", "").isprintable()
    letters = dlq(job, "show", "--values", "--json").json["letters"]
    assert letters[0]["value"]["text"] == nasty
    assert letters[0]["stage"] == nasty


def test_a_letter_too_large_for_the_input_topic_is_left_while_the_others_go(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path, topic=kafka.create_topic(max_message_bytes=2000))
    refused(job, [(None, b"{"), (None, b"v" * 2000), (None, b"}")])
    ended = dlq(job, "replay", "--json")
    assert (ended.code, ended.json["sent"]) == (5, 2)
    assert [left["why"] for left in ended.json["left"]] == ["too_large"]
    assert [m.value() for m in job.read(job.topic)] == [b"{", b"}"]


def test_a_topic_or_a_broker_that_is_not_there_is_one_line_and_exit_code_3(
    kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    for command, override, text in (
        ("show", "output.dead_letter_topic=not-there", "output.dead_letter_topic = 'not-there'"),
        ("replay", "input.topic=not-there", "input.topic = 'not-there': no such topic"),
        ("show", "kafka.bootstrap_servers=127.0.0.1:1", "no answer from Kafka"),
    ):
        ended = dlq(job, command, "--set", override)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.count("\n") == 1
        assert text in ended.err
