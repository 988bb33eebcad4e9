"""A cluster of one topic in memory: a source and a sink that keep to their contracts.

Failures are data: a run is a script such as `[5, DELIVERY_FAILS, EPOCH]`, worked off one item at
each read.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any

from consumers.checkpoints import Checkpoints
from consumers.errors import KafkaUnreachableError
from consumers.flow import Flow
from consumers.learning import Learning
from consumers.limits import DeadLetterLimits
from consumers.recovery import Recovery
from consumers.runner import Pace, Parts, Runner
from consumers.source import Change, Committed, only
from consumers.store import LocalStore
from learners.decoding import JsonDecoder
from learners.events import Records
from learners.general import GeneralLearner
from learners.learner import Task
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from metrics.facts import BatchFacts, EpochFacts, RebalanceEvent, ScoreFacts, State
from metrics.prequential import make_scores
from producers.dead_letters import DeadLetter
from producers.encoding import PredictionEncoder, Record
from producers.sink import DeliveryError
from tests.records import SCHEMA, joined, records_of

GROUP, TOPIC, SCOPE = "group", "events", "global"


class Item(Enum):
    """What a script holds beside the numbers of records to read."""

    NOTHING = auto()  # a read that brings nothing
    EPOCH = auto()  # so much time passes that the epoch is over
    DELIVERY_FAILS = auto()  # the next flush fails
    SAVE_FAILS = auto()  # the store refuses the next checkpoint
    COMMIT_FAILS = auto()  # the next commit is refused
    COMMIT_IS_TORN = auto()  # the next commit arrives for the first partition only
    ASSIGN = auto()
    REVOKE = auto()
    LOSE = auto()
    WITH_RECORDS = auto()  # what comes next happens in a read that brings three records too
    GROW = auto()  # the topic gets one more partition, and this member owns it


@dataclass
class Cluster:
    """What outlives a process: the topic, the group's offsets, what was written."""

    topic_id: str | None = "id-1"
    log: dict[int, list[bytes | None]] = field(default_factory=lambda: {0: []})
    first: dict[int, int] = field(default_factory=dict)
    committed: dict[int, Committed] = field(default_factory=dict)
    predictions: list[Record] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    armed: set[Item] = field(default_factory=set)
    now: float = 100.0

    def fails(self, item: Item) -> bool:
        """Tell whether a failure is due; it happens once."""
        due = item in self.armed
        self.armed.discard(item)
        return due


