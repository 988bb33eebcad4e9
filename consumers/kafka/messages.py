"""What librdkafka has read, put into columns by compiled code: no object of Python for a record.

Messages are given back to librdkafka at once; what is kept of them is copied.
"""

import ctypes
import sys
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_size_t, c_void_p
from dataclasses import dataclass
from typing import Any, NamedTuple

import llvmlite.binding
import numpy as np
from confluent_kafka import KafkaError
from numba import types
from numpy.typing import NDArray

from learners.events import Bools, Headers, Ints
from learners.kernels.compiling import compiled
from learners.slices import ROOM, Slices
from learners.words import signed, word_at
from producers import librdkafka
from producers.librdkafka import Message

# Where members of rd_kafka_message_t stand, in bytes.
_ERR, _PARTITION = Message.err.offset, Message.partition.offset
_PAYLOAD, _LEN = Message.payload.offset, Message.len.offset
_KEY, _KEY_LEN, _OFFSET = Message.key.offset, Message.key_len.offset, Message.offset.offset
_INT32 = np.uint64(0xFFFFFFFF)


def _external(name: str, gives: Any, *takes: Any) -> Any:
    """Give a function of librdkafka for compiled code; addresses are numbers there."""
    function = getattr(librdkafka.library(), name)
    llvmlite.binding.add_symbol(name, ctypes.cast(function, c_void_p).value)
    return types.ExternalFunction(name, gives(*takes))


_copy: Any = types.ExternalFunction("memcpy", types.intp(types.intp, types.intp, types.intp))
_timestamp = _external("rd_kafka_message_timestamp", types.int64, types.intp, types.intp)
_detach_headers = _external("rd_kafka_message_detach_headers", types.int32, types.intp, types.intp)
_destroy = _external("rd_kafka_message_destroy", types.void, types.intp)
_destroy_headers = _external("rd_kafka_headers_destroy", types.void, types.intp)


class Taken(NamedTuple):
    """Messages in columns; all but the last of shape (n_records,).

    Attributes
    ----------
    partitions, offsets, time_ms : ndarray
    values, keys : ndarray of uint8
        One after the other, with zeros behind the last.
    value_ends, key_ends : ndarray
        Where each ends.
    tombstones, keyless : ndarray of bool
        Whether it has none.
    heads : ndarray
        Address of the headers of each, which are ours now; 0 where there are none.
    failed : ndarray of shape (n_failed,)
        Addresses of messages that are errors, which are not given back yet.
    """

    partitions: Ints
    offsets: Ints
    time_ms: Ints
    values: NDArray[np.uint8]
    value_ends: Ints
    tombstones: Bools
    keys: NDArray[np.uint8]
    key_ends: Ints
    keyless: Bools
    heads: Ints
    failed: Ints


@compiled
def take(messages: Ints, count: int) -> Taken:
    """Copy messages into columns, and give them back to librdkafka.

    Parameters
    ----------
    messages : ndarray of shape (at least n_messages,)
        Addresses.
    count : int
        How many there are.
    """
    good, value_bytes, key_bytes = 0, 0, 0
    for i in range(count):
        message = messages[i]
        if _int32(message + _ERR) == 0:
            good += 1
            value_bytes += signed(word_at(message + _LEN))
            key_bytes += signed(word_at(message + _KEY_LEN))
    partitions = np.empty(good, np.int64)
    offsets = np.empty(good, np.int64)
    time_ms = np.empty(good, np.int64)
    values = np.empty(value_bytes + ROOM, np.uint8)
    value_ends = np.empty(good, np.int64)
    tombstones = np.empty(good, np.bool_)
    keys = np.empty(key_bytes + ROOM, np.uint8)
    key_ends = np.empty(good, np.int64)
    keyless = np.empty(good, np.bool_)
    heads = np.zeros(good, np.int64)
    failed = np.empty(count - good, np.int64)
    to_value: int = signed(values.ctypes.data)
    to_key: int = signed(keys.ctypes.data)
    to_head: int = signed(heads.ctypes.data)
    value_end, key_end, row, n_failed = 0, 0, 0, 0
    for i in range(count):
        message = messages[i]
        if _int32(message + _ERR) != 0:
            failed[n_failed] = message
            n_failed += 1
            continue
        partitions[row] = _int32(message + _PARTITION)
        offsets[row] = signed(word_at(message + _OFFSET))
        # Of what kind it is stands where the headers' address comes to stand: an array that is only
        # written to by its address would be freed before.
        time_ms[row] = _timestamp(message, to_head + 8 * row)
        payload, size = signed(word_at(message + _PAYLOAD)), signed(word_at(message + _LEN))
        tombstones[row] = payload == 0
        if payload != 0:
            _copy(to_value + value_end, payload, size)
            value_end += size
        value_ends[row] = value_end
        payload, size = signed(word_at(message + _KEY)), signed(word_at(message + _KEY_LEN))
        keyless[row] = payload == 0
        if payload != 0:
            _copy(to_key + key_end, payload, size)
            key_end += size
        key_ends[row] = key_end
        if _detach_headers(message, to_head + 8 * row) != 0:
            heads[row] = 0
        _destroy(message)
        row += 1
    values[value_end:] = 0
    keys[key_end:] = 0
    return Taken(
        partitions,
        offsets,
        time_ms,
        values,
        value_ends,
        tombstones,
        keys,
        key_ends,
        keyless,
        heads,
        failed,
    )


