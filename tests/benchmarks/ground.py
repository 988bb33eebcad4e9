"""The broker that a benchmark runs on, and the machine, by name."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil

from tests.benchmarks.contest import Ground
from tests.benchmarks.workload import create_topic, fill
from tests.brokers.choice import choose, sources
from tests.brokers.server import LONG_RUN, Kind, Server

Say = Callable[[str], None]


@contextmanager
def open_broker(say: Say) -> Iterator[Server]:
    """Start a broker as brokers are run, and end it afterwards.

    A Java process rather than a container, if it can be had: every byte of a published port goes
    through a process of Docker's, which takes a sixth of the broker's processor time once more.
    """
    given = sources(os.environ, LONG_RUN)
    first = (Kind.ADDRESS, Kind.MAVEN)
    server = choose(
        os.environ, {kind: given[kind] for kind in dict.fromkeys((*first, *given))}, say
    )
    try:
        server.start()
        yield server
    finally:
        server.close()


def filled(server: Server, events: int, say: Say) -> Ground:
    """Make a topic of so many events."""
    topic = f"bench-{uuid4().hex[:8]}-in"
    create_topic(server.bootstrap_servers, topic)
    say(f"filling {topic} with {events:,} events of Elec2")
    fill(server.bootstrap_servers, topic, events)
    return Ground(server.bootstrap_servers, _broker_pid(server), topic, events)


def _broker_pid(server: Server) -> int | None:
    """Find the process of the broker that was started last; None if somebody else runs it."""
    if server.kind is Kind.ADDRESS:
        return None
    found: list[tuple[float, int]] = []
    for process in psutil.process_iter(["cmdline"]):
        if "kafka.Kafka" in (process.info["cmdline"] or ()):
            with suppress(psutil.Error):
                found.append((process.create_time(), int(process.pid)))
    return max(found)[1] if found else None


def machine() -> dict[str, str]:
    """Name the machine, and what it runs."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return {
        "cpu": f"{os.cpu_count()} cores, {models[0] if models else platform.machine()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }
