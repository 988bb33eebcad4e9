"""How much memory the client's queues may take, so that a backlog of any size fits.

librdkafka fetches ahead for each partition by itself, and by its defaults up to 100,000 records or
64 MiB of each: with many partitions that is without bound.
"""

from typing import Any

# What the process takes without a queue: the interpreter, scikit-learn and numba, the batch at
# work, and the fetched answers before they are cut into records. Measured by `make bench-backlog`.
BASE_BYTES = 300_000_000
# A queued record takes this beside its key and value.
_OVERHEAD_BYTES = 400
_FETCH_SHARE, _READ_SHARE, _WRITE_SHARE = 0.15, 0.4, 0.25
# Less would make fetches so small that reading slows down, whatever the number of partitions.
_LEAST_KBYTES, _LEAST_RECORDS = 64, 200
_MOST_KBYTES, _MOST_RECORDS = 65_536, 100_000


def reading(max_memory: int, partitions: int) -> dict[str, Any]:
    """Give the consumer's options that bound what it fetches ahead.

    Parameters
    ----------
    max_memory : int
        Bytes that the whole process may have resident.
    partitions : int
        Number of partitions of the topic; one process may own all of them.

    Examples
    --------
    >>> reading(400_000_000, 4)["queued.max.messages.kbytes"]
    9765
    """
    room = max_memory - BASE_BYTES
    share = room * _READ_SHARE / partitions
    records = int(share / _OVERHEAD_BYTES / 2)
    fetch = int(max(1_048_576, min(52_428_800, room * _FETCH_SHARE)))
    return {
        "queued.max.messages.kbytes": _within(_LEAST_KBYTES, int(share / 1024), _MOST_KBYTES),
        "queued.min.messages": _within(_LEAST_RECORDS, records, _MOST_RECORDS),
        "fetch.max.bytes": fetch,
        "max.partition.fetch.bytes": min(1_048_576, fetch),
        # Must not be below what may come in one answer.
        "receive.message.max.bytes": 100_000_000,
    }


def writing(max_memory: int) -> dict[str, Any]:
    """Give the producer's options that bound what waits to be acknowledged."""
    room = max_memory - BASE_BYTES
    kbytes = int(room * _WRITE_SHARE / 1024)
    records = int(room * _WRITE_SHARE / _OVERHEAD_BYTES)
    return {
        "queue.buffering.max.kbytes": _within(4_096, kbytes, 1_048_576),
        "queue.buffering.max.messages": _within(5_000, records, 100_000),
    }


def _within(least: int, value: int, most: int) -> int:
    return max(least, min(value, most))
