"""Several processes on one cluster: who learns, and what is left when one dies."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from consumers.kafka.membership import JoinsAtOnce, StandsBy
from consumers.kafka.source import Committed
from tests.fake_group import FakeGroup
from tests.fakes import Cluster, Item
from tests.processes import Process
from tests.promises import predicted
from tests.records import event

in_both_deliveries = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])


def for_ever() -> Iterator[Any]:
    """Read a little, and let time pass."""
    return itertools.cycle([2, Item.NOTHING, Item.NOTHING, 1, Item.EPOCH])


class Fleet:
    """Replicas of one consumer, turned one after the other."""

    def __init__(self, delivery: str, scope: str, replicas: int, partitions: int = 3) -> None:
        self.cluster = Cluster(log={p: [event(i) for i in range(30)] for p in range(partitions)})
        self.group = FakeGroup(self.cluster)
        self.delivery, self.scope = delivery, scope
        self.ever_together = 0
        self._names = itertools.count()
        self.processes = [self.start() for _ in range(replicas)]

    def start(self) -> Process:
        waits = itertools.cycle([0.1, 0.9, 0.4])
        alone = StandsBy(self.group.ask, None, lambda: next(waits))
        membership = JoinsAtOnce() if self.scope == "partition" else alone
        process = Process(
            self.cluster,
            self.delivery,
            self.scope,
            membership=membership,
            group=self.group,
            writer=f"streamfit-{next(self._names) if self.scope == 'partition' else 'group'}",
        )
        return process.start(for_ever())

    def turn(self, rounds: int = 1) -> None:
        for _ in range(rounds):
            for process in self.processes:
                process.turn()
            working = sum(process.works for process in self.processes)
            self.ever_together = max(self.ever_together, working)

    def until_done(self) -> None:
        """Turn until everything is committed."""
        for _ in range(600):
            self.turn()
            if all(self._at(p) == len(log) for p, log in self.cluster.log.items()):
                return
        raise AssertionError(f"not done: {self.cluster.committed}")

    def working(self) -> list[Process]:
        return [process for process in self.processes if process.works]

    def close(self) -> None:
        for process in self.processes:
            process.close()
        assert self.cluster.violations == []

    def _at(self, partition: int) -> int:
        return self.cluster.committed.get(partition, Committed(0, "")).offset or 0


@in_both_deliveries
@pytest.mark.parametrize("replicas", [2, 3])
def test_of_several_that_start_together_one_works_and_the_others_stand_by(
    delivery: str, replicas: int
) -> None:
    fleet = Fleet(delivery, "global", replicas)
    fleet.until_done()
    assert fleet.ever_together == 1
    assert len(predicted(fleet.cluster)) == len(set(predicted(fleet.cluster))) == 90
    fleet.close()


@in_both_deliveries
def test_a_standby_that_comes_later_never_disturbs(delivery: str) -> None:
    fleet = Fleet(delivery, "global", 1)
    fleet.turn(8)
    (first,) = fleet.working()
    fleet.processes.append(fleet.start())
    fleet.until_done()
    assert fleet.working() == [first]
    assert len(first.seen.rebalances) == 1
    assert fleet.processes[1].seen.rebalances == []
    fleet.close()


@in_both_deliveries
def test_a_standby_takes_over_after_an_orderly_end_and_goes_on(delivery: str) -> None:
    fleet = Fleet(delivery, "global", 2)
    fleet.turn(12)
    (first,) = fleet.working()
    fleet.processes.remove(first)
    first.close()
    fleet.until_done()
    assert len(fleet.working()) == 1
    # Nothing is done twice: leaving gave everything up in order.
    assert len(predicted(fleet.cluster)) == len(set(predicted(fleet.cluster))) == 90
    fleet.close()


@in_both_deliveries
def test_row_13_a_standby_takes_over_from_one_that_froze_which_then_stands_by(
    delivery: str,
) -> None:
    fleet = Fleet(delivery, "global", 2)
    fleet.turn(13)
    (frozen,) = fleet.working()
    fleet.processes.remove(frozen)
    fleet.group.expire(frozen.source)
    fleet.turn(20)
    (heir,) = fleet.working()
    fleet.processes.append(frozen)  # it wakes up, and still has a model in its memory
    frozen.turn()
    assert not frozen.works
    fleet.until_done()
    assert fleet.working() == [heir]
    if delivery == "exactly_once":
        assert len(predicted(fleet.cluster)) == len(set(predicted(fleet.cluster))) == 90
    fleet.close()


@in_both_deliveries
def test_row_14_an_epoch_that_fails_while_the_partitions_are_split_does_not_stop_everybody(
    delivery: str,
) -> None:
    fleet = Fleet(delivery, "global", 1)
    fleet.turn(8)
    (first,) = fleet.working()
    # Another one gets the lowest partition, and what the first had learned cannot be committed.
    intruder = Process(fleet.cluster, delivery, group=fleet.group).start([])
    fleet.group._members.insert(0, intruder.source)
    fleet.group._wanted = {0: intruder.source, 1: first.source, 2: first.source}
    fleet.cluster.armed.add(Item.DELIVERY_FAILS)
    fleet.turn()
    assert not first.works
    # Who does not own the lowest one must leave, or both would wait for the rest for ever.
    assert first.source not in fleet.group._members


@in_both_deliveries
def test_in_partition_scope_everybody_works_and_nothing_is_learned_twice(delivery: str) -> None:
    fleet = Fleet(delivery, "partition", 2)
    fleet.turn(7)
    fleet.processes.append(fleet.start())
    fleet.turn(7)
    assert len(fleet.working()) == 3
    leaver = fleet.processes.pop(0)
    leaver.close()
    fleet.until_done()
    assert len(predicted(fleet.cluster)) == len(set(predicted(fleet.cluster))) == 90
    assert all(process.seen.rollbacks == [] for process in fleet.processes)
    fleet.close()
