"""Keeps the log from floods: what is said too often is counted, and told once afterwards.

How lines look, and where they go, is in `consumers.views.logs`.
"""

import logging
import re
from dataclasses import dataclass

from metrics.events import LINES_LEFT_OUT

_PER_SECOND = 5
_AGAIN_S = 10.0
_LONGEST = 200
_DIGITS = re.compile(r"\d+")
_Key = tuple[str, int | str]


@dataclass(slots=True)
class _LeftOut:
    """Lines that were not shown.

    Attributes
    ----------
    like : LogRecord
        The first of them.
    until : float
        When they are told, seconds since 1970.
    count : int
        Their number.
    """

    like: logging.LogRecord
    until: float
    count: int = 0

    def is_over(self, now: float) -> bool:
        """Tell whether they are to be told; what lies ahead was left out by a clock put back."""
        return self.until <= now or now < self.like.created


class RateLimit(logging.Filter):
    """Lets a few lines a second through from each place, and the same warning once in 10 s.

    A client that has lost its broker says so twenty times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second: dict[tuple[str, int], tuple[int, int]] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._left_out: dict[_Key, _LeftOut] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a line is shown."""
        return not self._is_repeated(record) and not self._is_flood(record)

    def over(self, now: float) -> list[logging.LogRecord]:
        """Give a line for each kind that was left out until now, and forget it.

        Parameters
        ----------
        now : float
            Seconds since 1970; infinite for all kinds.
        """
        if not self._left_out:
            return []
        over = [key for key, each in self._left_out.items() if each.is_over(now)]
        return [_told(self._left_out.pop(key)) for key in over]

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return False
        words = (record.name, _DIGITS.sub("#", record.getMessage()))
        now = record.created
        said = self._said.get(words)
        if said is not None and _is_recent(said, now):
            self._leave_out(words, record, said + _AGAIN_S)
            return True
        self._said = {w: at for w, at in self._said.items() if _is_recent(at, now)}
        self._said[words] = now
        return False

    def _is_flood(self, record: logging.LogRecord) -> bool:
        place, now = (record.name, record.lineno), int(record.created)
        second, count = self._second.get(place, (now, 0))
        count = count + 1 if second == now else 1
        self._second[place] = (now, count)
        if count > _PER_SECOND:
            self._leave_out(place, record, now + 1)
        return count > _PER_SECOND

    def _leave_out(self, key: _Key, record: logging.LogRecord, until: float) -> None:
        self._left_out.setdefault(key, _LeftOut(record, until)).count += 1


def _is_recent(said: float, now: float) -> bool:
    # A clock that was put back must not mute a warning until it is where it was.
    return 0 <= now - said < _AGAIN_S


def _told(left_out: _LeftOut) -> logging.LogRecord:
    like, count = left_out.like, left_out.count
    text = like.getMessage()
    short = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    were = "line like this was" if count == 1 else "lines like this were"
    made = logging.LogRecord(
        *(like.name, like.levelno, like.pathname, like.lineno),
        *("%d %s left out: %s", (count, were, short), None),
    )
    fields = {"count": count, "like": getattr(like, "event", None)}
    made.__dict__.update(LINES_LEFT_OUT(**fields))
    return made
