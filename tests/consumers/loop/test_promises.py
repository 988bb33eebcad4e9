"""Whatever fails, and in whatever order: O1 to O4 of the faults hold after every commit.

What they are, and how they are checked, is in tests/promises.py.
"""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.checkpoints.pointer import from_metadata
from consumers.errors import StreamfitError
from consumers.loop.failpoints import NAMES
from tests.fakes import Cluster, Item
from tests.processes import Killed, KillsAt, Process, checkpoints_of
from tests.promises import Audit, fold, lettered, parsed, predicted
from tests.records import event

COUNT = 40
TIME = [Item.NOTHING, Item.EPOCH, Item.EPOCH, Item.EPOCH, Item.LATER]
FAULTS = [
    *(Item.QUEUE_FULL, Item.DELIVERY_FAILS, Item.SAVE_FAILS),
    *(Item.COMMIT_FAILS, Item.COMMIT_UNKNOWN, Item.COMMIT_IS_LATE, Item.POSTPONED, Item.FENCED),
    *(Item.ASKING_FAILS, Item.LOAD_FAILS, Item.PREPARE_FAILS, Item.OUT_OF_RANGE),
    *(Item.STORE_DOWN, Item.STORE_UP),
]
CHANGES = [
    *(Item.ASSIGN, Item.ASSIGN, Item.REVOKE, Item.REVOKE_LAST, Item.LOSE, Item.LOSE_LAST),
]
SCRIPTS = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 5)),
        st.tuples(st.sampled_from(TIME)),
        st.tuples(st.sampled_from(FAULTS)),
        st.tuples(st.sampled_from(CHANGES)),
        st.tuples(st.just(Item.WITH_RECORDS), st.sampled_from(CHANGES)),
    ),
    max_size=25,
).map(lambda parts: [item for part in parts for item in part])


def values(count: int = COUNT) -> list[bytes | None]:
    strange: dict[int, bytes | None] = {3: b"{", 8: None, 11: event(11, y=None), 17: b""}
    return [strange.get(i, event(i)) for i in range(count)]


def good(log: list[bytes | None]) -> set[int]:
    return {at for at, value in enumerate(log) if parsed(value) is not None}


def assert_all_is_learned_once(cluster: Cluster, scope: str) -> None:
    """Compare what is left in the end with the input alone (O1, O2)."""
    for partition, log in cluster.log.items():
        place = cluster.committed[partition]
        pointer = from_metadata(place.metadata)
        assert place.offset == len(log)
        assert pointer is not None
        if scope == "partition" or len(cluster.log) == 1:
            name = "global" if scope == "global" else str(partition)
            assert checkpoints_of(cluster, name).load(pointer)[1].model == fold(log)[0]
    everything = {(p, at) for p, log in cluster.log.items() for at in good(log)}
    refused = {
        (p, at)
        for p, log in cluster.log.items()
        for at, value in enumerate(log)
        if value is not None and at not in good(log)
    }
    assert set(predicted(cluster)) == everything
    assert set(lettered(cluster)) == refused


def run_all(cluster: Cluster, scripts: list[list[Any]], delivery: str, scope: str) -> None:
    """Start again after each end, and let the last start come to rest."""
    for script in scripts:
        try:
            Process(cluster, delivery, scope).run(script)
        except StreamfitError as error:
            assert error.exit_code in {3, 4, 5}, error  # noqa: PT017 - it need not come
    cluster.store.is_down = False
    Process(cluster, delivery, scope).run([Item.REST])


@settings(max_examples=10, deadline=None)
@given(st.lists(SCRIPTS, min_size=1, max_size=3))
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize(("scope", "partitions"), [("global", 1), ("partition", 3)])
def test_whatever_fails_every_event_is_learned_once_and_in_order(
    delivery: str, scope: str, partitions: int, scripts: list[list[Any]]
) -> None:
    cluster = Cluster(log={p: values(COUNT - 7 * p) for p in range(partitions)})
    run_all(cluster, scripts, delivery, scope)
    assert_all_is_learned_once(cluster, scope)
    if delivery == "exactly_once":
        assert max(Counter(predicted(cluster)).values()) == 1
        assert max(Counter(lettered(cluster)).values()) == 1


