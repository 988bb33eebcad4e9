"""Carries out the commands of a page in forks of one process that has loaded the program.

Loading it takes 2 s of processor time, more than all the rest of most commands. A fork goes through
the command's own entry, with arguments, environment, folder and standard streams of its caller.

`python -m tests.docs.nest SOCKET` serves until it is ended; `caller` asks it.
"""

import json
import os
import signal
import socket
import sys
import tomllib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from consumers import checks as _checks  # noqa: F401 - loaded for the forks, as all of these
from consumers import connecting as _connecting  # noqa: F401
from consumers import monitoring as _monitoring  # noqa: F401
from consumers.commands import models_rollback as _rollback  # noqa: F401
from consumers.doctor import examination as _examination  # noqa: F401
from consumers.launcher import main as streamfit
from consumers.loop.warmup import warm_up
from consumers.models import inspection as _inspection  # noqa: F401
from consumers.models import views as _views  # noqa: F401
from consumers.settings import from_tables
from consumers.wiring import learning_of, schema_of
from tests.docs import running
from tests.docs.kafka_tools import TOOLS
from tests.docs.session import readme_settings

MOST_BYTES = 100_000


def serve(address: str) -> None:
    """Answer one caller after the other, each by a fork."""
    settings = from_tables(tomllib.loads(readme_settings().text))
    warm_up(learning_of(settings), schema_of(settings).n_features)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        while True:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    os._exit(_attend(connection))


def _attend(connection: socket.socket) -> int:
    """Carry out what a caller asks for, in one more fork, and tell its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    asked, streams, _, _ = socket.recv_fds(connection, MOST_BYTES, 3)
    request = json.loads(asked)
    child = fork(lambda: _live(request, streams))
    for stream in streams:
        os.close(stream)
    _, status = os.waitpid(child, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    return 0


def _live(request: dict[str, Any], streams: list[int]) -> int:
    for place, stream in enumerate(streams):
        os.dup2(stream, place)
        os.close(stream)  # else a run that goes on would keep its caller's pipes open
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    name, *words = request["words"]
    if name in TOOLS:
        TOOLS[name](words)
        return 0
    if words[:1] == ["run"]:
        return running.start(words, _run)
    return _streamfit(words)


def _run(words: list[str], log: int) -> running.Started:
    def live() -> int:
        os.setsid()
        for place, stream in enumerate((os.open(os.devnull, os.O_RDONLY), log, log)):
            os.dup2(stream, place)
        return _streamfit(words)

    return Forked(fork(live))


def _streamfit(words: list[str]) -> int:
    sys.argv = ["streamfit", *words]
    return streamfit()


def fork(live: Callable[[], int]) -> int:
    """Live in a child, and end it with the exit code; gives its process id."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = live()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001 - nothing may get past the end of the fork
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return child


class Forked:
    """A fork that runs on; asked as a process of `subprocess` is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """Give its exit code once it has ended."""
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None


if __name__ == "__main__":
    serve(str(Path(sys.argv[1])))
