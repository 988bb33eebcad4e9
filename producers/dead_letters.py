"""Dead letters: refused records as they came, with the reason and where they came from."""

import hashlib
from dataclasses import dataclass

import msgspec

from learners.events import Headers, Records
from learners.rejections import Reason, Rejection, Stage

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


def dead_letter(
    records: Records, rejection: Rejection, version: str, max_bytes: int = MAX_BYTES
) -> DeadLetter:
    """Make the dead letter of a refused record.

    Parameters
    ----------
    records : Records
        The read that brought it.
    rejection : Rejection
        Which record, and why.
    version : str
        Version of streamfit.
    max_bytes : int
        Largest key, value and headers, together, that are passed on whole.
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
    own, told = _headers(records.headers(row), max_bytes // 2)
    room = max_bytes - _size(own)
    headers = own + [(PREFIX + name, text.encode()) for name, text in facts.items()] + told
    kept = min(KEPT_OF_A_CUT, max_bytes // 4)
    key, cut_key = _cut("key", records.keys[row], room - kept, kept)
    value, cut_value = _cut("value", records.values[row], room - len(key or b""), kept)
    partition = int(records.partitions[row])
    return DeadLetter(key, value, headers + cut_key + cut_value, partition)


def undeliverable(key: bytes | None, value: bytes | None) -> DeadLetter:
    """Make the dead letter of a prediction that the broker found too large.

    The event was learned: only its prediction could not be passed on, and what is kept is that.

    Parameters
    ----------
    key, value : bytes or None
        Of the prediction, as `producers.encoding` wrote it.
    """
    try:
        source = msgspec.json.decode(value or b"{}", type=_Source)
    # A delivery callback must not raise, whatever it is given.
    except (msgspec.DecodeError, UnicodeDecodeError):
        source = _Source()
    facts = {
        "stage": str(Stage.PRODUCE),
        "reason": str(Reason.TOO_LARGE),
        "detail": "the prediction is larger than its topic's max.message.bytes",
        "partition": str(source.partition),
        "offset": str(source.offset),
    }
    headers: Headers = [(PREFIX + name, text.encode()) for name, text in facts.items()]
    key, cut_key = _cut("key", key, KEPT_OF_A_CUT, KEPT_OF_A_CUT)
    value, cut_value = _cut("value", value, KEPT_OF_A_CUT, KEPT_OF_A_CUT)
    return DeadLetter(key, value, headers + cut_key + cut_value, source.partition)


class _Source(msgspec.Struct):
    partition: int = 0
    offset: int = -1


def _size(headers: Headers) -> int:
    return sum(len(name) + len(content or b"") for name, content in headers)


def _headers(own: Headers | None, limit: int) -> tuple[Headers, Headers]:
    """Pass a record's own headers on; where that cannot be, tell why, or how many there were."""
    if own is None:
        return [], [(f"{PREFIX}headers.unreadable", b"a name is not UTF-8")]
    if _size(own) <= limit:
        return list(own), []
    return [], [(f"{PREFIX}headers.dropped", str(len(own)).encode())]


def _cut(what: str, data: bytes | None, limit: int, kept: int) -> tuple[bytes | None, Headers]:
    if data is None or len(data) <= max(limit, kept):
        return data, []
    digest = hashlib.sha256(data).hexdigest().encode()
    told: Headers = [
        (f"{PREFIX}{what}.length", str(len(data)).encode()),
        (f"{PREFIX}{what}.sha256", digest),
    ]
    return data[:kept], told
