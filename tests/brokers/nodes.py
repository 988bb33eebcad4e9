"""Three containers on a network of their own, each a node of one Kafka cluster, and their faults.

What the cluster makes of a fault (leaders, replicas in sync) is asked in `cluster`.
"""

import os
import socket
import uuid
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Any

from docker.errors import APIError
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from tests.brokers.containers import IMAGE, OWNER
from tests.brokers.server import QUICK_START, free_port, properties, wait_until_ready

NUMBERS = (1, 2, 3)
STOP_TIMEOUT_S = 30

# A node may come back with another address, and while it is away its name has none: by default
# Java remembers the one for 30 s and the other for 10 s.
FORGET_NAMES = "-Dsun.net.inetaddr.ttl=0 -Dsun.net.inetaddr.negative.ttl=0"
# Three Java machines share the processor with the tests: a quick start counts, not a high speed.

# Beyond those of a single broker.
SETTINGS = {
    "listener.security.protocol.map": "HOST:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "BROKER",
    "controller.quorum.voters": ",".join(f"{number}@kafka-{number}:9093" for number in NUMBERS),
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    # Quick groups: members may ask for less than 6 s; those of KIP-848 are told 45 and 5 s.
    "group.min.session.timeout.ms": "1000",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.consumer.session.timeout.ms": "6000",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.heartbeat.interval.ms": "500",
}


class State(StrEnum):
    """What was done to a node."""

    UP = "up"
    DOWN = "down"
    PAUSED = "paused"
    CUT = "cut off"


class Nodes:
    """The containers of nodes 1 to 3. Every fault returns at once, `restart` when Kafka answers.

    What does not fit the state of a node, such as the pause of a killed one, raises ValueError.
    """

    def __init__(self) -> None:
        self._run = uuid.uuid4().hex[:8]
        self._nodes: dict[int, Node] = {}
        self._docker: Any = None  # docker ships no types
        self._network: Any = None

    @property
    def bootstrap_servers(self) -> str:
        """Addresses of all three, `host:port,host:port,host:port`; the same after every fault."""
        return ",".join(node.address for node in self._nodes.values())

    def create(self) -> None:
        """Make the network and start the containers; Kafka in them need not answer yet."""
        self._docker = DockerClient().client
        # Networks of test runs that were killed and whose containers are gone. The age spares the
        # network of another run that has no container yet.
        self._docker.networks.prune(filters={"label": OWNER, "until": "10m"})
        owner = {OWNER: f"{socket.gethostname()}/{os.getpid()}"}
        self._network = self._docker.networks.create(f"streamfit-{self._run}", labels=owner)
        self._nodes = {number: Node(number, self._network, owner) for number in NUMBERS}
        with ThreadPoolExecutor(len(NUMBERS)) as pool:
            list(pool.map(Node.create, self._nodes.values()))

    def close(self) -> None:
        """Remove all containers and the network, whatever state they are in; safe to call twice."""
        for node in self._nodes.values():
            node.remove()
        network, self._network, self._nodes = self._network, None, {}
        if network is not None:
            network.remove()
        if self._docker is not None:
            self._docker.close()

    def state(self, node: int) -> State:
        """Tell what was done to a node."""
        return self._nodes[node].state

    def kill(self, node: int) -> None:
        """End a node as kill -9 does."""
        self._nodes[node].kill()

    def stop(self, node: int) -> None:
        """End a node in order: it hands over what it leads first."""
        self._nodes[node].stop()

    def restart(self, *nodes: int) -> None:
        """Start nodes that were killed or stopped, with their data.

        Where all were away, two are to be started at once: one alone is no majority and waits.
        """
        for node in nodes:
            self._nodes[node].start()
        for node in nodes:
            self._nodes[node].wait_until_ready()

    def pause(self, node: int) -> None:
        """Freeze a node: connections and requests to it are taken, and nothing comes back."""
        self._nodes[node].pause()

    def unpause(self, node: int) -> None:
        """Let a frozen node go on."""
        self._nodes[node].unpause()

    def cut(self, node: int) -> None:
        """Take a node off the network: neither clients nor the other nodes reach it."""
        self._nodes[node].cut()

    def join(self, node: int) -> None:
        """Bring a node that was cut off back to the network."""
        self._nodes[node].join()


