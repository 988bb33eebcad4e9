"""Ends every `streamfit run` that a page's commands have started in this folder, and waits for it.

`python -m tests.docs.stopping`; it loads nothing of the program, so that it is quick.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

PIDS = Path("runs.pids")
LOG = Path("runs.log")
TIMEOUT_S = 60.0


def started() -> list[int]:
    """Give the process ids of the runs that were started and not yet stopped."""
    return [int(line) for line in PIDS.read_text().split()] if PIDS.exists() else []


def stop() -> None:
    """End all runs as an operator would, and wait until they are gone."""
    pids = started()
    PIDS.unlink(missing_ok=True)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + TIMEOUT_S
    while any(map(lives, pids)):
        if time.monotonic() > deadline:
            for pid in filter(lives, pids):
                os.kill(pid, signal.SIGKILL)
            sys.exit(f"did not stop: {LOG.read_text()[-2000:]}")
        time.sleep(0.05)


def lives(pid: int) -> bool:
    """Tell whether a process is at work."""
    try:
        os.kill(pid, 0)
        # What nobody waits for any more, but is not yet taken off the list, has ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:  # no /proc on this system, or gone meanwhile: the next look tells
        return True


if __name__ == "__main__":
    stop()
