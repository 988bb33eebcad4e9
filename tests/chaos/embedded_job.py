"""A job on the brokers inside the test process that fail on demand.

What is asked of it is in `trial`, the faults are in `tests.brokers.faulty`.
"""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.faulty import FaultyBroker
from tests.chaos.life import Life, Nest
from tests.chaos.trial import Trial
from tests.jobs import Job

# These brokers take any session time-out, and let a rebalance last a second less than that.
SHORT_SESSION = (
    "kafka.librdkafka.session.timeout.ms=2000",
    "kafka.librdkafka.heartbeat.interval.ms=200",
)


class Embedded:
    """Gives topics and names as a job takes them.

    Parameters
    ----------
    brokers : FaultyBroker
        Three brokers.
    """

    def __init__(self, brokers: FaultyBroker) -> None:
        self._brokers = brokers
        self._numbers = itertools.count(1)

    @property
    def bootstrap_servers(self) -> str:
        """Their addresses."""
        return self._brokers.bootstrap_servers

    def unique(self, prefix: str) -> str:
        """Give a new name."""
        return f"{prefix}-{next(self._numbers)}"

    def create_topic(self, partitions: int = 1) -> str:
        """Make a topic that any of the brokers may lead."""
        return self._brokers.create_topic(self.unique("topic"), partitions, replication=3)


def embedded_trial(
    nest: Nest, brokers: FaultyBroker, folder: Path, scope: str = "global", partitions: int = 1
) -> Trial:
    """Make a job, with nothing given to it yet."""
    job = Job(Embedded(brokers), folder, partitions)
    return Trial(nest, job, scope=scope, words=SHORT_SESSION)


@contextlib.contextmanager
def started(tried: Trial, *words: str, instance: str = "one") -> Iterator[Life]:
    """Start a process, and wait until it is at work."""
    with tried.running(*words, instance=instance) as life:
        life.until(lambda: life.log.exists() and "state: running" in life.told())
        yield life
