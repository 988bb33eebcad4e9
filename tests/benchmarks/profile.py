"""A flame graph of a run at full speed, by py-spy: `python -m tests.benchmarks.profile`."""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from tests.benchmarks.contest import COMMAND, Ground, settings_file
from tests.benchmarks.ground import filled, open_broker
from tests.benchmarks.observing import Progress
from tests.benchmarks.workload import create_topic

_PROJECT = Path(__file__).parents[2]
_TIMEOUT_S = 300.0
_RATE = 500  # samples a second


def main(words: Sequence[str] | None = None) -> int:
    """Let a run work off a backlog under py-spy; gives py-spy's exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.profile", description=__doc__)
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--native", action="store_true", help="with the frames of C code")
    parser.add_argument("--out", type=Path, default=_PROJECT / ".cache" / "profile.svg")
    options = parser.parse_args(words)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with open_broker(_say) as server, tempfile.TemporaryDirectory() as folder:
        ground = filled(server, options.events, _say)
        code = _record(ground, Path(folder), options.out, native=options.native)
    _say(f"flame graph: {options.out}")
    return code


def _record(ground: Ground, folder: Path, out: Path, *, native: bool) -> int:
    name = f"profile-{uuid4().hex[:8]}"
    output = f"{name}-out"
    create_topic(ground.bootstrap, output)
    create_topic(ground.bootstrap, f"{output}-dlq", 1)
    names = {"bootstrap": ground.bootstrap, "input": ground.topic, "output": output, "group": name}
    file = settings_file(folder, "at_least_once", names)
    job = subprocess.Popen([COMMAND, "run", str(file)])
    try:
        progress = Progress(ground.bootstrap, output, name, ground.topic)
        deadline = time.monotonic() + _TIMEOUT_S
        while not progress.predictions() and time.monotonic() < deadline:
            time.sleep(0.05)
        # Attached only now: importing and compiling is not what is looked at.
        spy = Path(sys.executable).parent / "py-spy"
        words = [str(spy), "record", "--pid", str(job.pid), "--output", str(out)]
        extra = ["--native"] if native else []
        watched = subprocess.Popen([*words, "--rate", str(_RATE), *extra])
        while progress.committed() < ground.events and time.monotonic() < deadline:
            time.sleep(0.2)
        watched.send_signal(signal.SIGINT)
        return watched.wait(60)
    finally:
        job.send_signal(signal.SIGTERM)
        job.wait(30)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 its output


if __name__ == "__main__":
    sys.exit(main())
