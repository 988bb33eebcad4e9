"""What is gathered from a real broker while a transaction is open, and after it."""

import json
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.brokers.kafka import Kafka
from tests.chaos.checker import check
from tests.chaos.evidence import Committed, Evidence, Model, Where, gather
from tests.chaos.violations import Violation

TIMEOUT_S = 30.0
POINTER = json.dumps({"key": "none", "sha256": "", "epoch": 1})


def prepared(kafka: Kafka, store: Path) -> Where:
    events, predictions, letters = (kafka.create_topic(count) for count in (2, 1, 1))
    group = kafka.unique("group")
    where = Where(kafka.bootstrap_servers, events, predictions, letters, group, store)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(where.topic, b"{", b"k", 1, headers=[("a", b"1"), ("a", b"2"), ("b", None)])
    producer.produce(where.topic, None, None, 1)
    assert producer.flush(TIMEOUT_S) == 0
    return where


def transaction(where: Where) -> Producer:
    """Open a transaction that holds a prediction, a dead letter and an offset."""
    config = {"bootstrap.servers": where.bootstrap}
    producer = Producer({**config, "transactional.id": where.group})
    producer.init_transactions(TIMEOUT_S)
    producer.begin_transaction()
    for topic in (where.predictions, where.dead_letters):
        producer.produce(topic, b"{}")
    assert producer.flush(TIMEOUT_S) == 0
    consumer = Consumer({**config, "group.id": where.group})
    places = [TopicPartition(where.topic, 1, 2, POINTER)]
    producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata(), TIMEOUT_S)
    consumer.close()
    return producer


def open_in(evidence: Evidence) -> list[Violation]:
    found = check(evidence, delivery="exactly_once", scope="partition", complete=False)
    return [each for each in found if each.rule == "O6"]


def test_what_an_open_transaction_holds_is_not_read_but_told(kafka: Kafka, tmp_path: Path) -> None:
    where = prepared(kafka, tmp_path)
    producer = transaction(where)
    during = gather(where, Model(), pending_s=1.0)
    assert during.predictions == {0: []} == during.dead_letters
    assert not during.offsets_stable
    assert len(open_in(during)) == 3
    producer.commit_transaction(TIMEOUT_S)
    after = gather(where, Model())
    assert [record.value for record in after.predictions[0]] == [b"{}"]
    assert after.committed == {1: Committed(2, POINTER)}
    assert open_in(after) == []
    assert [(r.offset, r.key, r.value) for r in after.input[1]] == [
        (0, b"k", b"{"),
        (1, None, None),
    ]
    assert after.input[1][0].headers == {"a": b"2", "b": None}
    assert after.input[0] == []


def test_an_aborted_transaction_leaves_nothing_to_judge(kafka: Kafka, tmp_path: Path) -> None:
    where = prepared(kafka, tmp_path)
    transaction(where).abort_transaction(TIMEOUT_S)
    after = gather(where, Model())
    assert after.predictions == {0: []} == after.dead_letters
    assert after.committed == {}
    assert open_in(after) == []
