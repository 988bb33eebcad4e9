"""Lets one contestant work the topic off, and measures it from outside.

The clock is the broker's: the output topic stamps each prediction when it is appended, so the
same is measured of everyone, from the first prediction to the last, start-up left out.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from producers.elec2 import CLASSES, FEATURES
from tests.benchmarks.contestants import HERE, Contestant
from tests.benchmarks.observing import Progress, Usage
from tests.benchmarks.reading import Predictions, read_back
from tests.benchmarks.reference import Verdict, judge
from tests.benchmarks.workload import create_topic, delete_topics

COMMAND = str(Path(sys.executable).parent / "streamfit")
PREFIX_S = 20.0
_START_TIMEOUT_S = 90.0
_LOOK_S = 0.1
SETTINGS = """
[kafka]
bootstrap_servers = "{bootstrap}"
[input]
topic = "{input}"
group = "{group}"
[schema]
id = "id"
time = "ts"
label = "label"
features = {features}
classes = {classes}
[[model.steps]]
use = "StandardScaler"
[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
learning_rate = "constant"
eta0 = 0.005
penalty = "none"
[output]
topic = "{output}"
dead_letter_topic = "{dead_letters}"
delivery = "{delivery}"
[checkpoint]
store = "file://{folder}/store"
[metrics]
port = 0
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a contestant gave.

    Attributes
    ----------
    events : int
        Predictions that were read back.
    rate : float
        Events per second, first append to last.
    cpu_s, broker_cpu_s : float
        CPU seconds per million events, of the contestant, and of the broker where it can be seen.
    peak_mib : float
        The most memory that was resident, all processes together.
    committed : bool
        Whether the group's offsets reached the end.
    verdict : Verdict
        Against the recomputation.
    """

    events: int
    rate: float
    cpu_s: float
    broker_cpu_s: float | None
    peak_mib: float
    committed: bool
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Ground:
    """Where contests are held.

    Attributes
    ----------
    bootstrap : str
        The broker.
    broker_pid : int or None
        Its process, where it can be seen.
    topic : str
        The input.
    events : int
        How many it holds.
    """

    bootstrap: str
    broker_pid: int | None
    topic: str
    events: int


class ContestError(Exception):
    """A contestant did not do the job."""


def hold(ground: Ground, contestant: Contestant, python: str | None) -> Outcome:
    """Let a contestant work; its output topic is gone afterwards.

    Raises
    ------
    ContestError
        If it ends by itself, or predicts nothing.
    """
    name = f"bench-{uuid4().hex[:8]}"
    output, dead_letters = f"{name}-out", f"{name}-out-dlq"
    create_topic(ground.bootstrap, output, message_timestamp_type="LogAppendTime")
    create_topic(ground.bootstrap, dead_letters, 1)
    with tempfile.TemporaryDirectory(prefix="streamfit-bench-") as folder:
        names = {
            "bootstrap": ground.bootstrap,
            "input": ground.topic,
            "output": output,
            "group": name,
        }
        words = (
            [COMMAND, "run", str(settings_file(Path(folder), contestant.delivery or "", names))]
            if contestant.script is None
            else _peer(Path(folder), contestant.script, python or sys.executable, names)
        )
        try:
            return _run(words, Path(folder), ground, contestant, names)
        finally:
            delete_topics(ground.bootstrap, output, dead_letters)


def settings_file(folder: Path, delivery: str, names: dict[str, str]) -> Path:
    """Write the job's settings; `names` fill in what stands outside."""
    dead_letters = names.get("dead_letters", f"{names['output']}-dlq")
    text = SETTINGS.format(
        **{**names, "dead_letters": dead_letters},
        folder=folder,
        delivery=delivery,
        features=json.dumps(FEATURES),
        classes=json.dumps(CLASSES),
    )
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def _peer(folder: Path, script: str, python: str, names: dict[str, str]) -> list[str]:
    (folder / "job.json").write_text(json.dumps(names))
    return [python, str(HERE / "peers" / script), str(folder / "job.json")]


def _run(
    words: list[str], folder: Path, ground: Ground, contestant: Contestant, names: dict[str, str]
) -> Outcome:
    progress = Progress(ground.bootstrap, names["output"], names["group"], ground.topic)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
        )
    try:
        with Usage(process.pid) as usage, _broker(ground) as broker:
            committed = _wait(process, progress, ground, contestant)
            process.send_signal(signal.SIGTERM)
            _end(process)
    except ContestError as error:
        raise ContestError(f"{error}: {(folder / 'log').read_text()[-2000:]}") from None
    finally:
        process.kill()
        process.wait()
        progress.close()
    return _outcome(
        read_back(ground.bootstrap, names["output"]), usage, broker, committed=committed
    )


def _broker(ground: Ground) -> AbstractContextManager[Usage | None]:
    return nullcontext() if ground.broker_pid is None else Usage(ground.broker_pid)


def _outcome(
    predictions: Predictions, usage: Usage, broker: Usage | None, *, committed: bool
) -> Outcome:
    if not len(predictions):
        raise ContestError("predicted nothing")
    first, last = predictions.first_s, predictions.last_s
    millions = len(predictions) / 1e6
    return Outcome(
        events=len(predictions),
        rate=predictions.rate(),
        cpu_s=usage.cpu_s(first, last) / millions,
        broker_cpu_s=None if broker is None else broker.cpu_s(first, last) / millions,
        peak_mib=usage.peak_mib,
        committed=committed,
        verdict=judge(predictions),
    )


def _wait(
    process: "subprocess.Popen[bytes]", progress: Progress, ground: Ground, contestant: Contestant
) -> bool:
    """Return once the work is done, or its time is over; tells whether all is committed."""
    begin = time.monotonic()
    while not progress.predictions():
        _check(process)
        if time.monotonic() - begin > _START_TIMEOUT_S:
            raise ContestError(f"no prediction within {_START_TIMEOUT_S:.0f} s")
        time.sleep(_LOOK_S)
    began = time.monotonic()
    # The slowest that takes the whole topic makes 20,000 events/s.
    longest = PREFIX_S if contestant.prefix else 30.0 + ground.events / 10_000
    while time.monotonic() - began < longest:
        _check(process)
        if progress.predictions() >= ground.events:
            break
        time.sleep(_LOOK_S)
    committed, deadline = False, time.monotonic() + (0.0 if contestant.prefix else 5.0)
    while not committed and time.monotonic() < deadline:
        committed = progress.committed() >= ground.events
        time.sleep(_LOOK_S)
    return committed


def _check(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        raise ContestError(f"ended by itself with {process.returncode}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(15.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
