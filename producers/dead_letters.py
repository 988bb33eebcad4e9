"""Dead letters: refused records as they came, with the reason and where they came from."""

import hashlib
from dataclasses import dataclass

from learners.events import Headers, Records
from learners.rejections import Rejection

PREFIX = "streamfit.error."
# Kafka's default limit of a message is 1,048,588 bytes; what is told of the error comes on top.
MAX_BYTES = 900_000
KEPT_OF_A_CUT = 100_000


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record for the dead letter topic.

    Attributes
    ----------
    key, value : bytes or None
        As they came; where they and the headers are together too large to pass on, cut.
    headers : list of (str, bytes or None)
        The record's own, then `streamfit.error.*`.
    partition : int
        Source partition.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int


def dead_letter(records: Records, rejection: Rejection, version: str) -> DeadLetter:
    """Make the dead letter of a refused record.

    Parameters
    ----------
    records : Records
        The read that brought it.
    rejection : Rejection
        Which record, and why.
    version : str
        Version of streamfit.
    """
    row = rejection.row
    facts = {
        "stage": str(rejection.stage),
        "reason": str(rejection.reason),
        "detail": rejection.detail,
        "topic": records.topic,
        "partition": str(records.partitions[row]),
        "offset": str(records.offsets[row]),
        "timestamp": str(records.time_ms[row]),
        "version": version,
    }
    headers = list(records.headers(row))
    room = MAX_BYTES - sum(len(name) + len(content or b"") for name, content in headers)
    headers += [(PREFIX + name, text.encode()) for name, text in facts.items()]
    key, cut_key = _cut("key", records.keys[row], room - KEPT_OF_A_CUT)
    value, cut_value = _cut("value", records.values[row], room - len(key or b""))
    partition = int(records.partitions[row])
    return DeadLetter(key, value, headers + cut_key + cut_value, partition)


def _cut(what: str, data: bytes | None, limit: int) -> tuple[bytes | None, Headers]:
    if data is None or len(data) <= max(limit, KEPT_OF_A_CUT):
        return data, []
    digest = hashlib.sha256(data).hexdigest().encode()
    told: Headers = [
        (f"{PREFIX}{what}.length", str(len(data)).encode()),
        (f"{PREFIX}{what}.sha256", digest),
    ]
    return data[:KEPT_OF_A_CUT], told
