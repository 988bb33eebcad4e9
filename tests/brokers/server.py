"""What a broker for tests must be able to do, and what all kinds of it share.

How each kind is found and run stands in `address`, `containers` and `maven`; which one is taken,
in `choice`; what a test sees of it, in `kafka`.
"""

import random
import socket
import time
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

Announce = Callable[[str], None]

KAFKA_VERSION = "4.3.0"
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0


class Jvm(NamedTuple):
    """Options of the Java machine that a broker runs in."""

    heap: tuple[str, ...]
    performance: tuple[str, ...]


# In tests a broker lives for minutes: compiling it well would take more than it gives.
QUICK_START = Jvm(("-Xms128m", "-Xmx384m"), ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"))
# As brokers are run, but for the size of the heap.
LONG_RUN = Jvm(("-Xms1g", "-Xmx1g"), ("-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"))


class Kind(StrEnum):
    """Where a broker comes from; the words that STREAMFIT_TEST_BROKER takes."""

    ADDRESS = "address"
    DOCKER = "docker"
    MAVEN = "maven"


class UnavailableError(Exception):
    """This machine cannot give a broker of this kind; the text says what is missing."""


class Server(Protocol):
    """A broker that may be killed and started again at the same address, its data kept."""

    @property
    def kind(self) -> Kind:
        """Where it comes from."""

    @property
    def bootstrap_servers(self) -> str:
        """Address, `host:port`; valid after `prepare`."""

    def prepare(self, announce: Announce) -> None:
        """Look whether the machine has all it takes, and fetch what can be fetched.

        May take minutes the first time, and then says so through `announce`. Raises
        `UnavailableError`.
        """

    def start(self) -> None:
        """Start the broker and return once it answers. Raises `TimeoutError`, `RuntimeError`."""

    def kill(self) -> None:
        """End it as kill -9 does. Raises `UnavailableError` where it is not ours to kill."""

    def stop(self) -> None:
        """End it in order. Raises `UnavailableError` where it is not ours."""

    def close(self) -> None:
        """End it and remove what it left, whatever state it is in. Safe to call twice."""


def properties(listeners: dict[str, str]) -> dict[str, str]:
    """Give the settings of a one-node KRaft cluster that is small, quick and strict.

    Parameters
    ----------
    listeners : dict of str to str
        The properties that name addresses, which differ with the kind of broker.
    """
    return {
        **listeners,
        "node.id": "1",
        "process.roles": "broker,controller",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        # Three replicas by default; one node has one.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # 50 partitions by default: the first group and the first transaction would wait for them.
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.num.partitions": "1",
        # A killed broker may register again only when its old session is over: 9 s by default.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        # 5 minutes by default: a topic bounded by its size would hold far more than that.
        "log.retention.check.interval.ms": "10000",
        # 128 MiB by default, a third of this heap.
        "log.cleaner.dedupe.buffer.size": "4194304",
    }


def free_port() -> int:
    """Find a port that nobody listens on.

    Below the range that outgoing connections take theirs from: while a killed broker is away, a
    client that tries to reconnect could otherwise get the very port it calls, and hold it.
    """
    for _ in range(100):
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000")


def wait_until_ready(
    bootstrap_servers: str, alive: Callable[[], bool] = lambda: True, timeout_s: float = 60.0
) -> None:
    """Return once the broker tells its metadata.

    An open port says nothing: Docker's proxy accepts connections before Kafka listens.

    Raises
    ------
    TimeoutError
        After `timeout_s` seconds.
    RuntimeError
        As soon as `alive` says that the broker has ended.
    """
    # log_level: refused connections are what is expected here.
    admin = AdminClient(
        {
            "bootstrap.servers": bootstrap_servers,
            "reconnect.backoff.max.ms": 200,
            "log_level": 0,
        }
    )
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if admin.list_topics(timeout=0.25).brokers:
                return
        except KafkaException:
            if not alive():
                raise RuntimeError(f"the broker at {bootstrap_servers} has ended") from None
    raise TimeoutError(f"no Kafka answers at {bootstrap_servers} after {timeout_s:.0f} s")
