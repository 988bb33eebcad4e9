"""A job on the session's broker: what it was given, and what it must have made of that.

What is done to its processes stands in the tests of the faults; how it is judged, in the checker.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, TopicPartition

from tests.brokers.kafka import Kafka
from tests.chaos.checker import Folds, check
from tests.chaos.evidence import Model, Where, gather
from tests.chaos.honest import Raw, events
from tests.chaos.life import Life, Nest
from tests.jobs import Job

EXACTLY_ONCE = "exactly_once"
# The shortest session that a broker allows.
SHORT_SESSION = "kafka.librdkafka.session.timeout.ms=6000"


@dataclass
class Trial:
    """A job, all that it was given, and what it must have made of that.

    Attributes
    ----------
    nest : Nest
        Starts its processes.
    job : Job
        Its names.
    delivery, scope : str
        As in the settings.
    words : tuple of str
        Further settings of every start, as `key=value`.
    instance : str
        Of every start that names no other: so that a restart joins at once. Empty: none.
    given : list
        Records produced so far, in order.
    """

    nest: Nest
    job: Job
    delivery: str = "at_least_once"
    scope: str = "global"
    words: tuple[str, ...] = ()
    instance: str = "one"
    given: list[Raw] = field(default_factory=list)
    _model: Model = field(init=False)
    _folds: Folds = field(init=False)
    _reader: Consumer = field(init=False)

    def __post_init__(self) -> None:
        self.judge_by(Model())
        self._reader = Consumer(
            {
                "bootstrap.servers": self.job.kafka.bootstrap_servers,
                "group.id": self.job.group,
                "enable.auto.commit": False,
                # Else it would wait for the end of a dead process's transaction.
                "isolation.level": "read_uncommitted",
                "log_level": 2,
            }
        )

    def judge_by(self, model: Model) -> None:
        """Say what it learns where the settings name another model."""
        self._model, self._folds = model, Folds(model)

    @property
    def store(self) -> Path:
        """Root folder of the checkpoints."""
        return self.job.folder / self.job.group

    @contextlib.contextmanager
    def running(
        self,
        *words: str,
        failpoint: str = "",
        instance: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Iterator[Life]:
        """Start a process; killed at the end of the block if it lives then."""
        own: tuple[str, ...] = (f"output.delivery={self.delivery}", f"learning.scope={self.scope}")
        instance = self.instance if instance is None else instance
        own += (f"input.instance={instance}",) if instance else ()
        settings = [word for each in (*own, *self.words, *words) for word in ("--set", each)]
        log = self.job.folder / f"{self.job.group}-{time.monotonic_ns()}.log"
        log.touch()
        command = ["run", str(self.job.file), *settings]
        pid = self.nest.start(command, {"STREAMFIT_FAILPOINT": failpoint, **(env or {})}, log)
        life = Life(self.nest, pid, log)
        try:
            yield life
        finally:
            if life.code is None:
                os.kill(pid, signal.SIGKILL)
                life.end()

    @contextlib.contextmanager
    def without_store(self) -> Iterator[None]:
        """Put a file where the store's folder was, as if its mount had gone."""
        away = self.store.with_suffix(".away")
        self.store.rename(away)
        self.store.touch()
        try:
            yield
        finally:
            self.store.unlink()
            away.rename(self.store)

    def run_to_the_end(self, *words: str) -> str:
        """Run until all that was given is committed, and end in order; gives the log."""
        with self.running(*words) as life:
            life.address()  # from then on it can be asked to end
            self.settle(life)
            life.stop()
            return life.told()

    def give(self, count: int) -> None:
        """Produce so many new events."""
        self.add(events(len(self.given) + count)[len(self.given) :])

    def add(self, records: list[Raw]) -> None:
        """Produce these records."""
        self.given += records
        self.job.produce(records)

    def settle(self, life: Life) -> None:
        """Wait until all that was given is committed."""
        life.until(lambda: self.committed() >= len(self.given))

    def places(self) -> dict[int, TopicPartition]:
        """Ask for the committed offsets, with their metadata, of the partitions that have any."""
        found = self.job.committed_by(self._reader)
        return {place.partition: place for place in found if place.offset >= 0}

    def committed(self) -> int:
        """Give the number of records below the committed offsets."""
        return sum(place.offset for place in self.places().values())

    def keys(self) -> set[str]:
        """Give the names of the checkpoints that the committed offsets point to."""
        return {json.loads(place.metadata or "")["key"] for place in self.places().values()}

    def files(self) -> set[str]:
        """Give the names of all files in the store."""
        found = (path for path in self.store.rglob("*") if path.is_file())
        return {path.relative_to(self.store).as_posix() for path in found}

    def violations(
        self, faults: int = 0, life: Life | None = None, *, complete: bool = True
    ) -> list[str]:
        """Hold what is there against a fold by plain scikit-learn; nothing may move meanwhile."""
        job = self.job
        names = (job.topic, job.predictions, job.dead_letters, job.group)
        found = check(
            gather(Where(job.kafka.bootstrap_servers, *names, self.store), self._model),
            delivery=self.delivery,
            scope=self.scope,
            metrics=None if life is None else life.metrics(),
            faults=faults,
            complete=complete,
            folds=self._folds,
        )
        return list(map(str, found))


def trial(
    nest: Nest,
    kafka: Kafka,
    folder: Path,
    *words: str,
    delivery: str = "at_least_once",
    scope: str = "global",
    partitions: int = 1,
) -> Trial:
    """Make a job, with nothing given to it yet."""
    return Trial(nest, Job(kafka, folder, partitions), delivery, scope, words)
