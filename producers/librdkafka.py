"""The functions of librdkafka that are called here, bound by ctypes.

The library is the one that confluent-kafka has brought and uses itself. What they do, and who owns
what they give, is documented in its `rdkafka.h`.
"""

import ctypes
from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_ssize_t,
    c_uint64,
    c_void_p,
)
from functools import cache

import numpy as np
from confluent_kafka import cimpl

PRODUCER, CONSUMER = 0, 1  # rd_kafka_type_t
COPY = 0x2  # RD_KAFKA_MSG_F_COPY
PURGE_QUEUE, PURGE_IN_FLIGHT = 0x1, 0x2
NO_CONSUMER_CLOSE = 0x8  # RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE
EVENT_REPORTS, EVENT_LOG, EVENT_ERROR = 0x1, 0x4, 0x8

# rd_kafka_message_t, in C's own alignment.
MESSAGE = np.dtype(
    [
        ("err", np.int32),
        ("rkt", np.uintp),
        ("partition", np.int32),
        ("payload", np.uintp),
        ("len", np.uintp),
        ("key", np.uintp),
        ("key_len", np.uintp),
        ("offset", np.int64),
        ("private", np.uintp),
    ],
    align=True,
)


class Message(ctypes.Structure):
    """rd_kafka_message_t."""

    _fields_ = (
        ("err", c_int),
        ("rkt", c_void_p),
        ("partition", c_int32),
        ("payload", c_void_p),
        ("len", c_size_t),
        ("key", c_void_p),
        ("key_len", c_size_t),
        ("offset", c_int64),
        ("private", c_void_p),
    )


class TopicPartition(ctypes.Structure):
    """rd_kafka_topic_partition_t."""

    _fields_ = (
        ("topic", c_char_p),
        ("partition", c_int32),
        ("offset", c_int64),
        ("metadata", c_void_p),
        ("metadata_size", c_size_t),
        ("opaque", c_void_p),
        ("err", c_int),
        ("private", c_void_p),
    )


class TopicPartitionList(ctypes.Structure):
    """rd_kafka_topic_partition_list_t."""

    _fields_ = (("cnt", c_int), ("size", c_int), ("elems", POINTER(TopicPartition)))


class MetadataPartition(ctypes.Structure):
    """rd_kafka_metadata_partition_t."""

    _fields_ = (
        ("id", c_int32),
        ("err", c_int),
        ("leader", c_int32),
        ("replica_cnt", c_int),
        ("replicas", c_void_p),
        ("isr_cnt", c_int),
        ("isrs", c_void_p),
    )


class MetadataTopic(ctypes.Structure):
    """rd_kafka_metadata_topic_t."""

    _fields_ = (
        ("topic", c_char_p),
        ("partition_cnt", c_int),
        ("partitions", POINTER(MetadataPartition)),
        ("err", c_int),
    )


class Metadata(ctypes.Structure):
    """rd_kafka_metadata_t."""

    _fields_ = (
        ("broker_cnt", c_int),
        ("brokers", c_void_p),
        ("topic_cnt", c_int),
        ("topics", POINTER(MetadataTopic)),
        ("orig_broker_id", c_int32),
        ("orig_broker_name", c_char_p),
    )


class Argument(ctypes.Structure):
    """rd_kafka_vu_t, an argument of `rd_kafka_produceva`: C sets 64 bytes aside for its value."""

    _fields_ = (("kind", c_int), ("value", c_uint64 * 8))


TOPIC_ARGUMENT, PARTITION_ARGUMENT, VALUE_ARGUMENT, KEY_ARGUMENT = 1, 3, 4, 5
FLAGS_ARGUMENT, HEADER_ARGUMENT = 7, 9

# Called with the client, a code, a text or partitions, and what was set for it.
ERROR_CALLBACK = CFUNCTYPE(None, c_void_p, c_int, c_char_p, c_void_p)
PARTITIONS_CALLBACK = CFUNCTYPE(None, c_void_p, c_int, POINTER(TopicPartitionList), c_void_p)

