"""A Kafka cluster of three brokers in Docker, to be broken one broker at a time.

Its containers and what is done to them are in `nodes`. The session's single broker is in `kafka`;
a cluster without Docker that answers with errors is in `faulty`.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata
from confluent_kafka.cimpl import NewTopic

from tests.brokers.containers import ContainerServer
from tests.brokers.nodes import NUMBERS, Nodes, State
from tests.brokers.server import Announce

TIMEOUT_S = 60.0
OFFSETS = "__consumer_offsets"
TRANSACTIONS = "__transaction_state"


class ThreeBrokers(Nodes):
    """Three nodes, 1 to 3, each a broker and a controller.

    Topics have three replicas, of which two must hold a record before it is acknowledged: with one
    node away everything goes on, with two away nothing does. Offsets and transactions have one
    partition each, so one node coordinates all groups, and one all transactions. A node that is
    away is noticed after 2 s. The question who leads something is answered as soon as that is a
    node which is up, so after a fault it waits for the successor.
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    def prepare(self, announce: Announce) -> None:
        """Look for Docker and its image. Raises `UnavailableError`."""
        ContainerServer().prepare(announce)

    def start(self) -> None:
        """Start all nodes and return once the cluster is whole and coordinates groups."""
        self.create()
        self.wait_until_whole()
        # Kafka makes the topics of offsets and of transactions when they are first asked for.
        client = _client(self.bootstrap_servers)
        producer = Producer({**client, "transactional.id": "first"})
        producer.init_transactions(TIMEOUT_S)
        consumer = Consumer({**client, "group.id": "first"})
        _wait(lambda: bool(consumer.committed([TopicPartition(OFFSETS, 0)], 5.0)), "coordinator")
        consumer.close()
        self.wait_until_whole()

    def unique(self, prefix: str) -> str:
        """Give a name for a topic, a group or a transaction that no other test and run has."""
        return f"{prefix}-{self._run}-{next(self._numbers)}"

    def create_topic(
        self, partitions: int = 1, replication: int = 3, config: Mapping[str, str] | None = None
    ) -> str:
        """Make a topic and wait until every node that is up knows its leaders.

        Returns
        -------
        str
            Its name, a new one.
        """
        name = self.unique("topic")
        settings = {"min.insync.replicas": str(min(2, replication)), **(config or {})}
        admin = AdminClient(_client(self.bootstrap_servers))
        topic = NewTopic(name, partitions, replication, config=settings)
        admin.create_topics([topic], request_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)

        def led() -> bool:
            leaders = [_leaders(view, name) for view in self._views()]
            return all(len(each) == partitions and -1 not in each.values() for each in leaders)

        _wait(led, f"leaders of {name}")
        return name

    def leader_of(self, topic: str, partition: int = 0) -> int:
        """Give the node that leads a partition."""
        return self._wait_for_node(
            lambda: _leaders(next(self._views()), topic).get(partition, -1),
            f"leader of {topic}/{partition}",
        )

    def group_coordinator(self) -> int:
        """Give the node that coordinates all consumer groups.

        describe_consumer_groups would tell it as well, but librdkafka 2.16 aborts the process when
        the coordinator goes away while it is asked (librdkafka issue 4605).
        """
        return self.leader_of(OFFSETS)

    def transaction_coordinator(self) -> int:
        """Give the node that coordinates all transactions."""
        return self.leader_of(TRANSACTIONS)

    def rolling_restart(self) -> None:
        """Stop in order and start one node after the other, as an upgrade does."""
        for node in NUMBERS:
            self.stop(node)
            self.restart(node)
            self.wait_until_whole()

    def heal(self) -> None:
        """Take all faults back and return once the cluster is whole."""
        for node in self._nodes.values():
            node.heal()
        self.wait_until_whole()

    def wait_until_whole(self, timeout_s: float = TIMEOUT_S) -> None:
        """Return once all three nodes say that all are there and all replicas in sync.

        Raises
        ------
        TimeoutError
            After `timeout_s` seconds, with the last lines of each node's log.
        """
        try:
            _wait(self._whole, "whole cluster", timeout_s)
        except TimeoutError as error:
            for node in self._nodes.values():
                error.add_note(node.last_words())
            raise

    def _whole(self) -> bool:
        return all(
            len(view.brokers) == len(NUMBERS)
            and all(
                len(partition.isrs) == len(partition.replicas)
                for topic in view.topics.values()
                for partition in topic.partitions.values()
            )
            for view in self._views()
        )

    def _views(self) -> Iterator[ClusterMetadata]:
        """Give what each node that is up says of the cluster."""
        for node in self._nodes.values():
            if node.state is State.UP:
                # A new client asks the only address it knows; later it would ask any node.
                yield AdminClient(_client(node.address)).list_topics(timeout=1.0)

    def _wait_for_node(self, ask: Callable[[], int], what: str) -> int:
        """Ask until the answer is a node that is up."""
        answers = [-1]

        def is_up() -> bool:
            answers.append(ask())
            return answers[-1] in NUMBERS and self.state(answers[-1]) is State.UP

        _wait(is_up, what)
        return answers[-1]


def _client(address: str) -> dict[str, str | int | float | bool]:
    # log_level: nodes that do not answer are what is expected here.
    return {"bootstrap.servers": address, "reconnect.backoff.max.ms": 200, "log_level": 0}


def _leaders(view: ClusterMetadata, topic: str) -> dict[int, int]:
    """Give the leaders of a topic's partitions; -1 is none, and an unknown topic has no entry."""
    known = view.topics.get(topic)
    return {} if known is None else {p: each.leader for p, each in known.partitions.items()}


def _wait(condition: Callable[[], bool], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Return once a condition holds; a Kafka that does not answer is one that doesn't hold."""
    deadline = time.monotonic() + timeout_s
    reason = ""
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except KafkaException as error:
            reason = f": {error}"
        time.sleep(0.05)
    raise TimeoutError(f"no {what} after {timeout_s:.0f} s{reason}")
