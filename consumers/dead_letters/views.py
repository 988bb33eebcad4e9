"""Dead letters as lines of text and as JSON; whatever a record holds is made harmless here."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from consumers.dead_letters.harmless import harmless, text_of
from consumers.dead_letters.letters import Letter, Payload
from consumers.dead_letters.outcome import Left, Outcome, how_to_go_on
from learners.rejections import Reason, Stage

SHOWN_BYTES = 4096  # of a key or a value
UNKNOWN = "unknown"
WHY: dict[Left, str] = {
    Left.NOT_THERE: "no record is there",
    Left.NOT_OURS: "not written by streamfit: no streamfit.error.stage among the headers",
    Left.OTHER_TOPIC: "of another topic than input.topic",
    Left.PREDICTION: "of stage produce: the event itself was learned, only its prediction is lost",
    Left.CUT: "key, value or headers were too large to be kept in full",
    Left.NO_PARTITION: "without a key, and input.topic has no such partition as it came from",
    Left.ATTEMPTS: "replayed --max-attempts times before",
    Left.TOO_LARGE: "larger than the max.message.bytes of input.topic",
}
_HEAD = ("at", "time (UTC)", "from", "stage", "reason", "bytes", "attempts", "detail")
_COUNT_HEAD = ("stage", "reason", "letters", "first (UTC)", "last (UTC)")
_STAGES, _REASONS = frozenset(map(str, Stage)), frozenset(map(str, Reason))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Count:
    """How many letters there are of one stage and reason, and of what times."""

    stage: str
    reason: str
    letters: int = 0
    first_ms: int | None = None
    last_ms: int | None = None

    def add(self, time_ms: int) -> None:
        """Count one."""
        self.letters += 1
        if time_ms < 0:
            return
        self.first_ms = time_ms if self.first_ms is None else min(self.first_ms, time_ms)
        self.last_ms = time_ms if self.last_ms is None else max(self.last_ms, time_ms)


def counted(letters: Iterable[Letter]) -> list[Count]:
    """Count letters by stage and reason, most first; what is in no closed set is one of them."""
    counts: dict[tuple[str, str], Count] = {}
    for letter in letters:
        stage = letter.stage if letter.stage in _STAGES else UNKNOWN
        reason = letter.reason if letter.reason in _REASONS else UNKNOWN
        named = (stage or UNKNOWN, reason or UNKNOWN)
        counts.setdefault(named, Count(*named)).add(letter.time_ms)
    return sorted(counts.values(), key=lambda count: (-count.letters, count.stage, count.reason))


def count_lines(counts: Sequence[Count]) -> list[str]:
    """Lay counts out in columns."""
    return _columns(
        _COUNT_HEAD,
        [
            (c.stage, c.reason, f"{c.letters:,}", _time(c.first_ms), _time(c.last_ms))
            for c in counts
        ],
    )


def count_json(count: Count) -> dict[str, Any]:
    """Give a count as it goes into JSON."""
    return {
        "stage": count.stage,
        "reason": count.reason,
        "letters": count.letters,
        "first_timestamp_ms": count.first_ms,
        "last_timestamp_ms": count.last_ms,
    }


def letter_lines(letters: Sequence[Letter], *, values: bool) -> list[str]:
    """Lay letters out in columns, a head above them; keys and values below each if wanted."""
    head, *rows = _columns(_HEAD, [_cells(letter) for letter in letters])
    lines = [head]
    for row, letter in zip(rows, letters, strict=True):
        lines.append(row)
        if values:
            lines += [f"    {name:<7}{_shown(each)}" for name, each in _payloads(letter)]
    return lines


def letter_json(letter: Letter, *, values: bool) -> dict[str, Any]:
    """Give a letter as it goes into JSON; text of a record is not made harmless, but escaped."""
    origin = letter.origin
    return {
        "partition": letter.at.partition,
        "offset": letter.at.offset,
        "timestamp_ms": letter.time_ms,
        "stage": letter.stage,
        "reason": letter.reason,
        "detail": letter.detail,
        "version": letter.version,
        "attempts": letter.attempts,
        "cut": list(letter.cut),
        "source": {
            "topic": origin.topic,
            "partition": origin.partition,
            "offset": origin.offset,
            "timestamp_ms": origin.time_ms,
        },
        **{name: _payload_json(each, values=values) for name, each in _payloads(letter)},
    }


def outcome_lines(outcome: Outcome, topic: str, *, dry_run: bool) -> list[str]:
    """Tell a replay in lines: what was sent, what was left, and where the rest begins."""
    ranges = ", ".join(
        f"{p}:{first} to {p}:{last}" for p, (first, last) in sorted(outcome.ranges.items())
    )
    told = f"{'would replay' if dry_run else 'replayed'} {outcome.sent:,} dead letters to {topic}"
    lines = [f"{told}: {ranges}" if ranges else told]
    for why, count in outcome.left.items():
        named = outcome.named[why]
        places = ", ".join(map(str, named)) + (", ..." if count > len(named) else "")
        lines.append(f"left {count:,}: {WHY[why]} ({places})")
    if outcome.stopped:
        lines.append("stopped before the last one")
    if outcome.sent and not dry_run:
        lines.append(_warning(outcome))
    return lines


def _warning(outcome: Outcome) -> str:
    again = "nothing remembers this: the same command sends the same dead letters again"
    if not outcome.next_offsets:
        return again
    return f"{again}; to leave them, give {how_to_go_on(outcome)}"


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Give what a replay did as it goes into JSON."""
    begins = outcome.next_offsets
    return {
        "sent": outcome.sent,
        "stopped": outcome.stopped,
        "ranges": {
            str(p): {"first": first, "last": last}
            for p, (first, last) in sorted(outcome.ranges.items())
        },
        "next_offsets": None
        if begins is None
        else {str(p): at for p, at in sorted(begins.items())},
        "left": [
            {
                "why": str(why),
                "letters": count,
                "first": [{"partition": p, "offset": o} for p, o in outcome.named[why]],
            }
            for why, count in outcome.left.items()
        ],
    }


