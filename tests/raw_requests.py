"""Requests written byte by byte: what topics and groups may hold, and no client sends.

The formats: https://kafka.apache.org/protocol and https://kafka.apache.org/documentation/#recordbatch.
"""

import socket
import struct
from dataclasses import dataclass

# Keys of requests, and their versions.
_PRODUCE, _OFFSET_COMMIT = (0, 7), (8, 2)
_TIMEOUT_S = 10.0
_POLYNOMIAL = 0x82F63B78  # CRC-32C, reflected
_TIME_MS = 1_000


@dataclass(frozen=True)
class Batch:
    """A batch of version 2.

    Attributes
    ----------
    records : bytes
        What it holds, as `record` writes it.
    count : int
        How many records it says that it holds.
    codec : int
        How it says that they are compressed: 0 not at all, 1 by gzip.
    is_damaged : bool
        Whether its checksum is another one.
    """

    records: bytes
    count: int = 1
    codec: int = 0
    is_damaged: bool = False

    def to_bytes(self) -> bytes:
        """Write it."""
        times_and_producer = (_TIME_MS, _TIME_MS, -1, -1, -1)
        body = struct.pack(">hiqqqhii", self.codec, self.count - 1, *times_and_producer, self.count)
        body += self.records
        checksum = _crc32c(body) ^ self.is_damaged
        return struct.pack(">qiibI", 0, len(body) + 9, 0, 2, checksum) + body


def record(value: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Write the first record of a batch."""
    told = b"".join(_sized(name) + _sized(content) for name, content in headers)
    body = b"\0" + _varint(0) + _varint(0) + _varint(-1) + _sized(value)
    return _sized(body + _varint(len(headers)) + told)


def send(bootstrap_servers: str, topic: str, batch: Batch) -> None:
    """Append a batch to the first partition of a topic, on the only broker there is."""
    data = batch.to_bytes()
    asked = struct.pack(">hhii", -1, 1, 10_000, 1) + _text(topic.encode())
    asked += struct.pack(">iii", 1, 0, len(data)) + data
    _ask(bootstrap_servers, _PRODUCE, topic, asked)


def commit(bootstrap_servers: str, group: str, topic: str, offset: int, metadata: bytes) -> None:
    """Commit the first partition of a topic for a group without members."""
    asked = _text(group.encode()) + struct.pack(">i", -1) + _text(b"")
    asked += struct.pack(">qi", -1, 1) + _text(topic.encode())
    asked += struct.pack(">iiq", 1, 0, offset) + _text(metadata)
    _ask(bootstrap_servers, _OFFSET_COMMIT, topic, asked)


def _ask(bootstrap_servers: str, what: tuple[int, int], topic: str, asked: bytes) -> None:
    told = struct.pack(">hhih", *what, 1, -1) + asked
    host, _, port = bootstrap_servers.rpartition(":")
    with socket.create_connection((host, int(port)), _TIMEOUT_S) as connection:
        connection.sendall(struct.pack(">i", len(told)) + told)
        answer = connection.recv(4096)
    # Size, correlation, topics, the topic's name, partitions, the partition, and then its error.
    (code,) = struct.unpack_from(">h", answer, 4 + 4 + 4 + 2 + len(topic.encode()) + 4 + 4)
    assert code == 0, f"error {code}"


def _text(content: bytes) -> bytes:
    return struct.pack(">h", len(content)) + content


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Write a number in zigzag, seven bits to a byte."""
    rest, written = number << 1 if number >= 0 else ~(number << 1), bytearray()
    while rest > 0x7F:
        written.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*written, rest])


def _crc32c(data: bytes) -> int:
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ _POLYNOMIAL * (remainder & 1)
    return remainder ^ 0xFFFFFFFF
