"""The loop on a fake cluster; what goes wrong, and when, stands in the scripts."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.errors import (
    CheckpointError,
    DeadLetterLimitError,
    KafkaUnreachableError,
    OffsetsLostError,
    StreamfitError,
)
from consumers.pointer import from_metadata
from consumers.source import Committed
from learners.serialization import load_pipeline
from metrics.facts import RebalanceEvent, State
from tests.batches import assert_same_numbers
from tests.fakes import Cluster, Item, Process, checkpoints_in, new_learning
from tests.records import event

NOTHING, EPOCH = Item.NOTHING, Item.EPOCH
ASSIGN, REVOKE, LOSE, GROW = Item.ASSIGN, Item.REVOKE, Item.LOSE, Item.GROW
DELIVERY_FAILS, SAVE_FAILS = Item.DELIVERY_FAILS, Item.SAVE_FAILS
COMMIT_FAILS, COMMIT_IS_TORN = Item.COMMIT_FAILS, Item.COMMIT_IS_TORN
ONE_EPOCH = ["flush", "save", "commit"]
COUNT = 24


def values(count: int = COUNT) -> list[bytes | None]:
    """Make events with a bad one, a tombstone and an unlabelled one among them."""
    strange: dict[int, bytes | None] = {3: b"{", 8: None, 11: event(11, y=None), 17: b""}
    return [strange.get(i, event(i)) for i in range(count)]


def new_cluster(partitions: int = 1) -> Cluster:
    return Cluster(log={p: values() for p in range(partitions)})


def offsets(cluster: Cluster) -> dict[int, int | None]:
    return {partition: place.offset for partition, place in cluster.committed.items()}


def predicted(cluster: Cluster) -> list[tuple[int, int]]:
    """Partition and offset of each prediction, in the order of arrival."""
    said = [msgspec.json.decode(value) for _, value, _ in cluster.predictions]
    return [(each["partition"], each["offset"]) for each in said]


def assert_same_end(one: Cluster, folder: Path, other: Cluster, other_folder: Path) -> None:
    """Compare the committed models of two clusters, bit for bit."""
    contents = []
    for cluster, place in ((one, folder), (other, other_folder)):
        pointers = {from_metadata(each.metadata) for each in cluster.committed.values()}
        (pointer,) = pointers
        assert pointer is not None
        contents.append(checkpoints_in(place).load(pointer)[1])
    left, right = contents
    for name in ("learner", "scores"):
        assert left.state[name] == right.state[name]
    # The ring of the limits may begin elsewhere.
    assert _limits(left.state["dead_letters"]) == _limits(right.state["dead_letters"])
    assert_same_numbers(load_pipeline(left.model), load_pipeline(right.model))


def _limits(snapshot: bytes) -> bytes:
    limits = new_learning().limits
    limits.restore(snapshot)
    return limits.snapshot()


def test_a_run_predicts_all_commits_all_and_ends(tmp_path: Path) -> None:
    cluster = new_cluster()
    process = Process(cluster, tmp_path).run([5, 7, 12])
    assert cluster.journal == ONE_EPOCH
    assert offsets(cluster) == {0: COUNT}
    assert predicted(cluster) == [(0, i) for i in range(COUNT) if i not in {3, 8, 17}]
    assert len(cluster.letters) == 2
    assert process.seen.states == [
        State.STARTING,
        State.STANDBY,
        State.RESTORING,
        State.RUNNING,
        State.STOPPING,
    ]


def test_an_epoch_ends_when_its_time_is_over_and_not_before(tmp_path: Path) -> None:
    cluster = new_cluster()
    process = Process(cluster, tmp_path).run([5, 5, NOTHING, EPOCH, NOTHING, 5, EPOCH, 9])
    assert cluster.journal == ONE_EPOCH * 3
    assert [facts.committed for facts in process.seen.epochs] == [{0: 10}, {0: 15}, {0: 24}]


def test_nothing_consumed_no_epoch(tmp_path: Path) -> None:
    cluster = new_cluster()
    Process(cluster, tmp_path).run([EPOCH, EPOCH, NOTHING])
    assert cluster.journal == []
    assert cluster.committed == {}
    Process(cluster, tmp_path).run([4, EPOCH, EPOCH, EPOCH])
    Process(cluster, tmp_path).run([EPOCH, EPOCH])
    assert cluster.journal == ONE_EPOCH


def test_records_that_give_no_event_move_the_offset_all_the_same(tmp_path: Path) -> None:
    cluster = Cluster(log={0: [None, b"", b"{", None]})
    Process(cluster, tmp_path).run([2, EPOCH, 2])
    assert cluster.journal == ONE_EPOCH * 2
    assert offsets(cluster) == {0: 4}
    assert len(cluster.letters) == 2


def test_every_owned_partition_is_committed_moved_or_not(tmp_path: Path) -> None:
    cluster = Cluster(log={0: values(), 1: [], 2: values()})
    cluster.first = {2: 20}
    Process(cluster, tmp_path).run([2])
    assert offsets(cluster) == {0: 2, 1: 0, 2: 22}
    assert len({place.metadata for place in cluster.committed.values()}) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (DELIVERY_FAILS, KafkaUnreachableError),
        (SAVE_FAILS, CheckpointError),
        (COMMIT_FAILS, KafkaUnreachableError),
    ],
)
@pytest.mark.parametrize("at_the_end", [True, False])
def test_nothing_is_committed_after_a_step_that_failed_not_even_on_close(
    tmp_path: Path,
    fault: Item,
    error: type[StreamfitError],
    at_the_end: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    cluster = new_cluster()
    script: list[int | Item] = [6, EPOCH, 6, fault]
    with pytest.raises(error):
        Process(cluster, tmp_path).run(script if at_the_end else [*script, EPOCH, 6])
    assert cluster.journal.count("commit") == 1
    assert offsets(cluster) == {0: 6}


@pytest.mark.parametrize("fault", [DELIVERY_FAILS, SAVE_FAILS, COMMIT_FAILS])
def test_a_restart_after_a_failure_ends_as_if_it_had_not_happened(
    tmp_path: Path, fault: Item
) -> None:
    whole, broken = new_cluster(), new_cluster()
    Process(whole, tmp_path / "whole").run([COUNT])
    with pytest.raises(StreamfitError):
        Process(broken, tmp_path / "broken").run([6, EPOCH, 6, fault, EPOCH])
    Process(broken, tmp_path / "broken").run([COUNT])
    assert_same_end(whole, tmp_path / "whole", broken, tmp_path / "broken")
    # O2 and O3: nothing is missing, and what is twice is the same, past the last commit only.
    assert set(predicted(broken)) == set(predicted(whole))
    assert set(broken.predictions) == set(whole.predictions)
    twice = [offset for (_, offset), n in Counter(predicted(broken)).items() if n > 1]
    assert all(6 <= offset < 12 for offset in twice)
    assert (twice == []) == (fault is DELIVERY_FAILS)


def test_a_torn_commit_is_mended_by_the_next_start(tmp_path: Path) -> None:
    whole, torn = new_cluster(2), new_cluster(2)
    Process(whole, tmp_path / "whole").run([6, 6, 12])
    with pytest.raises(KafkaUnreachableError):
        Process(torn, tmp_path / "torn").run([6, EPOCH, COMMIT_IS_TORN, 6, EPOCH])
    assert offsets(torn) == {0: 12, 1: 6}
    Process(torn, tmp_path / "torn").run([12])
    assert_same_end(whole, tmp_path / "whole", torn, tmp_path / "torn")
    assert torn.predictions == whole.predictions


def test_a_torn_first_commit_is_mended_too(tmp_path: Path) -> None:
    torn = new_cluster(2)
    with pytest.raises(KafkaUnreachableError):
        Process(torn, tmp_path).run([COMMIT_IS_TORN, 6])
    Process(torn, tmp_path).run([18])
    assert offsets(torn) == {0: 24, 1: 24}
    assert len(set(predicted(torn))) == len(predicted(torn)) == 42


@settings(
    max_examples=8,
    deadline=None,
)
@given(
    st.lists(
        st.lists(st.one_of(st.integers(1, 9), st.sampled_from([EPOCH, NOTHING])), max_size=6),
        max_size=4,
    )
)
def test_stopping_and_starting_is_bit_for_bit_one_run(
    tmp_path_factory: pytest.TempPathFactory, scripts: list[list[int | Item]]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    whole, parts = new_cluster(), new_cluster()
    Process(whole, folder / "whole").run([COUNT])
    last: list[int | Item] = [COUNT]
    for script in [*scripts, last]:
        Process(parts, folder / "parts").run(script)
    assert_same_end(whole, folder / "whole", parts, folder / "parts")
    assert parts.predictions == whole.predictions
    assert parts.letters == whole.letters


def test_a_revoke_commits_what_was_learned_and_nothing_is_learned_until_it_owns_all_again(
    tmp_path: Path,
) -> None:
    cluster = new_cluster()
    process = Process(cluster, tmp_path).run([6, REVOKE, 5, NOTHING, ASSIGN, NOTHING, 18])
    assert cluster.journal == ONE_EPOCH * 2
    assert [facts.committed for facts in process.seen.epochs] == [{0: 6}, {0: 24}]
    assert [each for each in process.source.assigned if each] == [{0: 0}, {0: 6}]
    assert len(set(predicted(cluster))) == len(predicted(cluster)) == 21
    assert process.seen.rebalances == [
        (RebalanceEvent.ASSIGNED, (0,)),
        (RebalanceEvent.REVOKED, (0,)),
        (RebalanceEvent.ASSIGNED, (0,)),
    ]
    assert State.STANDBY in process.seen.states[4:]


def test_lost_partitions_are_never_committed_and_read_again_from_the_last_commit(
    tmp_path: Path,
) -> None:
    cluster, whole = new_cluster(), new_cluster()
    process = Process(cluster, tmp_path / "one").run([6, EPOCH, 6, LOSE, ASSIGN, NOTHING, 18])
    assert [facts.committed for facts in process.seen.epochs] == [{0: 6}, {0: 24}]
    assert [each for each in process.source.assigned if each] == [{0: 0}, {0: 6}]
    Process(whole, tmp_path / "whole").run([COUNT])
    assert_same_end(whole, tmp_path / "whole", cluster, tmp_path / "one")


@pytest.mark.parametrize("fault", [DELIVERY_FAILS, SAVE_FAILS, COMMIT_FAILS])
def test_a_failure_inside_a_revoke_is_not_raised_and_the_next_owner_redoes_it(
    tmp_path: Path, fault: Item
) -> None:
    cluster, whole = new_cluster(), new_cluster()
    Process(cluster, tmp_path / "one").run([6, EPOCH, 6, fault, REVOKE, ASSIGN, NOTHING, 18])
    assert cluster.journal.count("commit") == 2
    Process(whole, tmp_path / "whole").run([COUNT])
    assert_same_end(whole, tmp_path / "whole", cluster, tmp_path / "one")


def test_row_33_a_new_partition_is_taken_in_after_an_epoch_for_the_others(tmp_path: Path) -> None:
    cluster = new_cluster()
    process = Process(cluster, tmp_path).run([6, GROW, 5, 30])
    assert process.seen.epochs[0].committed == {0: 6}
    assert process.source.assigned[1] == {0: 6, 1: 0}
    assert offsets(cluster) == {0: 24, 1: 24}
    assert len(set(predicted(cluster))) == len(predicted(cluster)) == 42


@pytest.mark.parametrize("change", [GROW, LOSE, REVOKE])
def test_records_that_come_with_a_change_are_read_again_and_learned_once(
    tmp_path: Path, change: Item
) -> None:
    cluster = new_cluster()
    Process(cluster, tmp_path).run([6, EPOCH, Item.WITH_RECORDS, change, ASSIGN, NOTHING, 24])
    assert set(offsets(cluster).values()) == {24}
    assert len(set(predicted(cluster))) == len(predicted(cluster)) == 21 * len(cluster.log)


def test_row_46_a_limit_commits_what_it_saw_and_stops_with_exit_code_5(tmp_path: Path) -> None:
    cluster = Cluster(log={0: [event(0), b"{", b"{", b"{", event(1), event(2)]})
    with pytest.raises(DeadLetterLimitError, match="3 dead letters in a row") as caught:
        Process(cluster, tmp_path, run_limit=3).run([5, 1])
    assert caught.value.exit_code == 5
    assert offsets(cluster) == {0: 4}
    assert len(cluster.letters) == 3
    # So a restart does not stop again at the same records.
    Process(cluster, tmp_path, run_limit=3).run([5])
    assert offsets(cluster) == {0: 6}
    assert predicted(cluster) == [(0, 0), (0, 4), (0, 5)]


def test_row_46_a_run_of_bad_records_counts_on_after_a_restart(tmp_path: Path) -> None:
    cluster = Cluster(log={0: [b"{"] * 6})
    Process(cluster, tmp_path, run_limit=4).run([2])
    with pytest.raises(DeadLetterLimitError, match="4 dead letters in a row"):
        Process(cluster, tmp_path, run_limit=4).run([1, 1, 1])
    assert offsets(cluster) == {0: 4}


def test_row_46_a_failure_while_stopping_at_a_limit_commits_nothing(tmp_path: Path) -> None:
    cluster = Cluster(log={0: [b"{"] * 6})
    with pytest.raises(KafkaUnreachableError):
        Process(cluster, tmp_path, run_limit=3).run([DELIVERY_FAILS, 6])
    assert cluster.committed == {}


def test_row_35_a_start_on_strange_offsets_commits_nothing(tmp_path: Path) -> None:
    cluster = new_cluster()
    cluster.committed[0] = Committed(4, "")
    with pytest.raises(OffsetsLostError):
        Process(cluster, tmp_path).run([6, EPOCH])
    assert cluster.journal == []
    assert offsets(cluster) == {0: 4}


def test_start_latest_reads_what_comes_after_and_holds_for_new_groups_only(tmp_path: Path) -> None:
    cluster = new_cluster()
    Process(cluster, tmp_path, start="latest").run([5])
    assert cluster.journal == []
    cluster.log[0] += [event(24), event(25), event(26)]
    # Nothing was consumed, so nothing is committed, and the group is still new.
    Process(cluster, tmp_path, start="latest").run([5])
    assert cluster.committed == {}
    cluster.committed.clear()
    Process(cluster, tmp_path).run([20])
    Process(cluster, tmp_path, start="latest").run([20])
    assert len(predicted(cluster)) == 24


def test_the_dead_letters_and_predictions_of_a_read_are_told_with_what_the_lag_is(
    tmp_path: Path,
) -> None:
    cluster = new_cluster()
    seen = Process(cluster, tmp_path).run([10, EPOCH]).seen
    assert sum(facts.consumed for facts in seen.batches) == 10
    assert seen.batches[-1].lag == {0: 14}
    assert seen.batches[-1].model_version == 8
    assert seen.told[-1].scored == 8
    # The last read record is of second 9, and it is second 101.
    assert seen.batches[-1].lag_seconds == {0: 92.0}


def test_without_lag_there_is_no_age(tmp_path: Path) -> None:
    cluster = new_cluster()
    seen = Process(cluster, tmp_path).run([COUNT, EPOCH]).seen
    assert seen.batches[-1].lag == {0: 0}
    assert seen.batches[-1].lag_seconds == {0: 0.0}


def test_old_checkpoints_are_collected_while_it_runs(tmp_path: Path) -> None:
    cluster = new_cluster()
    Process(cluster, tmp_path).run([2, EPOCH] * 8)
    assert len(checkpoints_in(tmp_path).open()) == 3
    pointer = from_metadata(cluster.committed[0].metadata)
    assert pointer is not None
    assert checkpoints_in(tmp_path).load(pointer)[0].epoch == 8
