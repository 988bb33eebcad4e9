"""Starts of the program on a cluster in memory: the real loop, put together as `wiring` does it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from consumers.checkpoints.recovery import Policies
from consumers.checkpoints.series import Checkpoints
from consumers.kafka.membership import JoinsAtOnce, Membership
from consumers.loop.clocks import Clocks
from consumers.loop.delivery import AtLeastOnce, Delivery, ExactlyOnce
from consumers.loop.failpoints import Reach, nothing
from consumers.loop.flow import Flow
from consumers.loop.learning import Learning
from consumers.loop.limits import DeadLetterLimits
from consumers.loop.parts import Pace, Parts
from consumers.loop.restoring import Makers, Restorer
from consumers.loop.runner import Runner
from learners.decoding import JsonDecoder
from learners.general import GeneralLearner
from learners.learner import Learner, Task
from learners.model_spec import StepSpec
from learners.pipeline import build_pipeline
from metrics.prequential import make_scores
from producers.dead_letters import dead_letter
from producers.encoding import PredictionEncoder
from producers.sink import Sink
from producers.transactional_sink import TransactionalSink
from tests.fake_sinks import FakeSink, FakeTransactionalSink
from tests.fakes import Cluster, FakeSource, Group, Recorder
from tests.lineages import open_checkpoints
from tests.promises import CLASSES, Audit, ChainLearner
from tests.records import SCHEMA

LINEAR = (StepSpec("StandardScaler", {}), StepSpec("SGDClassifier", {"loss": "log_loss"}))


class Killed(BaseException):
    """kill -9: nothing catches it, and nothing is tidied up after it."""


class KillsAt:
    """Dies when a failpoint is reached for the nth time."""

    def __init__(self, name: str, time: int) -> None:
        self._name = name
        self._left = time

    def __call__(self, name: str) -> None:
        self._left -= name == self._name
        if self._left == 0 and name == self._name:
            raise Killed


def linear_learner(*steps: StepSpec) -> GeneralLearner:
    """Make a small scikit-learn model."""
    return GeneralLearner(build_pipeline(steps or LINEAR), CLASSES)


def new_learning(learner: Learner | None = None, run: int = 100) -> Learning:
    """Make everything that learns, with nothing learned yet."""
    scores = make_scores(Task.CLASSIFICATION, 2)
    return Learning(learner or linear_learner(), scores, DeadLetterLimits(1000, 1000, run))


def new_flow(cluster: Cluster, sink: Sink, learning: Learning, reach: Reach = nothing) -> Flow:
    """Make the way of a batch through a model."""
    return Flow(
        decoder=JsonDecoder(SCHEMA),
        learning=learning,
        encoder=PredictionEncoder(CLASSES, 1),
        sink=sink,
        letter=partial(dead_letter, version="0.0"),
        clocks=Clocks(lambda: cluster.now, lambda: cluster.now),
        reach=reach,
    )


def checkpoints_of(cluster: Cluster, scope: str = "global", **changed: Any) -> Checkpoints:
    """Open the checkpoints of a cluster's store."""
    return open_checkpoints(cluster.store, scope=scope, **changed)


@dataclass
class Process:
    """One start of the program; what it holds dies with it."""

    cluster: Cluster
    delivery: str = "at_least_once"
    scope: str = "global"
    policies: Policies = field(default_factory=Policies)
    max_uncheckpointed: int = 10**6
    run_limit: int = 100
    learner: Callable[[], Learner] = ChainLearner
    membership: Membership = field(default_factory=JoinsAtOnce)
    group: Group | None = None
    reach: Reach = nothing
    writer: str = "streamfit-group"
    seen: Recorder = field(default_factory=Recorder)

    def run(self, script: Iterable[Any]) -> "Process":
        """Work a script off and stop in order; errors come out as they are."""
        self.start(script)
        killed = False
        try:
            self.runner.run()
        except Killed:
            killed = True
            raise
        finally:
            if not killed:
                self.close()
            assert self.cluster.violations == []
        return self

    def start(self, script: Iterable[Any]) -> "Process":
        """Put everything together; `turn` does one round."""
        cluster = self.cluster
        cluster.armed.clear()
        cluster.store.reach = self.reach
        if not isinstance(cluster.audit, Audit):
            chained = self.learner is ChainLearner
            cluster.audit = Audit(once=self.delivery == "exactly_once", chained=chained)
        self.source = FakeSource(cluster, script, self.group)
        self.sink, delivery = self._delivery()
        parts = Parts(
            source=self.source,
            sink=self.sink,
            delivery=delivery,
            restorer=Restorer(
                self.source,
                self._makers(),
                self.policies,
                partitioned=self.scope == "partition",
                reach=self.reach,
            ),
            membership=self.membership,
            observer=self.seen,
            reach=self.reach,
        )
        clocks = Clocks(lambda: cluster.now, lambda: cluster.now)
        self.runner = Runner(parts, Pace(1.0, 0.25, clocks, self.max_uncheckpointed))
        self.source.at_end = self.runner.stop
        return self

    def turn(self) -> None:
        """Do one round."""
        self.runner.turn()

    @property
    def works(self) -> bool:
        """Whether a model is at work in it."""
        return len(self.runner._lanes) > 0

    def close(self) -> None:
        """Let go of the cluster, as the program does in the end."""
        self.sink.close()
        self.source.close()

    def _delivery(self) -> tuple[FakeSink, Delivery]:
        if self.delivery == "at_least_once":
            sink = FakeSink(self.cluster)
            return sink, AtLeastOnce(self.source, sink)
        transactional = FakeTransactionalSink(self.cluster, self.writer, self.reach)
        client = cast("TransactionalSink", transactional)
        return transactional, ExactlyOnce(self.source, client, self.seen)

    def _makers(self) -> Makers:
        return Makers(
            learning=lambda: new_learning(self.learner(), self.run_limit),
            flow=lambda learning: new_flow(self.cluster, self.sink, learning, self.reach),
            checkpoints=lambda scope: checkpoints_of(self.cluster, scope),
        )
