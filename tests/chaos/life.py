"""Processes of the program, forked from a nursery so that a start is cheap, and what they tell.

What is done to them stands in the tests of the faults.
"""

import contextlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from tests.jobs import TIMEOUT_S, samples

_PAUSE_S = 0.02


class Nest:
    """Starts processes of the program, and knows what becomes of them.

    Parameters
    ----------
    nursery : subprocess.Popen
        What `open_nursery` gave.
    """

    def __init__(self, nursery: "Popen[str]") -> None:
        self._nursery = nursery
        self._ended: dict[int, int] = {}
        self.stopped: set[int] = set()

    def start(self, words: list[str], env: Mapping[str, str], log: Path) -> int:
        """Start `streamfit` with these words; gives its process id."""
        pid: int = self._ask({"words": words, "env": dict(env), "log": str(log)})
        return pid

    def code(self, pid: int) -> int | None:
        """Tell how a process ended; negative: by that signal; None: it lives."""
        for found, what, code in self._ask({}):
            if what == "ended":
                self._ended[found] = code
            (self.stopped.add if what == "stopped" else self.stopped.discard)(found)
        return self._ended.get(pid)

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps(request) + "\n")
        self._nursery.stdin.flush()
        return json.loads(self._nursery.stdout.readline())


@dataclass(frozen=True)
class Life:
    """One process of the program, from its start on.

    Attributes
    ----------
    nest : Nest
        Knows whether it lives.
    pid : int
        Its process id, nobody else's before its end was asked for.
    log : Path
        What it writes.
    """

    nest: Nest
    pid: int
    log: Path

    @property
    def code(self) -> int | None:
        """How it ended; None while it lives."""
        return self.nest.code(self.pid)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.code is None, self.told()
        os.kill(self.pid, number)

    def stop(self) -> None:
        """Ask it to end, which it must do in order."""
        self.send(signal.SIGTERM)
        assert self.end() == 0, self.told()

    def end(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for its end, and give its exit code."""
        deadline = time.monotonic() + timeout_s
        while (code := self.code) is None:
            assert time.monotonic() < deadline, self.told()
            time.sleep(_PAUSE_S)
        return code

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        self.send(signal.SIGKILL)
        self.end()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it stand still meanwhile."""
        self.send(signal.SIGSTOP)
        self.await_stopped()
        yield
        self.thaw()

    @property
    def is_stopped(self) -> bool:
        """Whether it stands still."""
        return self.code is None and self.pid in self.nest.stopped

    def await_stopped(self) -> None:
        """Wait until it stands still."""
        self.until(lambda: self.is_stopped)

    def thaw(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def until(self, fulfilled: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
        """Wait until something is true while it lives."""
        deadline = time.monotonic() + timeout_s
        while not fulfilled():
            assert self.code is None, (self.code, self.told())
            assert time.monotonic() < deadline, self.told()
            time.sleep(_PAUSE_S)

    def until_told(self, text: str) -> None:
        """Wait until its log has a text."""
        self.until(lambda: text in self.told())

    def told(self) -> str:
        """Give its log."""
        return self.log.read_text(errors="replace")

    def address(self) -> str:
        """Give the address of its HTTP server."""
        self.until_told("/metrics")
        return self.told().partition("metrics on ")[2].partition("/metrics")[0]

    def metrics(self) -> dict[str, float]:
        """Scrape it."""
        with urllib.request.urlopen(self.address() + "/metrics", timeout=TIMEOUT_S) as answer:
            return samples(answer.read().decode())

    def total(self, name: str) -> float:
        """Give a metric: the sum over its labels where only its name is given."""
        name = f"streamfit_{name}"
        told = self.metrics().items()
        return sum(value for key, value in told if key == name or key.startswith(name + "{"))

    def is_green(self, path: str) -> bool:
        """Tell whether a probe is."""
        try:
            with urllib.request.urlopen(self.address() + path, timeout=TIMEOUT_S):
                return True
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return False