@compiled
def _let_go(heads: Ints) -> None:
    for head in heads:
        if head != 0:
            _destroy_headers(head)


@compiled
def _int32(address: int) -> int:
    return signed(np.int32(word_at(address) & _INT32))  # type: ignore[no-any-return]  # compiled


def warm_up() -> None:
    """Compile what is used at the first read."""
    nothing = np.empty(0, np.int64)
    take(nothing, 0)
    _let_go(nothing)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that is none.

    Attributes
    ----------
    error : KafkaError
        What it says.
    partition : int
        Of which it says it; -1 where it is of none.
    offset : int
        Where; negative where it is nowhere.
    """

    error: KafkaError
    partition: int
    offset: int


class _Heads:
    """Headers of records, as librdkafka keeps them; let go with this.

    Parameters
    ----------
    addresses : ndarray of shape (n_records,)
        0 for a record without.
    """

    def __init__(self, addresses: Ints) -> None:
        self._addresses = addresses

    def __call__(self, row: int) -> Headers | None:
        """Give a record's headers; None where a name among them is not UTF-8."""
        library, address = librdkafka.library(), int(self._addresses[row])
        found: Headers = []
        name, content, size = c_char_p(), c_void_p(), c_size_t()
        at = (byref(name), byref(content), byref(size))
        while address and not library.rd_kafka_header_get_all(address, len(found), *at):
            value = None if content.value is None else ctypes.string_at(content.value, size.value)
            try:
                found.append(((name.value or b"").decode(), value))
            except UnicodeDecodeError:  # the broker takes names of any bytes
                return None
        return found

    def __del__(self) -> None:
        if not sys.is_finalizing():  # then nothing compiled can be called any more
            _let_go(self._addresses)


def _none(_: int) -> Headers:
    return []


class Messages:
    """Messages of one read; made from addresses that are given back by it.

    Parameters
    ----------
    addresses : ndarray of shape (at least n_messages,)
        Of rd_kafka_message_t.
    count : int
        How many there are.

    Attributes
    ----------
    values, keys : sequence of bytes or None
        Of the records.
    partitions, offsets, time_ms : ndarray of shape (n_records,)
        Of the records, int64.
    headers : callable
        Gives the headers of one by its position; None where a name is not UTF-8.
    failures : list of Failure
        Messages that are no records.
    """

    def __init__(self, addresses: Ints, count: int) -> None:
        taken = take(addresses, count)
        self.partitions, self.offsets = taken.partitions, taken.offsets
        self.time_ms = taken.time_ms
        self.values = _column(taken.values, taken.value_ends, taken.tombstones)
        self.keys = _column(taken.keys, taken.key_ends, taken.keyless)
        self.headers = _Heads(taken.heads) if taken.heads.any() else _none
        self.failures = [_failure(address) for address in taken.failed.tolist()]

    def __len__(self) -> int:
        return len(self.partitions)


def _column(buffer: NDArray[np.uint8], ends: Ints, absent: Bools) -> Sequence[bytes | None]:
    slices = Slices.joined(buffer, ends)
    if not absent.any():
        return slices
    if absent.all():
        return [None] * len(ends)
    return [None if is_absent else each for each, is_absent in zip(slices, absent, strict=True)]


def _failure(address: int) -> Failure:
    library = librdkafka.library()
    message = Message.from_address(address)
    text = library.rd_kafka_message_errstr(message) or b""
    error = KafkaError(message.err, text.decode(errors="replace"))
    failure = Failure(error, message.partition, message.offset)
    library.rd_kafka_message_destroy(address)
    return failure
