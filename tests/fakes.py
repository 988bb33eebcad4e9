"""A cluster of one topic in memory, and a source, a store and an observer for it.

Failures are data: a run is a script such as `[5, DELIVERY_FAILS, EPOCH]`, worked off one item at
each read. The sinks are in `fake_sinks`, a group of several members in `fake_group`, what puts a
run together in `processes`.
"""

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from consumers.errors import EpochLostError, InstanceHeldError, PostponedError, UnansweredError
from consumers.kafka.source import Change, Committed, only
from learners.events import Records
from metrics.facts import (
    BatchFacts,
    EpochFacts,
    RebalanceEvent,
    RollbackReason,
    ScoreFacts,
    State,
    TransactionResult,
)
from producers.dead_letters import DeadLetter
from producers.encoding import Record
from tests.lineages import MemoryStore
from tests.records import records_of

WAIT_S = 20.0
MOST_READS = 200  # until everything is read


class Item(Enum):
    """What a script holds beside the numbers of records to read."""

    # What takes time.
    NOTHING = auto()  # a read that brings nothing
    EPOCH = auto()  # so much time passes that the epoch is over
    LATER = auto()  # so much time passes that a failure is tried again
    REST = auto()  # read whatever is left; nothing fails any more
    # What happens in a read.
    ASSIGN = auto()  # get every partition that is not owned
    REVOKE = auto()
    REVOKE_LAST = auto()  # the highest one that is owned
    LOSE = auto()
    LOSE_LAST = auto()
    WITH_RECORDS = auto()  # what comes next happens in a read that brings three records too
    GROW = auto()  # the topic gets one more partition, and this member owns it
    HELD = auto()  # the broker holds the instance for a dead member
    OUT_OF_RANGE = auto()  # what should be read next is gone
    STORE_DOWN = auto()  # the store refuses everything
    STORE_UP = auto()
    STORE_STUCK = auto()  # the store takes its time, until it is released
    STORE_RELEASED = auto()
    # What fails the next time it is asked for.
    QUEUE_FULL = auto()  # predictions cannot even be handed over
    DELIVERY_FAILS = auto()
    TOPIC_GONE = auto()  # the same, for good
    SAVE_FAILS = auto()
    COMMIT_FAILS = auto()
    COMMIT_UNKNOWN = auto()  # it arrives, and nobody is told
    COMMIT_IS_LATE = auto()  # no answer; it arrives with the next read, unless we left by then
    COMMIT_IS_TORN = auto()  # it arrives for the first partition only; never a transaction
    POSTPONED = auto()  # the commit has to wait for a rebalance
    FENCED = auto()  # another producer of the same id takes over before the commit
    ASKING_FAILS = auto()  # what is committed is not told
    LOAD_FAILS = auto()
    PREPARE_FAILS = auto()  # transactions cannot be prepared


_TAKES = {Item.NOTHING: 0.1, Item.EPOCH: 1.0, Item.LATER: 30.0}


@dataclass
class Cluster:
    """What outlives a process: the topic, the group's offsets, what was written, the store.

    Attributes
    ----------
    predictions, letters : list
        What a reader sees.
    pending : dict of str to bool
        `transactional.id` of each open transaction, to whether it holds offsets.
    violations : list of str
        What must never happen and did; noted, since a callback may swallow an error.
    audit : callable
        Looks after each commit whether all promises are kept.
    """

    topic_id: str | None = "id-1"
    log: dict[int, list[bytes | None]] = field(default_factory=lambda: {0: []})
    first: dict[int, int] = field(default_factory=dict)
    committed: dict[int, Committed] = field(default_factory=dict)
    predictions: list[Record] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    armed: set[Item] = field(default_factory=set)
    producers: dict[str, int] = field(default_factory=dict)
    pending: dict[str, bool] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    audit: Callable[["Cluster"], None] = lambda _: None
    max_bytes: int = 10**6
    now: float = 100.0

    def __post_init__(self) -> None:
        self.store = FakeStore(self)

    def fails(self, item: Item) -> bool:
        """Tell whether a failure is due; it happens once."""
        due = item in self.armed
        self.armed.discard(item)
        return due

    def arrive(self, predictions: Sequence[Record]) -> None:
        """Let predictions be seen; below the committed offset there is nothing left to predict."""
        for _, value, _ in predictions:
            said = json.loads(value)
            place = self.committed.get(said["partition"])
            if place is not None and said["offset"] < (place.offset or 0):
                self.violations.append(f"O3: predicted after its commit: {said}")
        self.predictions += predictions

    def keep(self, places: Mapping[int, Committed]) -> None:
        """Commit."""
        self.journal.append("commit")
        self.committed |= places
        self.audit(self)


