"""What an event costs, by the length of the backlog that it stands in.

The processor's time is counted inside of the process, from the moment it begins to read until the
last event is committed: from outside, much of a short backlog is fetched before the first
prediction tells that it has begun. What does not depend on the length is taken off: it is what a
backlog of `FEW` events costs.

A process for each run: `python -m tests.benchmarks.backlog SETTINGS EVENTS` prints a line of JSON.
"""

import json
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil

from consumers.commands.run import work
from consumers.loop.signals import StopWish
from consumers.settings import load
from consumers.views.observers import Observers
from metrics.facts import BatchFacts, EpochFacts, State
from tests.benchmarks.apart import figures_of
from tests.benchmarks.contest import Ground, settings_file
from tests.benchmarks.ground import Say, filled
from tests.benchmarks.observing import high_water
from tests.benchmarks.reading import read_back
from tests.benchmarks.reference import judge
from tests.benchmarks.workload import create_topic, delete_topics
from tests.brokers.server import Server

FEW = 1_000
_MODULE = "tests.benchmarks.backlog"
_TIMEOUT_S = 600.0
# Short ones last a moment, and what else the machine does then weighs more.
_ROUNDS = {1_000_000: 7, 10_000_000: 5}
_ROUNDS_OF_LONG = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One backlog, worked off: seconds of the processor and of the clock, MiB at most."""

    cpu_s: float
    seconds: float
    peak_mib: float


def measure(server: Server, backlogs: Sequence[int], most: int, say: Say) -> dict[str, Any]:
    """Work backlogs of different length off, in turn; gives medians by length.

    Parameters
    ----------
    server : Server
        The broker.
    backlogs : sequence of int
        Lengths, in events.
    most : int
        How often each is worked off, at most.
    say : callable
        Takes lines for people.
    """
    grounds = {events: filled(server, events, say) for events in (FEW, *sorted(backlogs))}
    runs: dict[int, list[Run]] = {events: [] for events in grounds}
    with worked_off(_MODULE, grounds[min(backlogs)]):
        pass  # uncounted, to warm the broker up
    equal: dict[int, bool] = {}
    for number in range(most):
        for events, ground in grounds.items():
            if number >= _rounds(events):
                continue
            with worked_off(_MODULE, ground) as (figures, output):
                if not number:  # once: to read them back takes longer than to make them
                    equal[events] = _is_equal(ground, output)
            runs[events].append(Run(**figures))
            say(f"{events:,} events: {runs[events][-1]}")
    for ground in grounds.values():
        delete_topics(ground.bootstrap, ground.topic)
    always = statistics.median(run.cpu_s for run in runs[FEW])
    return {
        str(events): {
            "runs": len(runs[events]),
            "rate": events / statistics.median(run.seconds for run in runs[events]),
            "cpu_s": (statistics.median(run.cpu_s for run in runs[events]) - always)
            / (events - FEW)
            * 1e6,
            "peak_mib": max(run.peak_mib for run in runs[events]),
            "equal": equal[events],
        }
        for events in sorted(backlogs)
    }


def _rounds(events: int) -> int:
    return next((rounds for most, rounds in _ROUNDS.items() if events < most), _ROUNDS_OF_LONG)


@contextmanager
def worked_off(module: str, ground: Ground) -> Iterator[tuple[dict[str, Any], str]]:
    """Let a module work a topic off in a process of its own.

    Parameters
    ----------
    module : str
        Is given settings and the number of events; prints figures as a line of JSON.
    ground : Ground
        The topic.

    Yields
    ------
    dict
        The figures.
    str
        The topic of the predictions, which is gone afterwards.
    """
    output = f"bench-{uuid4().hex[:8]}"
    topics = (output, f"{output}-dlq")
    for topic in topics:
        create_topic(ground.bootstrap, topic)
    with tempfile.TemporaryDirectory(prefix="streamfit-bench-") as folder:
        names = {"bootstrap": ground.bootstrap, "input": ground.topic, "group": output}
        file = settings_file(Path(folder), "at_least_once", {**names, "output": output})
        figures = figures_of(module, str(file), str(ground.events), timeout_s=_TIMEOUT_S)
    yield figures, output
    delete_topics(ground.bootstrap, *topics)


def _is_equal(ground: Ground, output: str) -> bool:
    """Tell whether all predictions are there, and as recomputed."""
    verdict = judge(read_back(ground.bootstrap, output))
    return verdict.is_equal and verdict.compared == ground.events


class Meter(Observers):
    """An observer that stops a run once so many events are committed, and tells what they took.

    Parameters
    ----------
    events : int
        How many.
    """

    def __init__(self, events: int) -> None:
        super().__init__(())
        self._left = events
        self._began = self._ended = (0.0, 0.0)

    def state(self, state: State) -> None:
        """Begin to count when reading begins."""
        if state is State.RUNNING:
            self._began = _now()

    def batch(self, facts: BatchFacts) -> None:
        """Ask for an end after the last event, which ends the epoch."""
        self._left -= facts.consumed
        if self._left <= 0:
            signal.raise_signal(signal.SIGTERM)

    def epoch(self, facts: EpochFacts) -> None:
        """End with the epoch of the last event."""
        if facts.ok and self._left <= 0:
            self._ended = _now()

    def run(self) -> Run:
        """Tell what it took."""
        cpu, clock = (end - begin for begin, end in zip(self._began, self._ended, strict=True))
        return Run(cpu, clock, high_water([psutil.Process()]) / 1024**2)


def _now() -> tuple[float, float]:
    return time.process_time(), time.monotonic()


def main() -> None:
    """Work off what the command line names."""
    settings, meter = load(Path(sys.argv[1])), Meter(int(sys.argv[2]))
    with StopWish() as wish:
        work(settings, wish, more=[meter])
    print(json.dumps(asdict(meter.run())))  # noqa: T201 its output


if __name__ == "__main__":
    main()
