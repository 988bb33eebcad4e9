"""Gives birth to replicas: one process that has imported the program, and forks for each start.

The imports take 3 s of processor time, more than all the rest of a replica's short life here. A
forked child goes through the command's own entry, with arguments, environment, standard streams and
process id of its own, so that kill -9 ends it as it ends any other.

Run as `python -m tests.chaos.nursery SETTINGS`. It reads requests on standard input, one JSON
object a line, and answers each with a line: `{"words": [...], "env": {...}, "log": "..."}` starts a
replica and is answered by its process id; `{}` is answered by what happened to the replicas since,
a list of `[process id, "ended" | "stopped" | "continued", code]`. When standard input ends, whoever
started it is gone: it kills what still lives.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consumers.commands import run as _imported_for_the_children  # noqa: F401 the purpose of it all
from consumers.launcher import main as streamfit
from consumers.loop.warmup import warm_up
from consumers.settings import load
from consumers.wiring import learning_of, schema_of
from tests.chaos.sabotage import WAYS

WATCHED = os.WNOHANG | os.WUNTRACED | os.WCONTINUED


def main(settings: Path) -> int:
    """Serve requests until standard input ends; in a child, be a replica."""
    loaded = load(settings)
    warm_up(learning_of(loaded), schema_of(loaded).n_features)
    _answer(os.getpid())
    alive: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if not request:
            _answer(_news(alive))
            continue
        child = os.fork()
        if child == 0:
            return _live(request)
        alive.add(child)
        _answer(child)
    for child in alive:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return 0


def _live(request: Mapping[str, Any]) -> int:
    """Be `streamfit` with these words, as the console script would."""
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for source, stream in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, stream)
    os.environ.update(request["env"])
    if way := os.environ.get("STREAMFIT_TEST_SABOTAGE"):
        WAYS[way]()
    sys.argv = ["streamfit", *request["words"]]
    return streamfit()


def _news(alive: set[int]) -> list[tuple[int, str, int]]:
    found: list[tuple[int, str, int]] = []
    while alive:
        child, status = os.waitpid(-1, WATCHED)
        if child == 0:
            break
        if os.WIFSTOPPED(status):
            found.append((child, "stopped", 0))
        elif os.WIFCONTINUED(status):
            found.append((child, "continued", 0))
        else:
            alive.remove(child)
            found.append((child, "ended", os.waitstatus_to_exitcode(status)))
    return found


def _answer(answer: Any) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201 its only voice


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
