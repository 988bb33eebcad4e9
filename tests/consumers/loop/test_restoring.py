"""Models out of committed offsets and checkpoints: which, and where each goes on."""

import pytest

from consumers.checkpoints.pointer import from_metadata
from consumers.checkpoints.recovery import Policies
from consumers.errors import CheckpointError, EpochLostError, OffsetsLostError
from consumers.loop.lanes import Lane
from consumers.loop.restoring import Makers, Restorer
from metrics.facts import RollbackReason
from tests.fake_sinks import FakeSink
from tests.fakes import Cluster, FakeSource, Item
from tests.processes import Process, checkpoints_of, new_flow, new_learning
from tests.promises import Audit, ChainLearner, fold
from tests.records import event

ALL = frozenset({0, 1, 2})


def new_cluster() -> Cluster:
    return Cluster(log={p: [event(10 * p + i) for i in range(9)] for p in range(3)})


class Bench:
    """A restorer on a cluster."""

    def __init__(self, cluster: Cluster, scope: str, policies: Policies | None = None) -> None:
        self.reached: list[str] = []
        self.beats = 0
        source = FakeSource(cluster, [])
        source.own(cluster.log)
        self.makers = Makers(
            learning=lambda: new_learning(ChainLearner()),
            flow=lambda learning: new_flow(cluster, FakeSink(cluster), learning),
            checkpoints=lambda name: checkpoints_of(cluster, name),
        )
        self.restorer = Restorer(
            source,
            self.makers,
            policies or Policies(),
            partitioned=scope == "partition",
            reach=self.reached.append,
        )

    def restore(self) -> list[Lane]:
        return self.restorer.restore(self.restorer.groups(ALL, ALL), self._beat)

    def _beat(self) -> None:
        self.beats += 1


@pytest.mark.parametrize(
    ("scope", "owned", "groups"),
    [
        ("global", ALL, [ALL]),
        ("global", {0, 1}, []),
        ("global", set(), []),
        ("partition", ALL, [{0}, {1}, {2}]),
        ("partition", {1}, [{1}]),
        ("partition", set(), []),
    ],
)
def test_nobody_learns_a_model_of_all_before_owning_all(
    scope: str, owned: set[int], groups: list[set[int]]
) -> None:
    found = Bench(new_cluster(), scope).restorer.groups(frozenset(owned), ALL)
    assert found == {frozenset(group) for group in groups}


def test_a_new_group_begins_with_models_that_have_learned_nothing() -> None:
    bench = Bench(new_cluster(), "partition")
    lanes = bench.restore()
    assert [lane.partition for lane in lanes] == [0, 1, 2]
    assert [lane.next_offsets for lane in lanes] == [{0: 0}, {1: 0}, {2: 0}]
    assert {lane.learning.learner.model_version for lane in lanes} == {0}
    assert {lane.lineage.parent for lane in lanes} == {None}
    assert {lane.topic_id for lane in lanes} == {"id-1"}
    assert bench.reached == ["assigned"]
    assert bench.beats == 3


def test_one_model_of_all_goes_on_where_it_was_committed() -> None:
    cluster = new_cluster()
    Process(cluster).run([4])
    (lane,) = Bench(cluster, "global").restore()
    assert lane.partition is None
    assert lane.partitions == ALL
    assert lane.next_offsets == {0: 4, 1: 4, 2: 4}
    assert lane.learning.learner.model_version == 12
    assert lane.lineage.parent == from_metadata(cluster.committed[0].metadata)
    assert not lane.has_moved


def test_each_model_of_a_partition_goes_on_where_it_was_committed() -> None:
    cluster = new_cluster()
    Process(cluster, scope="partition").run([4, Item.EPOCH, Item.REVOKE_LAST, 2])
    lanes = Bench(cluster, "partition").restore()
    assert [lane.next_offsets for lane in lanes] == [{0: 6}, {1: 6}, {2: 4}]
    for lane in lanes:
        partition, (offset,) = lane.partition or 0, lane.next_offsets.values()
        assert lane.learning.learner.snapshot().model == fold(cluster.log[partition][:offset])[0]


def test_a_policy_that_says_stop_stops() -> None:
    cluster = new_cluster()
    Process(cluster, scope="partition").run([4])
    cluster.first[1] = 6
    with pytest.raises(OffsetsLostError, match="partition 1"):
        Bench(cluster, "partition").restore()


def test_row_31_what_is_skipped_is_told_of_the_model_that_skipped_it() -> None:
    cluster = new_cluster()
    Process(cluster, scope="partition").run([4])
    cluster.first[1] = 6
    lanes = Bench(cluster, "partition", Policies(on_gap="skip")).restore()
    assert [lane.skipped for lane in lanes] == [{}, {1: 2}, {}]
    assert [lane.next_offsets for lane in lanes] == [{0: 4}, {1: 6}, {2: 4}]
    # Its checkpoint holds other offsets: a new one has to say where it goes on.
    assert [lane.has_moved for lane in lanes] == [False, True, False]


def test_row_37_a_store_that_does_not_answer_stops_a_start_and_delays_what_has_run() -> None:
    cluster = new_cluster()
    Process(cluster).run([4])
    cluster.store.is_down = True
    bench = Bench(cluster, "global")
    with pytest.raises(CheckpointError, match=r"checkpoint\.store: cannot be read"):
        bench.restore()
    cluster.store.is_down = False
    bench.restore()
    cluster.store.is_down = True
    with pytest.raises(EpochLostError) as caught:
        bench.restore()
    assert caught.value.reason is RollbackReason.STORE


@pytest.mark.parametrize("scope", ["global", "partition"])
def test_row_33_a_partition_that_was_added_is_read_from_its_start_whatever_start_says(
    scope: str,
) -> None:
    cluster = new_cluster()
    cluster.audit = Audit(once=False)
    Process(cluster, scope=scope).run([4])
    cluster.log[3] = [event(i) for i in range(5)]
    bench = Bench(cluster, scope, Policies(start="latest"))
    everything = frozenset(cluster.log)
    lanes = bench.restorer.restore(bench.restorer.groups(everything, everything), lambda: None)
    offsets = {p: offset for lane in lanes for p, offset in lane.next_offsets.items()}
    assert offsets == {0: 4, 1: 4, 2: 4, 3: 0}
