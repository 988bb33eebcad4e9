"""The checker's single rules: repeats, torn commits, history, and counters."""

import json
from dataclasses import replace

import pytest

from tests.chaos.changes import again, changed, pointing_back, predictions, repacked, without
from tests.chaos.honest_model import packed, pointer
from tests.chaos.plays import found_in, has, played
from tests.chaos.stored import parts_of


def test_a_repeat_countsagainst_the_number_of_faults() -> None:
    evidence, _ = played()
    twice = predictions(again, 0, -3, times=2)(evidence)
    assert found_in(twice, faults=2) == []
    rules = {each.rule for each in found_in(twice, faults=1)}
    assert rules == {"O3", "O8"}


def test_a_repeat_with_another_id_is_found() -> None:
    evidence, _ = played()
    twice = predictions(again, 0, -1)(evidence)
    other = predictions(changed, 0, -1, id="e999")(twice)
    assert has(found_in(other, faults=1), "O3", r"repeats have ids \['e\d+', 'e999'\]")


def test_a_repeat_that_leaves_an_event_out_is_found() -> None:
    evidence, _ = played(partitions=1)
    twice = predictions(again, 0, -5)(evidence)
    gap = predictions(without, 0, -3)(twice)
    assert has(found_in(gap, faults=1), "O8", r"offset \d+ after \d+, and \d+ comes between")


def test_a_repeat_of_a_lone_partition_must_say_the_same() -> None:
    evidence, _ = played(partitions=1)
    before = len(evidence.predictions[0])
    twice = predictions(again, 0, -5)(evidence)
    assert found_in(twice, faults=1) == []
    other = predictions(changed, 0, before - 2, probability=0.25)(twice)
    assert has(found_in(other, faults=1), "O1", r"probability 0\.25; scikit-learn says")


def test_a_torn_commit_is_allowed_until_it_is_healed() -> None:
    evidence, _ = played()
    torn = pointing_back(1, offsets_too=True)(evidence)
    assert found_in(torn, complete=False) == []
    assert has(found_in(torn), "O1", "partition 1 points to")
    assert has(found_in(torn, "exactly_once", complete=False), "O1", "partition 1 points to")


HISTORIES: dict[str, tuple[list[dict[int, tuple[int, int]]], str]] = {
    "an offset": ([{0: (5, 2)}, {0: (4, 3)}], r"offset 5 \(epoch 2\) to 4 \(epoch 3\), seen at 1"),
    "an epoch": ([{0: (5, 2)}, {0: (6, 1)}], r"to 6 \(epoch 1\)"),
    "an epoch after a while": ([{0: (5, 2)}, {0: (5, 2)}, {0: (5, 1)}], "seen at 2"),
    "the end": ([{0: (500, 2)}], "partition 0 went from offset 500"),
    "a lost offset": ([{7: (5, 2)}], "partition 7 has lost its committed offset"),
    "an offset without an epoch": ([{0: (5, 2)}, {0: (6, 2)}], "no new epoch"),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_what_goes_back_is_found(name: str) -> None:
    history, text = HISTORIES[name]
    evidence, _ = played()
    assert has(found_in(evidence, history=history), "O4", text)


def test_a_checkpoint_that_goes_behind_its_parent_is_found() -> None:
    evidence, _ = played()
    newest = json.loads(evidence.committed[0].metadata)
    child, _ = parts_of(evidence.checkpoints[newest["key"]])
    parent, former = parts_of(evidence.checkpoints[child["parent"]["key"]])
    parent["next_offsets"]["0"] += 100
    data = packed(former, parent)
    child["parent"] = pointer(child["parent"]["key"], data, newest["epoch"])
    evidence = replace(evidence, checkpoints={**evidence.checkpoints, child["parent"]["key"]: data})
    found = found_in(repacked(lambda old, _: old.update(parent=child["parent"]))(evidence))
    assert has(found, "O4", "with lower offsets of partition 0")


METRICS = {
    "streamfit_records_consumed_total": 10.0,
    "streamfit_records_decoded_total": 7.0,
    "streamfit_records_rejected_total{reason=malformed,stage=decode}": 1.0,
    "streamfit_records_rejected_total{reason=empty,stage=decode}": 1.0,
    "streamfit_records_skipped_total{reason=tombstone}": 1.0,
    "streamfit_records_learned_total": 4.0,
    "streamfit_records_unlabelled_total": 2.0,
    "streamfit_records_poisoned_total": 1.0,
    "streamfit_model_version": 3.0,
}


def test_counters_that_add_up_are_no_violation() -> None:
    evidence, _ = played()
    assert found_in(evidence, metrics=METRICS) == []


@pytest.mark.parametrize("name", [name for name in METRICS if "_records_" in name])
def test_counters_that_do_not_add_up_are_found(name: str) -> None:
    evidence, _ = played()
    found = found_in(evidence, metrics={**METRICS, name: METRICS[name] + 1})
    assert has(found, "O7", r"\d+ (consumed|decoded) are not \d+ ")


def test_a_scrape_without_counters_is_found() -> None:
    evidence, _ = played()
    assert has(found_in(evidence, metrics={}), "O7", "no sample of streamfit_records_consumed")


def test_many_violations_of_a_rule_are_told_briefly() -> None:
    evidence, _ = played()
    gone = replace(evidence, predictions={p: [] for p in evidence.predictions})
    found = [each for each in found_in(gone) if each.rule == "O2"]
    assert len(found) == 20
    assert found[-1].text == "and 42 more"
