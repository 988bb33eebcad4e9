"""Models at work: which records are whose, and which are committed."""

import numpy as np
import pytest

from consumers.checkpoints.pointer import Pointer, from_metadata
from consumers.checkpoints.series import Lineage
from consumers.loop.lanes import Lane, Lanes
from learners.events import Records
from tests.fake_sinks import FakeSink
from tests.fakes import Cluster
from tests.processes import checkpoints_of, new_flow, new_learning
from tests.promises import ChainLearner
from tests.records import event, records_of

POINTER = Pointer("group/events/0/0000000001-x", "0" * 64, 1, 100)


def lane(*partitions: int, shared: bool = False, parent: Pointer | None = None) -> Lane:
    cluster = Cluster()
    learning = new_learning(ChainLearner())
    return Lane(
        partition=None if shared else partitions[0],
        learning=learning,
        flow=new_flow(cluster, FakeSink(cluster), learning),
        checkpoints=checkpoints_of(cluster),
        lineage=Lineage(parent),
        topic_id=None,
        next_offsets=dict.fromkeys(partitions, 5),
    )


def lanes_of(*lanes: Lane) -> Lanes:
    result = Lanes()
    result.add(lanes)
    return result


def read(*partitions: int) -> list[tuple[int, int]]:
    """Give the partitions and offsets of two records of each, in turns."""
    return [(partition, 5 + turn) for turn in range(2) for partition in partitions]


def records(*partitions: int):  # type: ignore[no-untyped-def]  # noqa: ANN201 Records of the read
    parts = [
        records_of([event(offset)], partition=p, first=offset) for p, offset in read(*partitions)
    ]
    return Records.joined(parts)


def test_one_model_for_all_gets_a_read_as_it_is() -> None:
    one, all_of_it = lane(0, 1, shared=True), records(1, 0)
    ((found, mine),) = lanes_of(one).split(all_of_it)
    assert found is one
    assert mine is all_of_it


def test_each_model_gets_its_own_records_in_their_order() -> None:
    zero, two = lane(0), lane(2)
    found = {each.partition: mine for each, mine in lanes_of(zero, two).split(records(2, 0))}
    assert found.keys() == {0, 2}
    for partition, mine in found.items():
        assert mine.partitions.tolist() == [partition, partition]
        assert mine.offsets.tolist() == [5, 6]
        assert mine.values == [event(5), event(6)]
        assert mine.next_offsets() == {partition: 7}


def test_records_that_no_model_here_learns_from_are_left_out() -> None:
    assert [each.partition for each, _ in lanes_of(lane(0), lane(1)).split(records(1, 3))] == [1]
    assert list(lanes_of().split(records(1))) == []


def test_a_single_model_of_a_partition_gets_no_others_records() -> None:
    ((_, mine),) = lanes_of(lane(1)).split(records(0, 1))
    assert set(mine.partitions.tolist()) == {1}


def test_headers_follow_their_records() -> None:
    whole = records(0, 1)
    numbered = type(whole)(
        whole.topic,
        whole.values,
        whole.keys,
        whole.partitions,
        whole.offsets,
        whole.time_ms,
        lambda row: [("row", str(row))],
    )
    ((_, mine),) = lanes_of(lane(1)).split(numbered)
    rows = np.flatnonzero(whole.partitions == 1)
    assert [mine.headers(i) for i in range(2)] == [[("row", str(row))] for row in rows]


def test_work_moves_offsets_counts_and_times() -> None:
    one = lane(0, 1, shared=True)
    some = records_of([event(5), None, b"{"], partition=1, first=5)
    one.advance(some, one.flow(some)[0])
    assert one.next_offsets == {0: 5, 1: 8}
    assert one.uncheckpointed == 3
    assert one.read_ms == {1: 7000}
    assert one.has_moved


def test_before_its_first_commit_a_model_that_rests_has_nothing_to_commit() -> None:
    assert lane(0).places() == {}
    assert not lane(0).has_moved


def test_a_model_that_rests_is_committed_again_with_its_last_pointer() -> None:
    places = lane(0, 1, shared=True, parent=POINTER).places()
    assert {p: place.offset for p, place in places.items()} == {0: 5, 1: 5}
    assert {from_metadata(place.metadata) for place in places.values()} == {POINTER}


@pytest.mark.parametrize(("gone", "left"), [({0}, [1, 2]), ({1, 2}, [0]), (set(), [0, 1, 2])])
def test_what_is_revoked_is_dropped_and_the_others_stay(gone: set[int], left: list[int]) -> None:
    lanes = lanes_of(lane(0), lane(1), lane(2))
    kept = {each.partition: each for each in lanes}
    lanes.drop(frozenset(gone))
    assert [each.partition for each in lanes] == left
    assert all(each is kept[each.partition] for each in lanes)


def test_one_model_for_all_goes_with_any_of_its_partitions() -> None:
    lanes = lanes_of(lane(0, 1, 2, shared=True))
    lanes.drop(frozenset({1}))
    assert len(lanes) == 0


def test_only_wanted_groups_are_kept() -> None:
    lanes = lanes_of(lane(0), lane(1))
    lanes.keep([frozenset({1}), frozenset({2})])
    assert [each.partition for each in lanes] == [1]


def test_the_whole_tells_the_offsets_and_the_work_of_all() -> None:
    zero, one = lane(0), lane(1)
    lanes = lanes_of(zero, one)
    zero.uncheckpointed, one.uncheckpointed = 3, 4
    assert lanes.uncheckpointed == 7
    assert lanes.next_offsets() == {0: 5, 1: 5}
    lanes.clear()
    assert (len(lanes), lanes.uncheckpointed, lanes.next_offsets()) == (0, 0, {})
