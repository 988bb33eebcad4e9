"""One read on its way: what reaches the sink, and what is told of it."""

from dataclasses import replace

import msgspec
import pytest

from consumers.errors import DeadLetterLimitError
from consumers.loop.clocks import StageTimes
from learners.drift.catalogue import spec_of
from learners.drift.monitor import DriftMonitor
from learners.events import Records
from learners.model_spec import StepSpec
from metrics.facts import BatchFacts, RefusalFacts
from producers.outputs import DeliveryError
from tests.fake_sinks import FakeSink
from tests.fakes import Cluster, Item
from tests.processes import linear_learner, new_flow, new_learning
from tests.records import event, records_of

CLASSES = ("down", "up")
BAD = b'{"id":"x","features":{"a":1},"y":"up"}'


def flow_of(
    records: Records, run: int = 100
) -> tuple[Cluster, BatchFacts, DeadLetterLimitError | None]:
    cluster = Cluster()
    sink = FakeSink(cluster)
    facts, stop = new_flow(cluster, sink, new_learning(run=run))(records)
    sink.flush(1.0)
    return cluster, facts, stop


def counts_add_up(facts: BatchFacts) -> bool:
    """O7 of the faults."""
    refused = sum(facts.rejected.values())
    first = facts.consumed == facts.decoded + refused + sum(facts.skipped.values())
    return first and facts.decoded == facts.learned + facts.unlabelled + facts.poisoned


def test_good_events_are_predicted_and_learned_in_order() -> None:
    cluster, facts, stop = flow_of(records_of([event(i) for i in range(5)]))
    said = [msgspec.json.decode(value) for _, value, _ in cluster.predictions]
    assert [each["id"] for each in said] == [f"e{i}" for i in range(5)]
    assert [each["model_version"] for each in said] == list(range(5))
    assert cluster.letters == []
    assert stop is None
    assert (facts.consumed, facts.decoded, facts.learned, facts.predicted) == (5, 5, 5, 5)
    assert facts.model_version == 5
    assert counts_add_up(facts)


def test_bad_unlabelled_and_missing_records_each_get_what_they_should() -> None:
    values = [event(0), BAD, None, event(3, y=None), event(4, y="sideways"), event(1), event(2)]
    records = records_of(values, first=40)
    cluster, facts, stop = flow_of(records)
    assert stop is None
    refused = {letter.value: dict(letter.headers) for letter in cluster.letters}
    assert list(refused) == [BAD, values[4]]
    assert refused[BAD]["streamfit.error.offset"] == b"41"
    assert facts.rejected == {("schema", "missing_field"): 1, ("label", "unknown_label"): 1}
    assert facts.skipped == {"tombstone": 1}
    assert facts.unlabelled == 1
    assert facts.next_offsets == {0: 47}
    assert sum(facts.dead_letters.values()) == len(cluster.letters)
    assert facts.predicted == len(cluster.predictions)
    assert facts.consumed == len(cluster.predictions) + len(cluster.letters) + 1
    assert counts_add_up(facts)


def test_row_42_a_poisonous_event_becomes_a_dead_letter_without_a_prediction() -> None:
    # Whichever side of the line they are on, one of the two has the wrong label.
    poison = [event(30 + i, features={"a": 1e15, "b": 1e15}, y=y) for i, y in enumerate(CLASSES)]
    values = [*[event(i) for i in range(30)], *poison, *[event(i) for i in range(32, 35)]]
    cluster = Cluster()
    sink = FakeSink(cluster)
    fixed = {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01}
    learning = new_learning(linear_learner(StepSpec("SGDClassifier", fixed)))
    facts, _ = new_flow(cluster, sink, learning)(records_of(values))
    sink.flush(1.0)
    (letter,) = cluster.letters
    headers = dict(letter.headers)
    assert letter.value in poison
    assert headers["streamfit.error.stage"] == b"learn"
    assert headers["streamfit.error.reason"] == b"poisoned"
    assert len(cluster.predictions) == 34
    assert (facts.poisoned, facts.learned, facts.decoded) == (1, 34, 35)
    assert facts.dead_letters == {"learn": 1}
    assert facts.rejected == {}
    assert counts_add_up(facts)