class Node:
    """One container; its port is the same inside, so its address holds after every fault."""

    def __init__(self, number: int, network: Any, labels: dict[str, str]) -> None:
        self.address = ""
        self.state = State.DOWN
        self._number, self._network, self._labels = number, network, labels
        self._made: DockerContainer | None = None

    def create(self) -> None:
        for attempt in range(3):
            port = free_port()
            self.address = f"127.0.0.1:{port}"
            self._made = self._container(port)
            try:
                self._made.start()
            except APIError:  # somebody took the port in between
                self.remove()
                if attempt == 2:
                    raise
            else:
                self.state = State.UP
                return

    def remove(self) -> None:
        if self._made is not None:
            self._made.stop()
        self._made, self.state = None, State.DOWN

    def kill(self) -> None:
        self._turn(State.UP, State.DOWN)
        self._docker().kill("SIGKILL")
        self._docker().wait(timeout=STOP_TIMEOUT_S)

    def stop(self) -> None:
        self._turn(State.UP, State.DOWN)
        self._docker().stop(timeout=STOP_TIMEOUT_S)

    def start(self) -> None:
        self._turn(State.DOWN, State.UP)
        self._docker().start()

    def wait_until_ready(self) -> None:
        try:
            wait_until_ready(self.address, self._runs)
        except (TimeoutError, RuntimeError) as error:
            error.add_note(self.last_words())
            raise

    def pause(self) -> None:
        self._turn(State.UP, State.PAUSED)
        self._docker().pause()

    def unpause(self) -> None:
        self._turn(State.PAUSED, State.UP)
        self._docker().unpause()

    def cut(self) -> None:
        self._turn(State.UP, State.CUT)
        self._network.disconnect(self._docker())

    def join(self) -> None:
        self._turn(State.CUT, State.UP)
        self._network.connect(self._docker(), aliases=[f"kafka-{self._number}"])

    def heal(self) -> None:
        """Undo whatever was done to it; it may not answer yet."""
        undo = {State.DOWN: self.start, State.PAUSED: self.unpause, State.CUT: self.join}
        if self.state in undo:
            undo[self.state]()

    def last_words(self) -> str:
        lines = self._docker().logs(tail=20).decode(errors="replace")
        return f"--- node {self._number}, {self.state}\n{lines}"

    def _turn(self, before: State, after: State) -> None:
        if self.state is not before:
            raise ValueError(f"node {self._number} is {self.state}, not {before}")
        self.state = after

    def _docker(self) -> Any:
        return None if self._made is None else self._made.get_wrapped_container()

    def _runs(self) -> bool:
        self._docker().reload()
        return bool(self._docker().status == "running")

    def _container(self, port: int) -> DockerContainer:
        name = f"kafka-{self._number}"
        # Any KAFKA_ variable replaces the image's whole default configuration, so all are given.
        settings = {
            **properties({}),
            **SETTINGS,
            "node.id": str(self._number),
            # HOST is for the tests, the two others are for the nodes among themselves.
            "listeners": f"HOST://:{port},BROKER://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"HOST://{self.address},BROKER://{name}:9092",
        }
        variables = {
            f"KAFKA_{key.upper().replace('.', '_')}": text for key, text in settings.items()
        }
        container = DockerContainer(IMAGE).with_envs(
            KAFKA_HEAP_OPTS=" ".join(QUICK_START.heap),
            KAFKA_JVM_PERFORMANCE_OPTS=" ".join(QUICK_START.performance),
            KAFKA_OPTS=FORGET_NAMES,
            **variables,
        )
        # Loopback only. testcontainers types a host port as a number; Docker takes an address too.
        container.ports[str(port)] = ("127.0.0.1", port)  # type: ignore[assignment]
        docker = container.get_docker_client().client.api
        return container.with_kwargs(
            labels=self._labels,
            user="root",  # some builds of the image cannot write their settings otherwise
            network=self._network.name,
            networking_config={self._network.name: docker.create_endpoint_config(aliases=[name])},
        )
