"""Replicas as processes: started, killed, frozen, asked to leave, and started again when they end.

What is done to which one, and when, is not decided here.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESTARTED = (3, 4)  # Kafka away, fenced: any supervisor starts it again
LAST_LINES = 15


class ReplicaError(Exception):
    """A replica ended as none may, whatever is done to it."""


@dataclass
class Replica:
    """One place in the fleet, and the process that fills it now.

    Attributes
    ----------
    name : str
        Its `client.id`, and its `group.instance.id` where members are static.
    pid : int or None
        Its process; None while it is down.
    log : Path or None
        What the present or last process wrote.
    stopped, mortal, leaving : bool
        Whether it is frozen, may die by SIGKILL, was asked to leave.
    code : int or None
        How the last process ended; negative: by that signal.
    lives : int
        Processes started so far.
    """

    name: str
    pid: int | None = None
    log: Path | None = None
    stopped: bool = False
    mortal: bool = False
    leaving: bool = False
    code: int | None = None
    lives: int = 0


class Fleet:
    """Replicas of one job, and a supervisor that restarts those that end with exit code 3 or 4.

    Parameters
    ----------
    nursery : subprocess.Popen
        What `open_nursery` gave.
    settings : Path
        The job's settings file.
    words : sequence of str
        Further arguments of `streamfit run`.
    logs : Path
        Folder that takes one log for each process.
    static : bool
        Whether replicas have names in the group, and come back to their places.
    """

    def __init__(
        self,
        nursery: "subprocess.Popen[str]",
        settings: Path,
        words: Sequence[str],
        logs: Path,
        *,
        static: bool = True,
    ) -> None:
        self.restarts: Counter[int] = Counter()
        self.replicas: dict[str, Replica] = {}
        self._nursery = nursery
        self._settings = settings
        self._words = words
        self._logs = logs
        self._static = static
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, failpoint: str = "") -> None:
        """Start a replica that is down, armed with a failpoint or not."""
        replica = self.replicas.setdefault(name, Replica(name))
        if replica.pid is not None:
            return
        replica.lives += 1
        replica.log = self._logs / f"{name}-{replica.lives:03}.log"
        overrides = [*self._words, f"kafka.librdkafka.client.id={name}"]
        if self._static:
            overrides.append(f"input.instance={name}")
        words = ["run", str(self._settings)]
        words += [word for each in overrides for word in ("--set", each)]
        env = {"STREAMFIT_FAILPOINT": failpoint}
        replica.pid = self._ask({"words": words, "env": env, "log": str(replica.log)})
        replica.stopped = replica.leaving = False
        replica.mortal = failpoint.endswith("=kill")
        replica.code = None

    def kill(self, name: str) -> None:
        """Send SIGKILL."""
        self.replicas[name].mortal = True
        self._signal(name, signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """Send SIGSTOP."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Send SIGCONT."""
        self._signal(name, signal.SIGCONT)

    def dismiss(self, name: str, *, again: bool = False) -> None:
        """Send SIGTERM: it has to end in order; a second one only if told so."""
        if again or not self.replicas[name].leaving:
            self.replicas[name].leaving = True
            self._signal(name, signal.SIGTERM)

    def up(self) -> list[str]:
        """Names of the replicas that have a process, frozen ones too."""
        return sorted(name for name, each in self.replicas.items() if each.pid is not None)

    def down(self) -> list[str]:
        """Names of those that have none."""
        return sorted(name for name, each in self.replicas.items() if each.pid is None)

    def is_down(self, name: str) -> bool:
        """Tell whether one has none."""
        return self.replicas[name].pid is None

    def watch(self) -> None:
        """Take note of what happened to the processes, and restart those that a supervisor would.

        Raises
        ------
        ReplicaError
            If one ended otherwise than it was made to.
        """
        by_pid = {each.pid: each for each in self.replicas.values() if each.pid is not None}
        for pid, what, code in self._ask({}):
            replica = by_pid.get(pid)  # None: a process of a fleet before this one
            if replica is None:
                continue
            replica.stopped = what == "stopped"
            if what == "ended":
                self._ended(replica, code)

    def close(self) -> None:
        """Kill whatever still lives."""
        for name in self.up():
            with contextlib.suppress(ProcessLookupError):
                self.kill(name)

    def _ended(self, replica: Replica, code: int) -> None:
        replica.pid, replica.code = None, code
        if code in RESTARTED:
            self.restarts[code] += 1
            if not replica.leaving:
                self.start(replica.name)
            return
        killed = code == -signal.SIGKILL and replica.mortal
        left = code == 0 or (code == -signal.SIGTERM and not _has_begun(replica))
        if not (killed or (left and replica.leaving)):
            raise ReplicaError(f"{replica.name} ended with {code}\n{last_words(replica)}")

    def _signal(self, name: str, number: signal.Signals) -> None:
        pid = self.replicas[name].pid
        if pid is not None:  # not reaped before `watch`, so the number is nobody else's
            os.kill(pid, number)

    def _ask(self, request: dict[str, Any]) -> Any:
        stdin, stdout = self._nursery.stdin, self._nursery.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(request) + "\n")
        stdin.flush()
        return json.loads(stdout.readline())


@contextlib.contextmanager
def open_nursery(settings: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start the process that replicas are forked from; at the end it and they are gone."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.nursery", str(settings)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # ctrl-C is for the harness, which then ends this
        # Threads of a linear algebra library do not live through a fork.
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise ReplicaError(f"the nursery ended with {process.wait()}")
        yield process
    finally:
        process.communicate()


def _has_begun(replica: Replica) -> bool:
    """Tell whether a process came as far as to handle signals."""
    return replica.log is not None and replica.log.exists() and bool(replica.log.read_bytes())


def last_words(replica: Replica) -> str:
    """Give the end of a replica's log."""
    if replica.log is None or not replica.log.exists():
        return ""
    lines = replica.log.read_text(errors="replace").splitlines()
    return "\n".join([str(replica.log), *lines[-LAST_LINES:]])
