"""A cluster inside the test process that fails on demand: librdkafka's mock cluster, by ctypes.

The program's own embedded broker, without faults, is `consumers.demo.embedded`; real brokers that
are killed and cut off are in `cluster`.
"""

import ctypes
from collections.abc import Iterable
from enum import IntEnum, StrEnum
from typing import Any, Self

from consumers.demo.embedded import EmbeddedBrokerError, bind, find_librdkafka
from tests.brokers.server import UnavailableError

ALL_BROKERS = -1

_RD_KAFKA_PRODUCER = 0
_ERROR_BYTES = 512

_PTR, _TEXT = ctypes.c_void_p, ctypes.c_char_p
_INT, _INT16, _INT32, _INT64 = ctypes.c_int, ctypes.c_int16, ctypes.c_int32, ctypes.c_int64
# Beyond those that `bind` knows. Function: what it gives, what it takes after the cluster.
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "rd_kafka_mock_push_request_errors_array": (
        None,
        [_INT16, ctypes.c_size_t, ctypes.POINTER(_INT)],
    ),
    "rd_kafka_mock_clear_request_errors": (None, [_INT16]),
    "rd_kafka_mock_topic_set_error": (None, [_TEXT, _INT]),
    "rd_kafka_mock_topic_delete": (_INT, [_TEXT]),
    "rd_kafka_mock_broker_set_down": (_INT, [_INT32]),
    "rd_kafka_mock_broker_set_up": (_INT, [_INT32]),
    "rd_kafka_mock_broker_set_rtt": (_INT, [_INT32, _INT]),
    "rd_kafka_mock_partition_set_leader": (_INT, [_TEXT, _INT32, _INT32]),
    "rd_kafka_mock_partition_delete_records": (_INT, [_TEXT, _INT32, _INT64]),
    "rd_kafka_mock_coordinator_set": (_INT, [_TEXT, _TEXT, _INT32]),
}


class Api(IntEnum):
    """Requests of Kafka's protocol, by their keys."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28
    CONSUMER_GROUP_HEARTBEAT = 68


class Coordinator(StrEnum):
    """What a broker coordinates."""

    GROUP = "group"
    TRANSACTION = "transaction"


class FaultyBroker:
    """Brokers in this process, gone with `close`, that do wrong what they are told to.

    A fault takes effect at once and lasts until it is taken back or, for pushed errors, until as
    many requests have met them. Groups have no initial rebalance delay.

    Parameters
    ----------
    brokers : int
        How many; their ids run from 1.

    Raises
    ------
    UnavailableError
        If the installed librdkafka lacks a function that is used here.
    EmbeddedBrokerError
        If librdkafka makes no cluster; from every method, if it refuses what was asked.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._library = _bind()
        self._client = _new_client(self._library)
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._cluster:
            self._library.rd_kafka_destroy(self._client)
            raise EmbeddedBrokerError("librdkafka could not start its mock cluster")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        addresses: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        self.bootstrap_servers = addresses.decode()

    def create_topic(self, name: str, partitions: int = 1, replication: int = 1) -> str:
        """Make a topic with exactly so many partitions; gives its name."""
        self._call("rd_kafka_mock_topic_create", name.encode(), partitions, replication)
        return name

    def delete_topic(self, name: str) -> None:
        """Delete a topic; a client that asks for it may make a new one of 4 partitions."""
        self._call("rd_kafka_mock_topic_delete", name.encode())

    def push_errors(self, api: Api, codes: Iterable[int]) -> None:
        """Answer the next requests of a kind with these errors, one each, on any broker.

        Parameters
        ----------
        api : Api
            Kind of request.
        codes : iterable of int
            Error codes of Kafka's protocol. `KafkaError._TRANSPORT` (-195) drops the connection;
            0 lets a request pass.
        """
        errors = list(codes)
        array = (_INT * len(errors))(*errors)
        self._call("rd_kafka_mock_push_request_errors_array", api, len(errors), array)

    def clear_errors(self, api: Api) -> None:
        """Forget the pushed errors of a kind of request that nothing has met yet."""
        self._call("rd_kafka_mock_clear_request_errors", api)

    def set_topic_error(self, name: str, code: int) -> None:
        """Answer for a topic in metadata, and when it joins a transaction; 0 takes it back."""
        self._call("rd_kafka_mock_topic_set_error", name.encode(), code)

    def down(self, broker: int = ALL_BROKERS) -> None:
        """Drop the connections of a broker and refuse new ones; leaders stay where they are."""
        self._call("rd_kafka_mock_broker_set_down", broker)

    def up(self, broker: int = ALL_BROKERS) -> None:
        """Let a broker accept connections again."""
        self._call("rd_kafka_mock_broker_set_up", broker)

    def rtt(self, milliseconds: int, broker: int = ALL_BROKERS) -> None:
        """Delay every answer of a broker by so many milliseconds; 0 takes it back."""
        self._call("rd_kafka_mock_broker_set_rtt", broker, milliseconds)

    def delete_records(self, topic: str, partition: int, offset: int) -> None:
        """Drop the records below an offset, as retention does; at most up to the end."""
        name = topic.encode()
        self._call("rd_kafka_mock_partition_delete_records", name, partition, offset)

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """Make a broker the leader of a partition.

        Raises
        ------
        ValueError
            For no broker at all: librdkafka takes that, and crashes at the next fetch or produce.
        """
        if broker < 1:
            raise ValueError(f"broker {broker} cannot lead: a partition without leader is a crash")
        self._call("rd_kafka_mock_partition_set_leader", topic.encode(), partition, broker)

    def set_coordinator(self, kind: Coordinator, key: str, broker: int) -> None:
        """Make a broker the coordinator of a group or of a transactional id."""
        self._call("rd_kafka_mock_coordinator_set", kind.encode(), key.encode(), broker)

    def close(self) -> None:
        """End all brokers and forget their topics. Safe to call twice."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            self._library.rd_kafka_mock_cluster_destroy(cluster)
            self._library.rd_kafka_destroy(self._client)

    def _call(self, function: str, *arguments: Any) -> None:
        """Call a function that takes the cluster, and gives an error code or nothing."""
        if self._cluster is None:
            raise EmbeddedBrokerError("the brokers are closed")
        code = getattr(self._library, function)(self._cluster, *arguments)
        if code:
            reason = self._library.rd_kafka_err2str(code).decode()
            raise EmbeddedBrokerError(f"{function}{arguments}: {reason}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _bind() -> ctypes.CDLL:
    """Load librdkafka with the types of all functions used here."""
    path = find_librdkafka()
    library = None if path is None else bind(path)
    if library is None:
        raise UnavailableError("no librdkafka with a mock cluster beside confluent_kafka")
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            raise UnavailableError(f"the installed librdkafka has no {name}") from None
        function.restype, function.argtypes = result, [_PTR, *arguments]
    return library


def _new_client(library: ctypes.CDLL) -> int:
    """Make the client that the cluster hangs on; it never connects anywhere."""
    error = ctypes.create_string_buffer(_ERROR_BYTES)
    conf = library.rd_kafka_conf_new()
    # Errors only: librdkafka warns about a client without bootstrap servers.
    library.rd_kafka_conf_set(conf, b"log_level", b"3", error, _ERROR_BYTES)
    client: int | None = library.rd_kafka_new(_RD_KAFKA_PRODUCER, conf, error, _ERROR_BYTES)
    if not client:
        library.rd_kafka_conf_destroy(conf)  # rd_kafka_new takes it only if it succeeds
        raise EmbeddedBrokerError(f"librdkafka could not start: {error.value.decode()}")
    return client
