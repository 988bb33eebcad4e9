"""What is done beside the job itself, as shares of a run's time.

The calls are timed in a process of its own, while it works a backlog off as a user's does:
`python -m tests.benchmarks.overhead SETTINGS EVENTS` prints a line of JSON.
"""

import json
import statistics
import sys
import time
from functools import wraps
from pathlib import Path
from typing import Any

from consumers.commands.run import work
from consumers.loop.epochs import Epochs
from consumers.loop.flow import Flow
from consumers.loop.limits import DeadLetterLimits
from consumers.loop.reporting import Reports
from consumers.loop.signals import StopWish
from consumers.settings import load
from consumers.views.observers import Observers
from learners.compiled import CompiledLearner
from learners.drift.monitor import DriftMonitor
from metrics.classification import ClassificationScores
from tests.benchmarks.backlog import Meter, worked_off
from tests.benchmarks.ground import Say, filled
from tests.benchmarks.workload import delete_topics
from tests.brokers.server import Server

SCORES, METRICS, GUARD, EPOCHS = (
    "scores, baselines",
    "metrics, log",
    "guard",
    "checkpoints, commits",
)
DRIFT = "drift (ADWIN)"
# Of numbers.md: all of these but drift, together; of the issue: the first alone.
BAR, BAR_OF_SCORES = 0.10, 0.05
# What the guard compares is part of the kernels; this is the copy that it goes back to.
CALLS: dict[str, tuple[tuple[type, str], ...]] = {
    SCORES: ((ClassificationScores, "update"),),
    METRICS: (
        (Observers, "batch"),
        (Observers, "scores"),
        (Observers, "epoch"),
        (Reports, "report"),
        (Flow, "_facts"),
    ),
    GUARD: ((CompiledLearner, "_remember"), (DeadLetterLimits, "update")),
    EPOCHS: ((Epochs, "advance"), (Epochs, "end")),
    DRIFT: ((DriftMonitor, "update"),),
}


class Stopwatch:
    """Adds up the time of calls by what they are for; of one inside another, only the outer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(CALLS, 0.0)
        self._is_timing = False

    def time(self, kind: type, name: str, what: str) -> None:
        """Time a method from now on, in this process."""
        method = getattr(kind, name)

        @wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._is_timing:
                return method(*args, **kwargs)
            self._is_timing, began = True, time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds[what] += time.perf_counter() - began
                self._is_timing = False

        setattr(kind, name, timed)


def measure(server: Server, events: int, rounds: int, say: Say) -> dict[str, Any]:
    """Work a topic off a few times; gives the median share of each, from 0 to 1."""
    ground = filled(server, events, say)
    runs = []
    for _ in range(rounds):
        with worked_off("tests.benchmarks.overhead", ground) as (figures, _):
            runs.append({what: figures[what] / figures["seconds"] for what in CALLS})
        say(f"{runs[-1]}")
    delete_topics(ground.bootstrap, ground.topic)
    return {
        "events": events,
        "rounds": rounds,
        "shares": {what: statistics.median(run[what] for run in runs) for what in CALLS},
    }


def main() -> None:
    """Work off what the command line names."""
    settings, meter, watch = load(Path(sys.argv[1])), Meter(int(sys.argv[2])), Stopwatch()
    for what, calls in CALLS.items():
        for kind, name in calls:
            watch.time(kind, name, what)
    with StopWish() as wish:
        work(settings, wish, more=[meter])
    print(json.dumps({"seconds": meter.run().seconds, **watch.seconds}))  # noqa: T201 its output


if __name__ == "__main__":
    main()
