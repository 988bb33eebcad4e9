"""A job at work on three brokers while they fail: what is waited for, and what is judged.

What is done to the brokers is not decided here.
"""

import contextlib
import logging
import os
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.brokers.cluster import ThreeBrokers
from tests.chaos.checker import check
from tests.chaos.evidence import Model, Where, gather
from tests.chaos.kafka_reading import ALL, COMMITTED, consumer_of, settled_ends
from tests.chaos.lookout import TICK_S, Lookout, is_green
from tests.jobs import TIMEOUT_S, Job, Running, samples

_log = logging.getLogger("tests.siege")
PARTITIONS = 2
# Longer than whatever a client waits for by itself.
HEALING_S = 100.0


class Siege:
    """A global model, learned by one or more processes.

    Parameters
    ----------
    brokers : ThreeBrokers
        The cluster.
    folder : Path
        Takes settings, store and logs.
    delivery : {"at_least_once", "exactly_once"}
        What is promised of predictions.

    Attributes
    ----------
    job : Job
        Names of topics and group.
    processes : list of Running
        In the order of their start.
    lookout : Lookout
        Writes the input, and watches the first process.
    """

    def __init__(self, brokers: ThreeBrokers, folder: Path, delivery: str) -> None:
        self.job = Job(brokers, folder, PARTITIONS)
        self.processes: list[Running] = []
        self.lookout = Lookout(self.job)
        self._brokers = brokers
        self._delivery = delivery

    def leader_of(self, role: str) -> int:
        """Give the node that leads the topic of this role, or coordinates."""
        if role == "group":
            return self._brokers.group_coordinator()
        if role == "transactions":
            return self._brokers.transaction_coordinator()
        return self._brokers.leader_of(str(getattr(self.job, role)))

    def wait(self, condition: Callable[[], bool], what: str, timeout_s: float = HEALING_S) -> float:
        """Wait until something is true while all processes live; gives the seconds it took."""
        began = time.monotonic()
        while not condition():
            self._check_alive()
            passed = time.monotonic() - began
            assert passed < timeout_s, f"not in {timeout_s:g} s: {what}\n{self._logs()}"
            time.sleep(TICK_S)
        return time.monotonic() - began

    def last(self, seconds: float) -> None:
        """Let time pass: that a fault lasts is what is tested."""
        end_s = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() >= end_s, "the end of a fault", seconds + HEALING_S)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Wait until the first process has stopped at its failpoint; at the end it goes on."""
        running, self.lookout.watched = self.processes[0], None  # its probes cannot answer
        options = os.WSTOPPED | os.WNOWAIT | os.WNOHANG
        self.wait(lambda: bool(os.waitid(os.P_PID, running.process.pid, options)), "its stop")
        yield
        running.process.send_signal(signal.SIGCONT)
        self.lookout.watched = running

    def logged(self, text: str) -> float:
        """Wait until the first process has logged a text; gives the seconds that took."""
        return self.wait(lambda: text in self.processes[0].log.read_text(), text)

    def caught_up(self, what: str) -> float:
        """Wait until all that is written up to now is committed; tells and gives the seconds."""
        sent = self.lookout.traffic.sent
        seconds = self.wait(lambda: self.lookout.committed >= sent, f"{sent} records committed")
        _log.info("%s: %s: %.1f s", self._delivery, what, seconds)
        return seconds

    def has_open_transaction(self, wait_s: float) -> bool:
        """Tell whether one holds back predictions, for at least so many seconds from now on."""
        address = self._brokers.bootstrap_servers, self.job.group
        with consumer_of(*address, COMMITTED) as reader, consumer_of(*address, ALL) as bystander:
            ends = settled_ends(reader, bystander, [self.job.predictions], wait_s)
        return any(end.stable != end.high for end in ends)

    def metrics(self) -> Counter[str]:
        """Scrape all processes, and add up."""
        told: Counter[str] = Counter()
        for running in self.processes:
            with urllib.request.urlopen(running.address() + "/metrics", timeout=TIMEOUT_S) as page:
                told.update(samples(page.read().decode()))
        return told

    def end(self) -> None:
        """Write no more, wait for lag 0, end everything in order, and judge what is left."""
        lookout = self.lookout
        lookout.traffic.end()
        self.caught_up("the rest")
        self.wait(lambda: total(self.metrics(), "consumer_lag_records") == 0, "lag 0")
        told = self.metrics()
        lookout.watched = None
        for running in self.processes:
            running.stop()
        rollbacks = round(total(told, "rollbacks_total"))
        _log.info("%s: %d records, %d ways back", self._delivery, lookout.traffic.sent, rollbacks)
        job = self.job
        where = Where(
            *(self._brokers.bootstrap_servers, job.topic, job.predictions, job.dead_letters),
            *(job.group, job.folder / job.group),
        )
        found = check(
            gather(where, Model()),
            delivery=self._delivery,
            scope="global",
            metrics=told,
            history=lookout.history,
            faults=rollbacks,
        )
        assert not found, "\n".join([*map(str, found), self._logs()])
        dead = [look for look in lookout.looks if not look.live]
        assert not dead, f"{len(dead)} of {len(lookout.looks)} looks found it dead\n{self._logs()}"

    def _check_alive(self) -> None:
        for number, running in enumerate(self.processes):
            code = running.process.poll()
            assert code is None, f"process {number} ended with {code}\n{self._logs()}"

    def _logs(self) -> str:
        return "\n".join(f"--- {each.log}\n{each.log.read_text()}" for each in self.processes)


@contextlib.contextmanager
def siege(
    brokers: ThreeBrokers, folder: Path, delivery: str, *words: str, processes: int = 1
) -> Iterator[Siege]:
    """Start a job, and wait until the first process has committed and the others stand by."""
    found = Siege(brokers, folder, delivery)
    words = ("--set", f"output.delivery={delivery}", *words)
    with ExitStack() as stack:
        for number in range(processes):
            running = stack.enter_context(found.job.running(*words))
            found.processes.append(running)
            running.address()
            if number == 0:
                found.lookout.watched = running
                stack.enter_context(found.lookout.at_work())
                found.wait(lambda: found.lookout.committed > 0, "a first commit")
            else:
                found.wait(partial(is_green, running, "/readyz"), "a standby")
        yield found


def total(told: Mapping[str, float], name: str) -> float:
    """Add up a metric over its labels."""
    return sum(value for key, value in told.items() if key.startswith(f"streamfit_{name}"))
