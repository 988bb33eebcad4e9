"""Records in the form in which librdkafka takes them: many as a table, one as arguments."""

import ctypes
from collections.abc import Sequence
from ctypes import c_char_p, c_int, c_int32, c_void_p
from typing import Any

import numpy as np

from learners.slices import Slices
from producers import librdkafka
from producers.librdkafka import Argument


class Batch:
    """Records of one topic, as librdkafka takes them.

    Parameters
    ----------
    values : sequence of bytes
        What is sent.
    keys : sequence of bytes or None, of the same length
        None for a record without one.

    Attributes
    ----------
    table : ndarray of `librdkafka.MESSAGE`, of shape (n_records,)
        Points into buffers that live as long as the batch.
    """

    def __init__(self, values: Sequence[bytes], keys: Sequence[bytes | None]) -> None:
        data = values if isinstance(values, Slices) else Slices.of(values)
        names, is_keyless = _names(keys)
        table = np.zeros(len(values), librdkafka.MESSAGE)
        table["payload"] = data.buffer.ctypes.data + data.starts
        table["len"] = data.ends - data.starts
        table["key"] = names.buffer.ctypes.data + names.starts
        table["key_len"] = names.ends - names.starts
        if is_keyless is not None:
            table["key"][is_keyless] = 0
        self.table = table
        self._held = data, names  # what the table points to

    def __len__(self) -> int:
        return len(self.table)


def _names(keys: Sequence[Any]) -> tuple[Slices, list[bool] | None]:
    if isinstance(keys, Slices):
        return keys, None
    try:
        return Slices.of(keys), None
    except TypeError:  # None has no length
        return Slices.of([key or b"" for key in keys]), [key is None for key in keys]


def arguments_of(
    topic: str,
    value: bytes | None,
    key: bytes | None,
    partition: int,
    headers: Sequence[tuple[str, str | bytes | None]],
) -> tuple[ctypes.Array[Argument], object]:
    """Give the arguments of `rd_kafka_produceva`, and what they point to."""
    named = [(name.encode(), _as_bytes(content)) for name, content in headers]
    name = topic.encode()
    arguments = (Argument * (5 + len(named)))()
    _fill(arguments[0], librdkafka.TOPIC_ARGUMENT, name)
    arguments[1].kind = librdkafka.PARTITION_ARGUMENT
    c_int32.from_buffer(arguments[1].value).value = partition
    _fill(arguments[2], librdkafka.VALUE_ARGUMENT, value, len(value or b""))
    _fill(arguments[3], librdkafka.KEY_ARGUMENT, key, len(key or b""))
    arguments[4].kind = librdkafka.FLAGS_ARGUMENT
    c_int.from_buffer(arguments[4].value).value = librdkafka.COPY
    for argument, (called, content) in zip(arguments[5:], named, strict=True):
        _fill(argument, librdkafka.HEADER_ARGUMENT, called)
        argument.value[1], argument.value[2] = _address(content), len(content or b"")
    return arguments, (name, value, key, named)


def _fill(argument: Argument, kind: int, content: bytes | None, size: int = 0) -> None:
    argument.kind = kind
    argument.value[0], argument.value[1] = _address(content), size


def _address(content: bytes | None) -> int:
    return 0 if content is None else ctypes.cast(c_char_p(content), c_void_p).value or 0


def _as_bytes(content: str | bytes | None) -> bytes | None:
    return content.encode() if isinstance(content, str) else content