def test_what_drift_detectors_find_is_told_with_the_batch() -> None:
    # Labels that the model can tell at first, and that mean nothing later.
    labels = [CLASSES[i % 2] if i < 300 else CLASSES[(i * i // 7) % 2] for i in range(600)]
    features = [{"a": i % 2, "b": 1 - i % 2} for i in range(600)]
    values = [event(i, features=features[i], y=labels[i]) for i in range(600)]
    learning = replace(new_learning(), drift=DriftMonitor([spec_of("ddm", {})]))
    cluster = Cluster()
    facts, _ = new_flow(cluster, FakeSink(cluster), learning)(records_of(values, first=1000))
    assert {drift.detector for drift in facts.drifts} == {"ddm"}
    assert all(1300 <= drift.offset < 1600 for drift in facts.drifts)


def test_dead_letters_come_in_the_order_of_the_records() -> None:
    values = [event(0, y="x"), b"", event(1), b"{", event(2, y="x")]
    cluster, _, _ = flow_of(records_of(values))
    offsets = [int(dict(each.headers)["streamfit.error.offset"] or b"") for each in cluster.letters]
    assert offsets == [0, 1, 3, 4]


def test_refused_records_are_told_with_reason_and_origin_and_nothing_of_what_they_held() -> None:
    values = [event(0), b"secret", event(1, y="x")]
    _, facts, _ = flow_of(records_of(values, partition=3, first=10))
    assert facts.refusals == (
        RefusalFacts("decode", "malformed", 3, 11),
        RefusalFacts("label", "unknown_label", 3, 12),
    )
    assert flow_of(records_of([event(0)]))[1].refusals == ()


def test_of_many_refused_records_the_last_ones_are_told() -> None:
    _, facts, _ = flow_of(records_of([b"{"] * 50), run=60)
    assert facts.dead_letters == {"decode": 50}
    assert [refusal.offset for refusal in facts.refusals] == list(range(30, 50))


def test_a_read_of_bad_records_alone_moves_on() -> None:
    cluster, facts, _ = flow_of(records_of([b"", BAD, None], first=7))
    assert cluster.predictions == []
    assert facts.next_offsets == {0: 10}
    assert facts.learned == 0
    assert counts_add_up(facts)


def test_next_offsets_are_told_of_every_partition_of_the_read() -> None:
    parts = [records_of([event(0), b""], first=5), records_of([None], partition=3, first=8)]
    assert flow_of(Records.joined(parts))[1].next_offsets == {0: 7, 3: 9}


def test_row_46_a_read_ends_with_the_dead_letter_that_is_one_too_many() -> None:
    values = [event(0), None, *[BAD] * 7, event(1), None]
    cluster, facts, stop = flow_of(records_of(values), run=5)
    assert isinstance(stop, DeadLetterLimitError)
    assert "the last one: schema: " in str(stop)
    assert len(cluster.letters) == 5
    assert len(cluster.predictions) == 1
    assert facts.next_offsets == {0: 7}
    assert (facts.consumed, facts.skipped) == (7, {"tombstone": 1})


def test_latency_counts_from_the_oldest_record_and_is_never_negative() -> None:
    cluster = Cluster(now=10.0)
    flow = new_flow(cluster, FakeSink(cluster), new_learning())
    facts, _ = flow(records_of([event(0), event(1)], first=4))
    assert facts.latency_seconds == pytest.approx(6.0)
    facts, _ = flow(records_of([event(0)], first=4000))
    assert facts.latency_seconds == 0.0


def test_stages_are_timed_one_after_the_other() -> None:
    ticks = iter([1.0, 1.5, 4.0])
    times = StageTimes(lambda: next(ticks))
    times.done("decode")
    times.done("step")
    assert times.seconds == {"decode": 0.5, "step": 2.5}


def test_every_stage_of_a_batch_is_told() -> None:
    _, facts, _ = flow_of(records_of([event(0)]))
    assert facts.seconds.keys() == {"decode", "step", "produce"}


def test_a_read_goes_the_same_way_however_it_is_cut() -> None:
    values = [[event(i), BAD, None, event(i, y="x")][i % 4] for i in range(24)]
    whole, _, _ = flow_of(records_of(values))
    cluster = Cluster()
    sink = FakeSink(cluster)
    flow = new_flow(cluster, sink, new_learning())
    for first, last in ((0, 1), (1, 9), (9, 24)):
        flow(records_of(values[first:last], first=first))
    sink.flush(1.0)
    assert cluster.predictions == whole.predictions
    assert cluster.letters == whole.letters


def test_row_26_a_prediction_too_large_for_its_topic_becomes_a_dead_letter_of_its_event() -> None:
    values = [event(0), BAD, event(1, id="e" * 300), event(2)]
    cluster = Cluster(max_bytes=200)
    sink = FakeSink(cluster)
    facts, _ = new_flow(cluster, sink, new_learning())(records_of(values, first=40))
    sink.flush(1.0)
    told = [dict(letter.headers) for letter in cluster.letters]
    assert [each["streamfit.error.stage"] for each in told] == [b"schema", b"produce"]
    assert told[1]["streamfit.error.reason"] == b"too_large"
    assert told[1]["streamfit.error.offset"] == b"42"
    assert b"output.topic" in (told[1]["streamfit.error.detail"] or b"")
    assert cluster.letters[1].value == values[2]
    assert len(cluster.predictions) == facts.predicted == 2
    # It was a good event, and it is learned: only nobody can be told.
    assert (facts.decoded, facts.learned) == (3, 3)
    assert facts.dead_letters == {"schema": 1, "produce": 1}
    assert facts.rejected == {("schema", "missing_field"): 1}
    assert counts_add_up(facts)


def test_predictions_that_are_too_large_do_not_count_for_the_limits() -> None:
    cluster = Cluster(max_bytes=10)
    values = [event(i) for i in range(9)]
    flow = new_flow(cluster, FakeSink(cluster), new_learning(run=3))
    facts, stop = flow(records_of(values))
    assert stop is None
    assert facts.dead_letters == {"produce": 9}


def test_what_the_sink_refuses_is_raised() -> None:
    cluster = Cluster(armed={Item.QUEUE_FULL})
    with pytest.raises(DeliveryError, match="queue"):
        new_flow(cluster, FakeSink(cluster), new_learning())(records_of([event(0)]))


def test_each_step_of_a_batch_is_reached_in_order() -> None:
    reached: list[str] = []
    cluster = Cluster()
    flow = new_flow(cluster, FakeSink(cluster), new_learning(), reached.append)
    flow(records_of([event(0)]))
    assert reached == ["decoded", "learned", "predicted"]