_P = c_void_p
# Name: what it gives, and what it takes.
_FUNCTIONS: dict[str, tuple[object, tuple[object, ...]]] = {
    "rd_kafka_conf_new": (_P, ()),
    "rd_kafka_conf_destroy": (None, (_P,)),
    "rd_kafka_conf_set": (c_int, (_P, c_char_p, c_char_p, c_char_p, c_size_t)),
    "rd_kafka_conf_set_events": (None, (_P, c_int)),
    "rd_kafka_conf_enable_sasl_queue": (None, (_P, c_int)),
    "rd_kafka_sasl_background_callbacks_enable": (_P, (_P,)),
    "rd_kafka_new": (_P, (c_int, _P, c_char_p, c_size_t)),
    "rd_kafka_destroy_flags": (None, (_P, c_int)),
    "rd_kafka_name": (c_char_p, (_P,)),
    "rd_kafka_set_log_queue": (c_int, (_P, _P)),
    "rd_kafka_topic_new": (_P, (_P, c_char_p, _P)),
    "rd_kafka_topic_destroy": (None, (_P,)),
    "rd_kafka_topic_name": (c_char_p, (_P,)),
    "rd_kafka_produce_batch": (c_int, (_P, c_int32, c_int, _P, c_int)),
    "rd_kafka_produceva": (_P, (_P, POINTER(Argument), c_size_t)),
    "rd_kafka_flush": (c_int, (_P, c_int)),
    "rd_kafka_purge": (c_int, (_P, c_int)),
    "rd_kafka_outq_len": (c_int, (_P,)),
    "rd_kafka_fatal_error": (c_int, (_P, c_char_p, c_size_t)),
    "rd_kafka_last_error": (c_int, ()),
    "rd_kafka_queue_get_main": (_P, (_P,)),
    "rd_kafka_queue_destroy": (None, (_P,)),
    "rd_kafka_queue_yield": (None, (_P,)),
    "rd_kafka_queue_poll": (_P, (_P, c_int)),
    "rd_kafka_event_type": (c_int, (_P,)),
    "rd_kafka_event_log": (
        c_int,
        (_P, POINTER(c_char_p), POINTER(c_char_p), POINTER(c_int)),
    ),
    "rd_kafka_event_message_next": (POINTER(Message), (_P,)),
    "rd_kafka_event_destroy": (None, (_P,)),
    "rd_kafka_error_code": (c_int, (_P,)),
    "rd_kafka_error_string": (c_char_p, (_P,)),
    "rd_kafka_error_is_fatal": (c_int, (_P,)),
    "rd_kafka_error_is_retriable": (c_int, (_P,)),
    "rd_kafka_error_txn_requires_abort": (c_int, (_P,)),
    "rd_kafka_error_destroy": (None, (_P,)),
    "rd_kafka_init_transactions": (_P, (_P, c_int)),
    "rd_kafka_begin_transaction": (_P, (_P,)),
    "rd_kafka_send_offsets_to_transaction": (_P, (_P, POINTER(TopicPartitionList), _P, c_int)),
    "rd_kafka_commit_transaction": (_P, (_P, c_int)),
    "rd_kafka_abort_transaction": (_P, (_P, c_int)),
    "rd_kafka_topic_partition_list_new": (POINTER(TopicPartitionList), (c_int,)),
    "rd_kafka_topic_partition_list_add": (
        POINTER(TopicPartition),
        (POINTER(TopicPartitionList), c_char_p, c_int32),
    ),
    "rd_kafka_topic_partition_list_destroy": (None, (POINTER(TopicPartitionList),)),
    "rd_kafka_mem_malloc": (_P, (_P, c_size_t)),
    "rd_kafka_consumer_group_metadata_read": (_P, (POINTER(_P), c_char_p, c_size_t)),
    "rd_kafka_consumer_group_metadata_destroy": (None, (_P,)),
    "rd_kafka_conf_set_error_cb": (None, (_P, ERROR_CALLBACK)),
    "rd_kafka_conf_set_rebalance_cb": (None, (_P, PARTITIONS_CALLBACK)),
    "rd_kafka_poll_set_consumer": (c_int, (_P,)),
    "rd_kafka_queue_new": (_P, (_P,)),
    "rd_kafka_queue_get_consumer": (_P, (_P,)),
    "rd_kafka_consume_batch_queue": (c_ssize_t, (_P, c_int, _P, c_size_t)),
    "rd_kafka_message_errstr": (c_char_p, (POINTER(Message),)),
    "rd_kafka_message_destroy": (None, (_P,)),
    "rd_kafka_message_timestamp": (c_int64, (_P, POINTER(c_int))),
    "rd_kafka_message_detach_headers": (c_int, (_P, POINTER(_P))),
    "rd_kafka_header_get_all": (
        c_int,
        (_P, c_size_t, POINTER(c_char_p), POINTER(_P), POINTER(c_size_t)),
    ),
    "rd_kafka_headers_destroy": (None, (_P,)),
    "rd_kafka_subscribe": (c_int, (_P, POINTER(TopicPartitionList))),
    "rd_kafka_unsubscribe": (c_int, (_P,)),
    "rd_kafka_assignment_lost": (c_int, (_P,)),
    "rd_kafka_assign": (c_int, (_P, POINTER(TopicPartitionList))),
    "rd_kafka_incremental_assign": (_P, (_P, POINTER(TopicPartitionList))),
    "rd_kafka_incremental_unassign": (_P, (_P, POINTER(TopicPartitionList))),
    "rd_kafka_pause_partitions": (c_int, (_P, POINTER(TopicPartitionList))),
    "rd_kafka_resume_partitions": (c_int, (_P, POINTER(TopicPartitionList))),
    "rd_kafka_commit_queue": (
        c_int,
        (_P, POINTER(TopicPartitionList), _P, PARTITIONS_CALLBACK, _P),
    ),
    "rd_kafka_committed": (c_int, (_P, POINTER(TopicPartitionList), c_int)),
    "rd_kafka_get_watermark_offsets": (
        c_int,
        (_P, c_char_p, c_int32, POINTER(c_int64), POINTER(c_int64)),
    ),
    "rd_kafka_query_watermark_offsets": (
        c_int,
        (_P, c_char_p, c_int32, POINTER(c_int64), POINTER(c_int64), c_int),
    ),
    "rd_kafka_metadata": (c_int, (_P, c_int, _P, POINTER(POINTER(Metadata)), c_int)),
    "rd_kafka_metadata_destroy": (None, (POINTER(Metadata),)),
    "rd_kafka_list_groups": (c_int, (_P, c_char_p, POINTER(_P), c_int)),
    "rd_kafka_group_list_destroy": (None, (_P,)),
    "rd_kafka_consumer_group_metadata": (_P, (_P,)),
    "rd_kafka_consumer_group_metadata_write": (_P, (_P, POINTER(_P), POINTER(c_size_t))),
    "rd_kafka_mem_free": (None, (_P, _P)),
    "rd_kafka_consumer_close": (c_int, (_P,)),
}


@cache
def library() -> CDLL:
    """Bind the functions, once.

    Raises
    ------
    ImportError
        If the installed confluent-kafka does not let them be called.
    """
    # By the binding's own file: whatever the library is called, it is loaded with that.
    bound = CDLL(cimpl.__file__)
    try:
        for name, (gives, takes) in _FUNCTIONS.items():
            function = getattr(bound, name)
            function.restype, function.argtypes = gives, takes
    except AttributeError as error:
        raise ImportError(
            f"librdkafka cannot be called ({error}); install confluent-kafka from its wheel"
        ) from None
    return bound
