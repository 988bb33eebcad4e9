"""What a test sees of the session's broker: an address, fresh names, topics, and a switch."""

import itertools
import time
import uuid

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.brokers.server import Kind, Server

TIMEOUT_S = 30.0


class Kafka:
    """The broker of the test session, shared by all tests: nothing in it has a fixed name.

    Parameters
    ----------
    server : Server
        The broker, prepared and not yet started.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._run = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        self._topics: list[str] = []
        self._up = False

    @property
    def bootstrap_servers(self) -> str:
        """Address of the broker, `host:port`; the same after `kill` and `start`."""
        return self._server.bootstrap_servers

    @property
    def kind(self) -> Kind:
        """Where the broker comes from."""
        return self._server.kind

    def unique(self, prefix: str) -> str:
        """Give a name for a topic, a group or a transaction that no other test and run has."""
        return f"{prefix}-{self._run}-{next(self._numbers)}"

    def create_topic(self, partitions: int = 1, **config: str | int) -> str:
        """Make a topic and wait until every partition has a leader.

        Parameters
        ----------
        partitions : int
            Number of partitions.
        **config
            Settings of the topic, with `_` for `.`: `cleanup_policy="compact"`.

        Returns
        -------
        str
            Its name, a new one.
        """
        name = self.unique("topic")
        settings = {key.replace("_", "."): str(value) for key, value in config.items()}
        admin = self._admin()
        topic = NewTopic(name, partitions, config=settings)
        admin.create_topics([topic], request_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)
        self._topics.append(name)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            # -1: the controller has made it, the broker has not heard of it yet.
            known = admin.list_topics(name, timeout=TIMEOUT_S).topics[name].partitions
            if len(known) == partitions and all(each.leader >= 0 for each in known.values()):
                return name
        raise TimeoutError(f"topic {name} has no leader after {TIMEOUT_S:.0f} s")

    def start(self) -> None:
        """Start the broker, and return once it answers; nothing if it is up."""
        if not self._up:
            self._server.start()
            self._up = True

    def kill(self) -> None:
        """End the broker as kill -9 does; `start` brings it back with its data.

        Raises
        ------
        UnavailableError
            If somebody else runs it: take the fixture `mortal_kafka`, which skips then.
        """
        if self._up:
            self._server.kill()
            self._up = False

    def stop(self) -> None:
        """End the broker in order; `start` brings it back with its data.

        Raises
        ------
        UnavailableError
            If somebody else runs it.
        """
        if self._up:
            self._server.stop()
            self._up = False

    def close(self) -> None:
        """Leave nothing behind: the broker goes, or its topics do where somebody else runs it."""
        if self.kind is Kind.ADDRESS and self._topics:
            admin = self._admin()  # kept: its futures fail when it is collected
            for deleted in admin.delete_topics(self._topics).values():
                deleted.result(TIMEOUT_S)
        self._server.close()

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 2})
