"""What `on_reset` and `on_gap` make of offsets, checkpoints and topics that do not fit together.

Damaged checkpoints are in test_retrieval.py.
"""

import logging
import os
from pathlib import Path

import pytest

from consumers.errors import OffsetsLostError
from consumers.kafka.source import Committed
from tests.lineages import Group, restart

OFFSETS = {0: 7, 1: 2}


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path, {0: 9, 1: 9})


# on_reset: no offsets


@pytest.mark.parametrize(
    ("on_reset", "start", "offsets"),
    [
        ("follow_kafka", "earliest", {0: 1, 1: 0}),
        ("follow_kafka", "latest", {0: 9, 1: 9}),
        ("follow_checkpoint", "latest", OFFSETS),
    ],
)
def test_row_34_lost_offsets_are_replaced_as_on_reset_says(
    group: Group, on_reset: str, start: str, offsets: dict[int, int]
) -> None:
    pointer = group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    group.offsets.clear()
    group.firsts[0] = 1
    found = group.find(on_reset=on_reset, start=start)
    assert found == restart(pointer, offsets, learned=OFFSETS)


@pytest.mark.parametrize(("on_reset", "offset"), [("follow_kafka", 2), ("follow_checkpoint", 2)])
def test_row_34_one_lost_offset_is_replaced_by_the_checkpoints(
    group: Group, on_reset: str, offset: int
) -> None:
    pointer = group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    del group.offsets[1]
    assert group.find(on_reset=on_reset) == restart(pointer, {0: 7, 1: offset})


def test_row_34_a_partition_that_the_followed_checkpoint_does_not_know_is_read_from_its_start(
    group: Group,
) -> None:
    pointer = group.commit({0: 7}, group.commit({0: 3}))
    group.offsets.clear()
    group.firsts[1] = 4
    found = group.find(on_reset="follow_checkpoint", start="latest")
    assert found == restart(pointer, {0: 7, 1: 4}, learned={0: 7})


@pytest.mark.parametrize("on_reset", ["follow_kafka", "follow_checkpoint"])
def test_row_38_the_newest_checkpoint_is_told_by_its_epoch_and_never_by_time(
    group: Group, on_reset: str
) -> None:
    pointers = [group.commit({0: 1, 1: 1})]
    for learned in range(2, 5):
        pointers.append(group.commit({0: learned, 1: learned}, pointers[-1]))
    for seconds, pointer in enumerate(reversed(pointers)):
        os.utime(group.path(pointer), (seconds, seconds))
    group.offsets.clear()
    assert group.find(on_reset=on_reset).lineage.parent == pointers[-1]


def test_row_38_of_several_of_the_highest_epoch_the_one_that_learned_most_is_the_newest(
    group: Group,
) -> None:
    first = group.commit({0: 1, 1: 1})
    group.save({0: 2, 1: 2}, first)
    most = group.save({0: 3, 1: 4}, first)
    group.save({0: 4, 1: 2}, first)
    group.offsets.clear()
    assert group.find(on_reset="follow_checkpoint") == restart(most, {0: 3, 1: 4})


# on_reset: offsets that do not fit


@pytest.mark.parametrize(
    ("on_reset", "offsets"),
    [("follow_kafka", {0: 5, 1: 2}), ("follow_checkpoint", OFFSETS)],
)
@pytest.mark.parametrize("with_pointer", [True, False])
def test_row_35_offsets_that_were_reset_are_followed_or_not(
    group: Group, on_reset: str, offsets: dict[int, int], *, with_pointer: bool
) -> None:
    pointer = group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    group.offsets[0] = Committed(5, pointer.to_metadata() if with_pointer else "")
    assert group.find(on_reset=on_reset) == restart(pointer, offsets, learned=OFFSETS)


@pytest.mark.parametrize(
    ("on_reset", "offsets"),
    [("follow_kafka", {0: 5, 1: 6}), ("follow_checkpoint", OFFSETS)],
)
def test_row_35_where_no_pointer_is_left_the_newest_of_the_store_is_the_model(
    group: Group, on_reset: str, offsets: dict[int, int]
) -> None:
    pointer = group.commit(OFFSETS)
    group.offsets = {0: Committed(5, ""), 1: Committed(6, "")}
    assert group.find(on_reset=on_reset) == restart(pointer, offsets, learned=OFFSETS)


def test_row_35_a_group_of_somebody_else_is_taken_over_where_it_stands(group: Group) -> None:
    group.offsets = {0: Committed(5, "")}
    group.firsts[1] = 3
    assert group.find(on_reset="follow_kafka", start="latest") == restart(None, {0: 5, 1: 3})


def test_row_35_without_any_checkpoint_there_is_none_to_follow(group: Group) -> None:
    group.offsets = {0: Committed(5, ""), 1: Committed(6, "")}
    with pytest.raises(OffsetsLostError, match=r"'follow_checkpoint', but checkpoint\.store"):
        group.find(on_reset="follow_checkpoint")


@pytest.mark.parametrize(
    ("on_reset", "offsets"),
    [("follow_kafka", {0: 2, 1: 3}), ("follow_checkpoint", {0: 2, 1: 2})],
)
def test_row_35_of_different_lineages_the_one_with_the_newest_pointer_is_followed(
    group: Group, on_reset: str, offsets: dict[int, int]
) -> None:
    newest = group.commit({0: 2, 1: 2}, group.commit({0: 1, 1: 1}), torn=(1,))
    group.commit({0: 3, 1: 3}, torn=(0,))
    found = group.find(on_reset=on_reset)
    assert found == restart(newest, offsets, learned={0: 2, 1: 2})