@settings(max_examples=8, deadline=None)
@given(st.lists(SCRIPTS, min_size=1, max_size=2))
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_whatever_fails_a_model_of_several_partitions_leaves_nothing_out(
    delivery: str, scripts: list[list[Any]]
) -> None:
    torn = [Item.COMMIT_IS_TORN] if delivery == "at_least_once" else []
    cluster = Cluster(log={p: values(COUNT - 7 * p) for p in range(3)})
    run_all(cluster, [[*torn, *scripts[0]], *scripts[1:]], delivery, "global")
    assert_all_is_learned_once(cluster, "global")
    pointers = {from_metadata(place.metadata) for place in cluster.committed.values()}
    (pointer,) = pointers
    assert pointer is not None
    learned = sum(fold(log)[1] for log in cluster.log.values())
    _, content = checkpoints_of(cluster).load(pointer)
    assert int(content.state["learner"]) == learned


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("scope", ["global", "partition"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("change", [Item.REVOKE_LAST, Item.LOSE, Item.GROW])
def test_a_fault_at_any_step_beside_any_change_loses_nothing(
    delivery: str, scope: str, fault: Item, change: Item
) -> None:
    cluster = Cluster(log={0: values(), 1: values(20)})
    healed = Item.STORE_UP
    for script in (
        [4, Item.EPOCH, 4, fault, change, Item.NOTHING, healed, Item.NOTHING, Item.REST],
        [4, fault, Item.EPOCH, 2, change, Item.EPOCH, healed, Item.LATER, 3, Item.REST],
    ):
        run_all(cluster, [script], delivery, scope)
        assert_all_is_learned_once(cluster, scope)


# kill -9


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
@pytest.mark.parametrize("scope", ["global", "partition"])
@pytest.mark.parametrize("time", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_rows_1_to_10_a_process_killed_at_any_failpoint_is_as_if_it_had_never_been_there(
    delivery: str, scope: str, name: str, time: int
) -> None:
    if name == "offsets_sent" and delivery == "at_least_once":
        pytest.skip("only a transaction has offsets that are sent and not committed")
    cluster = Cluster(log={0: values()})
    script = [4, 4, Item.EPOCH, 4, Item.EPOCH, Item.REVOKE, Item.NOTHING, Item.ASSIGN, 4]
    with pytest.raises(Killed):
        Process(cluster, delivery, scope, reach=KillsAt(name, time)).run(
            [*script, 4, Item.EPOCH, Item.REST]
        )
    Process(cluster, delivery, scope).run([Item.REST])
    assert_all_is_learned_once(cluster, scope)
    if delivery == "exactly_once":
        assert max(Counter(predicted(cluster)).values()) == 1


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(1, 4), SCRIPTS),
        min_size=1,
        max_size=5,
    )
)
@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_row_50_killed_again_and_again_amid_other_faults_nothing_is_lost(
    delivery: str, lives: list[tuple[str, int, list[Any]]]
) -> None:
    cluster = Cluster(log={0: values(), 1: values(20)})
    for name, time, script in lives:
        process = Process(cluster, delivery, "partition", reach=KillsAt(name, time))
        try:
            process.run([3, *script, Item.EPOCH])
        except (StreamfitError, Killed):
            continue
    cluster.store.is_down = False
    Process(cluster, delivery, "partition").run([Item.REST])
    assert_all_is_learned_once(cluster, "partition")
    if delivery == "exactly_once":
        assert max(Counter(predicted(cluster)).values()) == 1


# The audit itself


def test_the_audit_sees_an_event_that_was_learned_twice() -> None:
    cluster = Cluster(log={0: values()})
    Process(cluster).run([6])
    cluster.log[0].insert(3, event(3))
    cluster.predictions.pop()
    audit = Audit(once=True)
    audit(cluster)
    assert any("O1" in line for line in cluster.violations)
    assert any("O2" in line for line in cluster.violations)


def test_the_audit_sees_what_is_predicted_twice_and_offsets_that_go_back() -> None:
    cluster = Cluster(log={0: values()})
    Process(cluster).run([6])
    earlier = dict(cluster.committed)
    Process(cluster).run([6])
    audit = Audit(once=True)
    audit(cluster)
    assert cluster.violations == []
    cluster.arrive(cluster.predictions[:1])
    cluster.keep(earlier)
    audit(cluster)
    assert {line[:2] for line in cluster.violations} == {"O3", "O4"}