class FakeStore(MemoryStore):
    """A store that notes what is saved, and refuses, or hangs, when told to."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self.is_down = False
        self.reach: Callable[[str], None] = lambda _: None
        self._cluster = cluster
        self._free = threading.Event()
        self._free.set()

    def hang(self) -> None:
        """Let every put wait from now on."""
        self._free.clear()

    def release(self) -> None:
        """Let them go on."""
        self._free.set()

    def put(self, key: str, data: bytes) -> None:
        assert self._free.wait(WAIT_S), "nobody released the store"
        if self.is_down or self._cluster.fails(Item.SAVE_FAILS):
            raise OSError(28, "No space left on device")
        self.reach("saving")
        super().put(key, data)
        self._cluster.journal.append("save")

    def get(self, key: str, max_bytes: int) -> bytes:
        if self.is_down or self._cluster.fails(Item.LOAD_FAILS):
            raise OSError(5, "Input/output error")
        return super().get(key, max_bytes)

    def delete(self, key: str) -> None:
        if self.is_down:
            raise OSError(5, "Input/output error")
        super().delete(key)


class Group(Protocol):
    """Gives partitions to its members."""

    def join(self, member: "FakeSource") -> None:
        """Take a member in."""

    def leave(self, member: "FakeSource") -> None:
        """Let it go; it has given up everything."""

    def serve(self, member: "FakeSource") -> None:
        """Call a member back, inside its read."""


class Alone:
    """A group of one member, which gets everything at once; the rest is in its script."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def join(self, member: "FakeSource") -> None:
        member.own(self._cluster.log.keys())

    def leave(self, member: "FakeSource") -> None:
        """Nothing to do."""

    def serve(self, member: "FakeSource") -> None:
        """Nothing to do."""