def test_row_35_of_two_pointers_of_one_epoch_the_one_of_most_partitions_is_followed(
    group: Group,
) -> None:
    group.ends[2] = 9
    first = group.commit({0: 1, 1: 1, 2: 1})
    saved = [group.save({0: 2, 1: 2, 2: 2}, first) for _ in range(2)]
    most, other = sorted(saved, key=lambda pointer: pointer.key)
    group.point(other, {0: 2})
    group.point(most, {1: 2, 2: 2})
    assert group.find(on_reset="follow_checkpoint") == restart(most, {0: 2, 1: 2, 2: 2})


def test_row_35_the_next_epoch_is_above_all_that_the_store_has_seen(group: Group) -> None:
    first = group.commit({0: 1, 1: 1})
    second = group.save({0: 2, 1: 2}, first)
    group.save({0: 3, 1: 3}, second)
    assert group.find().lineage.epoch == 1
    group.offsets[0] = Committed(0, "")
    found = group.find(on_reset="follow_checkpoint")
    assert (found.lineage.parent, found.lineage.epoch) == (first, 3)


@pytest.mark.parametrize("on_reset", ["follow_kafka", "follow_checkpoint"])
def test_row_35_what_is_followed_is_told(
    group: Group, on_reset: str, caplog: pytest.LogCaptureFixture
) -> None:
    group.point(group.commit(OFFSETS), {0: 5})
    group.find(on_reset=on_reset)
    assert f"offsets were reset; going on, as learning.on_reset = '{on_reset}'" in caplog.text


# on_reset: a topic that was made anew


@pytest.mark.parametrize(
    ("start", "offsets"), [("earliest", {0: 0, 1: 0}), ("latest", {0: 4, 1: 3})]
)
@pytest.mark.parametrize("offsets_left", [True, False])
def test_row_32_a_topic_made_anew_is_begun_at_start_with_the_old_model(
    group: Group, start: str, offsets: dict[int, int], *, offsets_left: bool
) -> None:
    pointer = group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    group.id, group.ends = "id-2", {0: 4, 1: 3}
    if not offsets_left:
        group.offsets.clear()
    found = group.find(on_reset="follow_kafka", start=start)
    assert found == restart(pointer, offsets, learned=OFFSETS)


def test_row_32_what_was_committed_of_the_new_topic_counts(group: Group) -> None:
    first = group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    group.id = "id-2"
    newest = group.commit({0: 1, 1: 0}, first, torn=(1,))
    assert group.find() == restart(newest, {0: 1, 1: 0})
    group.offsets[0] = Committed(2, newest.to_metadata())  # and now it was reset as well
    found = group.find(on_reset="follow_kafka")
    assert found == restart(newest, {0: 2, 1: 0}, learned={0: 1, 1: 0})


@pytest.mark.parametrize("offsets_left", [True, False])
def test_row_32_the_offsets_of_a_topic_that_is_gone_are_never_followed(
    group: Group, *, offsets_left: bool
) -> None:
    group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    group.id = "id-2"
    if not offsets_left:
        group.offsets.clear()
    with pytest.raises(OffsetsLostError, match=r"records that are gone; set .* 'follow_kafka'"):
        group.find(on_reset="follow_checkpoint")


@pytest.mark.parametrize("on_reset", ["follow_kafka", "follow_checkpoint"])
def test_row_32_an_offset_beyond_the_end_goes_on_at_the_end(group: Group, on_reset: str) -> None:
    pointer = group.commit(OFFSETS)
    group.ends[0] = 5
    with pytest.raises(OffsetsLostError, match=r"partition 0: .* 7 is beyond its end, 5: .*anew"):
        group.find()
    found = group.find(on_reset=on_reset)
    assert found == restart(pointer, {0: 5, 1: 2}, learned=OFFSETS)


# on_gap


def test_row_31_records_removed_before_they_were_read_stop(group: Group) -> None:
    group.commit(OFFSETS)
    group.firsts = {0: 7, 1: 6}
    with pytest.raises(OffsetsLostError) as caught:
        group.find(on_reset="follow_kafka")
    assert str(caught.value).startswith(
        "partition 1: the next offset is 2, the first one still there is 6: 4 records lost"
    )
    assert "learning.on_gap = 'fail'" in str(caught.value)


def test_row_31_records_removed_before_they_were_read_are_skipped_and_counted(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    pointer = group.commit(OFFSETS)
    group.firsts = {0: 7, 1: 3}
    found = group.find(on_gap="skip")
    assert found == restart(pointer, {0: 7, 1: 3}, learned=OFFSETS, skipped={1: 1})
    assert "1 records lost" in caplog.text


def test_row_31_bounds_that_move_while_they_are_asked_make_no_gap(group: Group) -> None:
    moving = iter(range(100))
    group.bounds = lambda partition: (next(moving), 100 + partition)  # type: ignore[method-assign] # retention at work
    assert group.find() == restart(None, {0: 0, 1: 1})


def test_nothing_is_told_of_a_start_in_order(
    group: Group, caplog: pytest.LogCaptureFixture
) -> None:
    group.commit(OFFSETS, group.commit({0: 3, 1: 0}))
    with caplog.at_level(logging.DEBUG, "streamfit.recovery"):
        group.find(on_reset="follow_kafka", on_gap="skip", on_damaged="previous")
    assert caplog.text == ""
