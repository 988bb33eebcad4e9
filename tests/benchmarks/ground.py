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
from tests.brokers.server import LONG_RUN, Server

Say = Callable[[str], None]


@contextmanager
def open_broker(say: Say) -> Iterator[Server]:
    """Start a broker as brokers are run, and end it afterwards."""
    server = choose(os.environ, sources(os.environ, LONG_RUN), say)
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
    return Ground(server.bootstrap_servers, _listener(server.bootstrap_servers), topic, events)


def _listener(bootstrap: str) -> int | None:
    """Find the Java process of the broker; None where it runs on another machine."""
    port = bootstrap.rpartition(":")[2]
    for process in psutil.process_iter(["name"]):
        if process.info["name"] != "java":
            continue
        with suppress(psutil.Error):
            listening = process.net_connections(kind="tcp")
            if any(str(c.laddr.port) == port and c.status == "LISTEN" for c in listening):
                return int(process.pid)
    return None


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