def _payloads(letter: Letter) -> tuple[tuple[str, Payload], ...]:
    return ("key", letter.key), ("value", letter.value)


def _cells(letter: Letter) -> tuple[str, ...]:
    origin = letter.origin
    source = "/".join("?" if part is None else str(part) for part in _place(letter))
    cut = " (cut)" if letter.cut else ""
    if origin.time_ms is not None and origin.time_ms >= 0:
        source += f" of {_time(origin.time_ms)}"
    return (
        str(letter.at),
        _time(letter.time_ms),
        harmless(source),
        harmless(letter.stage or "-", 20),
        harmless(letter.reason or "-", 20),
        f"{letter.value.length:,}{cut}",
        str(letter.attempts),
        harmless(letter.detail),
    )


def _place(letter: Letter) -> tuple[str | int | None, ...]:
    return letter.origin.topic, letter.origin.partition, letter.origin.offset


def _shown(payload: Payload) -> str:
    if payload.data is None:
        return "none"
    cut = payload.length > len(payload.data)
    text = text_of(payload.data, cut=cut)
    shown = payload.data.decode(errors="backslashreplace") if text is None else text
    told = f" ... ({len(payload.data):,} of {payload.length:,} bytes)" if cut else ""
    return harmless(shown, SHOWN_BYTES) + told


def _payload_json(payload: Payload, *, values: bool) -> dict[str, Any] | None:
    if payload.data is None:
        return None
    told: dict[str, Any] = {"bytes": payload.length, "kept_bytes": payload.kept}
    if values:
        text = text_of(payload.data, cut=payload.length > len(payload.data))
        name, shown = ("text", text) if text is not None else ("base64", _base64(payload.data))
        told |= {name: shown, "shown_bytes": len(payload.data)}
    return told


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _time(time_ms: int | None) -> str:
    """Write a time; one that is unknown, or that no calendar has, as a dash or a number."""
    if time_ms is None or time_ms < 0:
        return "-"
    try:
        time = _EPOCH + timedelta(milliseconds=time_ms)
    except OverflowError:
        return str(time_ms)
    return time.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def _columns(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [head, *rows]
    # The last column is the longest, and nothing stands behind it.
    widths = [max(len(line[i]) for line in lines) for i in range(len(head) - 1)] + [0]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