class FakeSource:
    """A `Source` of a cluster; keeps to the callbacks' order of the real client."""

    def __init__(self, cluster: Cluster, script: Iterable[int | Item]) -> None:
        self.at_end: Callable[[], None] = lambda: None
        self.assigned: list[dict[int, int]] = []
        self._cluster = cluster
        self._script: Iterator[int | Item] = iter(script)
        self._owned: set[int] = set()
        self._positions: dict[int, int] = {}
        self._changes: list[Change] = []
        self._on_revoke: Callable[[], None] = lambda: None

    def own(self, partitions: Collection[int]) -> None:
        """Get partitions, as a rebalance gives them."""
        if not partitions:
            return
        self._owned.update(partitions)
        self._changes.append(Change(RebalanceEvent.ASSIGNED, tuple(sorted(partitions))))

    def subscribe(self, on_revoke: Callable[[], None]) -> None:
        self._on_revoke = on_revoke
        self.own(self._cluster.log.keys())

    def read(self, timeout_s: float) -> Records | None:
        assert timeout_s > 0
        if not self._positions and self._changes:
            return None
        for item in self._script:
            if isinstance(item, int):
                return self._take(item)
            if item is Item.WITH_RECORDS:
                records = self._take(3)
                assert self.read(timeout_s) is None
                return records
            if self._happens(item):
                return None
            self._cluster.armed.add(item)
        self.at_end()
        return None

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
        nothing = Committed(None, "")
        return {p: self._cluster.committed.get(p, nothing) for p in sorted(self._owned)}

    def bounds(self, partition: int) -> tuple[int, int]:
        return self._cluster.first.get(partition, 0), len(self._cluster.log[partition])

    def assign(self, next_offsets: Mapping[int, int]) -> None:
        self._positions = dict(next_offsets)
        self.assigned.append(dict(next_offsets))

    def commit(self, next_offsets: Mapping[int, int], metadata: str) -> None:
        if self._cluster.fails(Item.COMMIT_FAILS):
            raise KafkaUnreachableError("commit refused")
        self._cluster.journal.append("commit")
        torn = self._cluster.fails(Item.COMMIT_IS_TORN)
        for partition, offset in sorted(only(next_offsets, self._owned).items()):
            self._cluster.committed[partition] = Committed(offset, metadata)
            if torn:
                raise KafkaUnreachableError("commit refused for some")

    def lag(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        return {p: self.bounds(p)[1] - next_offsets[p] for p in self._positions}

    def close(self) -> None:
        """Leave the group: the client calls back once more while it still owns everything."""
        if self._owned:
            self._give_up(RebalanceEvent.REVOKED)

    def _take(self, count: int) -> Records | None:
        """Read from each partition in turn, the lowest first."""
        parts = []
        for partition, position in sorted(self._positions.items()):
            values = self._cluster.log[partition][position : position + count]
            parts.append(records_of(values, partition=partition, first=position))
            self._positions[partition] += len(values)
        return joined(parts) if sum(map(len, parts)) else None

    def _happens(self, item: Item) -> bool:
        """Let something happen within a read; False for what happens later."""
        if item is Item.EPOCH:
            self._cluster.now += 1.0
        elif item is Item.ASSIGN:
            self.own(self._cluster.log.keys() - self._owned)
        elif item is Item.REVOKE:
            self._give_up(RebalanceEvent.REVOKED)
        elif item is Item.LOSE:
            self._give_up(RebalanceEvent.LOST)
        elif item is Item.GROW:
            new = len(self._cluster.log)
            self._cluster.log[new] = list(self._cluster.log[0])
            self.own([new])
        return item in {
            *(Item.NOTHING, Item.EPOCH, Item.ASSIGN),
            *(Item.REVOKE, Item.LOSE, Item.GROW),
        }

    def _give_up(self, event: RebalanceEvent) -> None:
        if event is RebalanceEvent.REVOKED:
            self._on_revoke()
        self._changes.append(Change(event, tuple(sorted(self._owned))))
        self._owned, self._positions = set(), {}


class FakeSink:
    """A `Sink` of a cluster: what is handed over arrives at the flush, or not at all."""

    def __init__(self, cluster: Cluster) -> None:
        self.closed = False
        self._cluster = cluster
        self._predictions: list[Record] = []
        self._letters: list[DeadLetter] = []

    def predictions(self, records: Iterable[Record]) -> int:
        before = len(self._predictions)
        self._predictions += records
        return len(self._predictions) - before

    def dead_letters(self, letters: Iterable[DeadLetter]) -> int:
        before = len(self._letters)
        self._letters += letters
        return len(self._letters) - before

    def flush(self, timeout_s: float) -> None:
        assert timeout_s > 0
        predictions, self._predictions = self._predictions, []
        letters, self._letters = self._letters, []
        if self._cluster.fails(Item.DELIVERY_FAILS):
            raise DeliveryError("1 not delivered: too large")
        self._cluster.journal.append("flush")
        self._cluster.predictions += predictions
        self._cluster.letters += letters

    def poll(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        self.closed = True


class FakeStore(LocalStore):
    """A local store that notes what is saved, and refuses when told to."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        super().__init__(root)
        self._cluster = cluster

    def put(self, key: str, data: bytes) -> None:
        if self._cluster.fails(Item.SAVE_FAILS):
            raise OSError(28, "No space left on device")
        self._cluster.journal.append("save")
        super().put(key, data)


@dataclass
class Recorder:
    """An observer that remembers everything."""

    batches: list[BatchFacts] = field(default_factory=list)
    told: list[ScoreFacts] = field(default_factory=list)
    epochs: list[EpochFacts] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    rebalances: list[tuple[RebalanceEvent, tuple[int, ...]]] = field(default_factory=list)

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


def new_learning(run: int = 100, steps: Sequence[StepSpec] | None = None) -> Learning:
    """Make a small model that has learned nothing."""
    specs = steps or [
        StepSpec("StandardScaler", {}),
        StepSpec("SGDClassifier", {"loss": "log_loss"}),
    ]
    learner = GeneralLearner(build_pipeline(specs), ("down", "up"))
    return Learning(learner, make_scores(Task.CLASSIFICATION, 2), DeadLetterLimits(1000, 1000, run))


def new_flow(cluster: Cluster, sink: FakeSink, learning: Learning) -> Flow:
    """Make the way of a batch through a model."""
    return Flow(
        decoder=JsonDecoder(SCHEMA),
        learning=learning,
        encoder=PredictionEncoder(("down", "up"), 1),
        sink=sink,
        clocks=(lambda: cluster.now, lambda: cluster.now),
        version="0.0",
    )


def checkpoints_in(folder: Path, cluster: Cluster | None = None, **changed: Any) -> Checkpoints:
    """Open the checkpoints of a folder, as a start does."""
    settings = changed.pop("settings", {"model": {"steps": [{"use": "SGDClassifier"}]}})
    names = {"group": GROUP, "topic": TOPIC, "scope": SCOPE, "keep": 3, **changed}
    store = LocalStore(folder) if cluster is None else FakeStore(folder, cluster)
    return Checkpoints(store, settings=settings, settings_hash=repr(settings), **names)


@dataclass
class Process:
    """One start of the program on a cluster; what it holds dies with it."""

    cluster: Cluster
    folder: Path
    start: str = "earliest"
    run_limit: int = 100
    seen: Recorder = field(default_factory=Recorder)
    learning: Learning | None = None

    def run(self, script: Iterable[int | Item]) -> "Process":
        """Work a script off and stop in order; errors come out as they are."""
        self.cluster.armed.clear()
        self.source = FakeSource(self.cluster, script)
        sink = FakeSink(self.cluster)
        checkpoints = checkpoints_in(self.folder, self.cluster)
        parts = Parts(
            source=self.source,
            sink=sink,
            checkpoints=checkpoints,
            recovery=Recovery(self.source, checkpoints, self.start),
            new_learning=self._new_learning,
            new_flow=lambda learning: new_flow(self.cluster, sink, learning),
            observer=self.seen,
        )
        clock = lambda: self.cluster.now  # noqa: E731 - a clock twice, by one name
        runner = Runner(parts, Pace(1.0, 0.25, clock, clock))
        self.source.at_end = runner.stop
        try:
            runner.run()
        finally:
            self.source.close()
        return self

    def _new_learning(self) -> Learning:
        self.learning = new_learning(self.run_limit)
        return self.learning