class FakeSource:
    """A `Source` of a cluster; keeps to the callbacks' order of the real client.

    Its script holds numbers of records to read from each partition, and `Item`s.
    """

    def __init__(self, cluster: Cluster, script: Iterable[Any], group: Group | None = None) -> None:
        self.at_end: Callable[[], None] = lambda: None
        self.assigned: list[dict[int, int]] = []
        self.rejoined = 0
        self._rested = 0
        self._cluster = cluster
        self._group: Group = group or Alone(cluster)
        self._script: Iterator[Any] = iter(script)
        self._joined = self._held = self._resting = False
        self._owned: set[int] = set()
        self._positions: dict[int, int] = {}
        self._changes: list[Change] = []
        self._late: dict[int, Committed] = {}
        self._on_revoke: Callable[[frozenset[int]], None] = lambda _: None

    # What a group does to it

    def own(self, partitions: Collection[int]) -> None:
        """Get partitions, as a rebalance gives them."""
        if partitions or not self._owned:
            self._owned.update(partitions)
            self._changes.append(Change(RebalanceEvent.ASSIGNED, tuple(sorted(partitions))))

    def give_up(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        """Give partitions up; those that are lost are somebody else's already."""
        going = self._owned & set(partitions)
        if not going:
            return
        if event is RebalanceEvent.REVOKED:
            self._on_revoke(frozenset(going))
        self._owned -= going
        self._positions = {p: at for p, at in self._positions.items() if p not in going}
        self._changes.append(Change(event, tuple(sorted(going))))

    # The contract

    def subscribe(self, on_revoke: Callable[[frozenset[int]], None]) -> None:
        self._on_revoke = on_revoke
        self._joined = True
        self._group.join(self)

    def unsubscribe(self) -> None:
        self.give_up(RebalanceEvent.REVOKED, self._owned)
        self._joined = False
        self._group.leave(self)

    def rejoin(self) -> None:
        self.rejoined += 1
        self._group.leave(self)
        self._owned, self._positions, self._changes = set(), {}, []
        self._joined, self._late = False, {}

    def read(self, timeout_s: float) -> Records | None:
        assert timeout_s > 0
        self._serve()
        if self._changes:
            return None
        if self._resting:
            return self._rest()
        for item in self._script:
            if isinstance(item, int):
                return self._take(item)
            if item in {Item.WITH_RECORDS, Item.REST}:
                return self._rest() if item is Item.REST else self._take_and_read(timeout_s)
            if self._happens(item):
                return None
            self._cluster.armed.add(item)
        self._cluster.now += timeout_s
        self.at_end()
        return None

    def _serve(self) -> None:
        if self._late:
            self._cluster.keep(self._late)
            self._late = {}
        if self._joined:
            self._group.serve(self)

    def changes(self) -> list[Change]:
        changes, self._changes = self._changes, []
        return changes

    def owned(self) -> frozenset[int]:
        return frozenset(self._owned)

    def partitions(self) -> frozenset[int]:
        return frozenset(self._cluster.log)

    def topic_id(self) -> str | None:
        return self._cluster.topic_id

    def committed(self) -> dict[int, Committed]:
        if self._cluster.fails(Item.ASKING_FAILS):
            raise EpochLostError(RollbackReason.KAFKA, "no answer")
        if any(self._cluster.pending.values()):
            self._cluster.violations.append("committed() hangs: a dead one's transaction is open")
        nothing = Committed(None, "")
        return {p: self._cluster.committed.get(p, nothing) for p in sorted(self._owned)}

    def bounds(self, partition: int) -> tuple[int, int]:
        return self._cluster.first.get(partition, 0), len(self._cluster.log[partition])

    def assign(self, next_offsets: Mapping[int, int]) -> None:
        if not next_offsets.keys() <= self._owned:
            self._cluster.violations.append(f"reads what it does not own: {next_offsets}")
        self._positions = dict(next_offsets)
        self._held = False
        self.assigned.append(dict(next_offsets))

    def hold(self, *, on: bool) -> None:
        self._held = on

    def commit(self, places: Mapping[int, Committed]) -> None:
        cluster = self._cluster
        if cluster.fails(Item.POSTPONED):
            raise PostponedError(RollbackReason.COMMIT, "the group is being rebalanced")
        if cluster.fails(Item.COMMIT_FAILS):
            raise EpochLostError(RollbackReason.COMMIT, "commit refused")
        mine = dict(sorted(only(places, self._owned).items()))
        if not mine:
            raise EpochLostError(RollbackReason.LOST, "none of the partitions is owned any more")
        if cluster.fails(Item.COMMIT_IS_LATE):
            self._late = mine
            raise UnansweredError(RollbackReason.COMMIT, "no answer to the commit")
        if cluster.fails(Item.COMMIT_IS_TORN):
            cluster.keep(dict(list(mine.items())[:1]))
            raise EpochLostError(RollbackReason.COMMIT, "commit refused for some")
        cluster.keep(mine)
        if cluster.fails(Item.COMMIT_UNKNOWN):
            raise EpochLostError(RollbackReason.KAFKA, "no answer to the commit")

    def for_transaction(self, places: Mapping[int, Committed]) -> tuple[list[Any], Any]:
        return list(only(places, self._owned).items()), self

    def lag(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        known = self._positions.keys() & next_offsets.keys()
        return {p: self.bounds(p)[1] - next_offsets[p] for p in known}

    def close(self) -> None:
        """Leave the group: the client calls back once more while it still owns everything."""
        if self._joined:
            self.unsubscribe()

    # The script

    def _take(self, count: int) -> Records | None:
        """Read from each partition in turn, the lowest first."""
        parts = []
        for partition, position in sorted(self._positions.items()):
            if self._held:
                break
            values = self._cluster.log[partition][position : position + count]
            parts.append(records_of(values, partition=partition, first=position))
            self._positions[partition] += len(values)
        if not sum(map(len, parts)):
            self._cluster.now += _TAKES[Item.NOTHING]
            return None
        return Records.joined(parts)

    def _take_and_read(self, timeout_s: float) -> Records | None:
        records = self._take(3)
        assert self.read(timeout_s) is None
        return records

    def _rest(self) -> Records | None:
        """Read on until all is read, with all that is needed for it in order again."""
        self._resting = True
        self._rested += 1
        assert self._rested < MOST_READS, "does not come to rest"
        self._cluster.armed.clear()
        self._cluster.store.is_down = False
        self._cluster.store.release()
        if not self._joined or self._owned != self._cluster.log.keys():
            self._cluster.now += _TAKES[Item.LATER]
            if self._joined:
                self.own(self._cluster.log.keys() - self._owned)
            return None
        ends = {p: self.bounds(p)[1] for p in self._cluster.log}
        if self._positions == ends:
            self._resting = False
            return None
        return self._take(5)

    def _happens(self, item: Item) -> bool:
        """Let something happen within a read; False for what happens later."""
        cluster, last = self._cluster, sorted(self._owned)[-1:]
        if item is Item.ASSIGN:
            if self._joined:
                self.own(cluster.log.keys() - self._owned)
        elif item in {Item.REVOKE, Item.REVOKE_LAST}:
            gone = self._owned if item is Item.REVOKE else last
            self.give_up(RebalanceEvent.REVOKED, set(gone))
        elif item in {Item.LOSE, Item.LOSE_LAST}:
            self.give_up(RebalanceEvent.LOST, set(self._owned if item is Item.LOSE else last))
        elif item is Item.GROW:
            new = len(cluster.log)
            cluster.log[new] = list(cluster.log[0])
            self.own([new])
        elif item is Item.HELD:
            raise InstanceHeldError("UNRELEASED_INSTANCE_ID")
        elif item is Item.OUT_OF_RANGE:
            raise EpochLostError(RollbackReason.GAP, "the next record is no longer there")
        else:
            return self._happens_elsewhere(item)
        return True

    def _happens_elsewhere(self, item: Item) -> bool:
        store = self._cluster.store
        if item in _TAKES:
            self._cluster.now += _TAKES[item]
        elif item in {Item.STORE_DOWN, Item.STORE_UP}:
            store.is_down = item is Item.STORE_DOWN
        elif item is Item.STORE_STUCK:
            store.hang()
        elif item is Item.STORE_RELEASED:
            store.release()
        else:
            return False
        return True


@dataclass
class Recorder:
    """An observer that remembers everything."""

    batches: list[BatchFacts] = field(default_factory=list)
    told: list[ScoreFacts] = field(default_factory=list)
    epochs: list[EpochFacts] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    rebalances: list[tuple[RebalanceEvent, tuple[int, ...]]] = field(default_factory=list)
    transactions: list[TransactionResult] = field(default_factory=list)
    rollbacks: list[RollbackReason] = field(default_factory=list)
    pauses: list[bool] = field(default_factory=list)

    def batch(self, facts: BatchFacts) -> None:
        self.batches.append(facts)

    def scores(self, facts: ScoreFacts) -> None:
        self.told.append(facts)

    def epoch(self, facts: EpochFacts) -> None:
        self.epochs.append(facts)

    def state(self, state: State) -> None:
        self.states.append(state)

    def rebalance(self, event: RebalanceEvent, partitions: Collection[int]) -> None:
        self.rebalances.append((event, tuple(partitions)))

    def transaction(self, result: TransactionResult) -> None:
        self.transactions.append(result)

    def rollback(self, reason: RollbackReason) -> None:
        self.rollbacks.append(reason)

    def paused(self, *, on: bool) -> None:
        self.pauses.append(on)
