"""The embedded broker: librdkafka's mock cluster, started inside this process for the demo.

It speaks Kafka's protocol on the loopback address and keeps everything in memory. It has neither
transactions nor admin calls, so nothing here serves `exactly_once` or production.
"""

import ctypes
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

import confluent_kafka
from confluent_kafka import KafkaException, Producer

_TIMEOUT_S = 10.0
_RD_KAFKA_PRODUCER = 0
_ERROR_BYTES = 512

# Function of librdkafka: what it gives, what it takes. Pointers are void: we never look inside.
_PTR = ctypes.c_void_p
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "rd_kafka_conf_new": (_PTR, []),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        [_PTR, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t],
    ),
    "rd_kafka_conf_destroy": (None, [_PTR]),
    "rd_kafka_new": (_PTR, [ctypes.c_int, _PTR, ctypes.c_char_p, ctypes.c_size_t]),
    "rd_kafka_destroy": (None, [_PTR]),
    "rd_kafka_err2str": (ctypes.c_char_p, [ctypes.c_int]),
    "rd_kafka_mock_cluster_new": (_PTR, [_PTR, ctypes.c_int]),
    "rd_kafka_mock_cluster_destroy": (None, [_PTR]),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, [_PTR]),
    "rd_kafka_mock_topic_create": (
        ctypes.c_int,
        [_PTR, ctypes.c_char_p, ctypes.c_int, ctypes.c_int],
    ),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_PTR, ctypes.c_int32]),
}


class Access(StrEnum):
    """How the mock cluster is reached, which decides what it can do.

    `LIBRARY`: librdkafka's C functions. Topics get exactly the partitions asked for, and the first
    member of a group joins at once. `CLIENT`: a hidden setting of the Python client. Topics have
    4 partitions, and the first join takes 3 s.
    """

    LIBRARY = "library"
    CLIENT = "client"


class EmbeddedBrokerError(RuntimeError):
    """The embedded broker is not running, could not start, or could not make a topic."""


class EmbeddedBroker:
    """One broker in this process, gone with `close` or with the process.

    Other processes on the same machine can connect to it. It keeps 5 MiB of stored batches per
    partition and drops the oldest beyond that.

    Parameters
    ----------
    access : Access, optional
        Left out, `LIBRARY` where the confluent-kafka wheel carries a librdkafka that has the
        functions, else `CLIENT`.

    Attributes
    ----------
    access : Access
        How the cluster is reached, and so what it can do.

    Examples
    --------
    >>> with EmbeddedBroker() as broker:
    ...     broker.bootstrap_servers.startswith("127.0.0.1:")
    True
    """

    def __init__(self, access: Access | None = None) -> None:
        path = None if access is Access.CLIENT else find_librdkafka()
        self._library = None if path is None else bind(path)
        if access is Access.LIBRARY and self._library is None:
            raise EmbeddedBrokerError("no librdkafka with a mock cluster beside confluent_kafka")
        self.access = Access.CLIENT if self._library is None else Access.LIBRARY
        self._cluster: _Cluster | None = None

    def start(self) -> Self:
        """Start the broker; a second call changes nothing.

        Raises
        ------
        EmbeddedBrokerError
            If librdkafka makes no cluster.
        """
        if self._cluster is None:
            library = self._library
            self._cluster = _ClientCluster() if library is None else _LibraryCluster(library)
        return self

    @property
    def bootstrap_servers(self) -> str:
        """Address that clients connect to, `host:port`."""
        return self._running().bootstrap_servers

    def create_topic(self, name: str, partitions: int) -> int:
        """Make a topic.

        Returns
        -------
        int
            The number of partitions it has: `partitions`, or 4 with `Access.CLIENT`.

        Raises
        ------
        EmbeddedBrokerError
            If librdkafka refuses: with `Access.LIBRARY` also where the topic exists.
        """
        return self._running().create_topic(name, partitions)

    def close(self) -> None:
        """Stop the broker and forget its topics; clients still connected see it go away."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()

    def _running(self) -> "_Cluster":
        if self._cluster is None:
            raise EmbeddedBrokerError("the embedded broker is not running: call start() first")
        return self._cluster

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def find_librdkafka() -> Path | None:
    """Find the librdkafka inside the confluent-kafka wheel; None where there is none."""
    package = Path(confluent_kafka.__file__).parent
    bundled = [
        *(package.parent / "confluent_kafka.libs").glob("librdkafka*.so*"),  # Linux
        *(package / ".dylibs").glob("librdkafka*.dylib"),  # macOS
    ]
    return min(bundled, default=None)


def bind(path: Path) -> ctypes.CDLL | None:
    """Load a librdkafka with the types of the functions used here; None if it lacks one of them."""
    try:
        library = ctypes.CDLL(str(path))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError):
        return None
    return library


class _Cluster(Protocol):
    """A running mock cluster of one broker."""

    @property
    def bootstrap_servers(self) -> str: ...

    def create_topic(self, name: str, partitions: int) -> int: ...

    def close(self) -> None: ...


class _LibraryCluster:
    """A mock cluster made by librdkafka's C functions."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._handle = self._new_handle()
        self._cluster = library.rd_kafka_mock_cluster_new(self._handle, 1)
        if not self._cluster:
            library.rd_kafka_destroy(self._handle)
            raise EmbeddedBrokerError("librdkafka could not start its mock cluster")
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap_servers: str = library.rd_kafka_mock_cluster_bootstraps(
            self._cluster
        ).decode()

    def _new_handle(self) -> int:
        """Make the client that the cluster hangs on; it never connects anywhere."""
        error = ctypes.create_string_buffer(_ERROR_BYTES)
        conf = self._library.rd_kafka_conf_new()
        # Errors only: librdkafka warns about a client without bootstrap servers.
        self._library.rd_kafka_conf_set(conf, b"log_level", b"3", error, _ERROR_BYTES)
        handle: int | None = self._library.rd_kafka_new(
            _RD_KAFKA_PRODUCER, conf, error, _ERROR_BYTES
        )
        if not handle:
            self._library.rd_kafka_conf_destroy(conf)  # rd_kafka_new takes it only if it succeeds
            raise EmbeddedBrokerError(f"librdkafka could not start: {error.value.decode()}")
        return handle

    def create_topic(self, name: str, partitions: int) -> int:
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code:
            reason = self._library.rd_kafka_err2str(code).decode()
            raise EmbeddedBrokerError(f"topic {name!r} with {partitions} partitions: {reason}")
        return partitions

    def close(self) -> None:
        self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        self._library.rd_kafka_destroy(self._handle)


class _ClientCluster:
    """A mock cluster that hangs on a producer of the Python client and goes with it."""

    def __init__(self) -> None:
        settings: dict[str, str | int | float | bool] = {
            "bootstrap.servers": "",
            "test.mock.num.brokers": 1,
            "log_level": 3,
        }
        try:
            self._producer = Producer(settings)
            brokers = self._producer.list_topics(timeout=_TIMEOUT_S).brokers.values()
        except KafkaException as error:
            raise EmbeddedBrokerError(f"librdkafka could not start: {error}") from error
        self.bootstrap_servers = ",".join(f"{broker.host}:{broker.port}" for broker in brokers)

    def create_topic(self, name: str, partitions: int) -> int:  # noqa: ARG002 - it decides itself
        try:
            metadata = self._producer.list_topics(name, timeout=_TIMEOUT_S)
        except KafkaException as error:
            raise EmbeddedBrokerError(f"topic {name!r}: {error}") from error
        return len(metadata.topics[name].partitions)

    def close(self) -> None:
        del self._producer  # the cluster goes with its last reference
