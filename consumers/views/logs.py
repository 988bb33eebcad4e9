"""Logs on standard error: for people on a terminal, as JSON elsewhere. librdkafka's join in."""

import logging
import re
import sys

import structlog

_SHARED = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_PER_SECOND = 5
_AGAIN_S = 10.0
_DIGITS = re.compile(r"\d+")


class RateLimit(logging.Filter):
    """Lets a few lines a second through from each place, and the same warning once in 10 s.

    A client that has lost its broker says so twenty times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second: dict[tuple[str, int], tuple[int, int]] = {}
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a line is shown."""
        return not self._is_repeated(record) and not self._is_flood(record)

    def _is_repeated(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return False
        words = (record.name, _DIGITS.sub("#", record.getMessage()))
        now = record.created
        if now - self._said.get(words, -_AGAIN_S) < _AGAIN_S:
            return True
        self._said = {w: at for w, at in self._said.items() if now - at < _AGAIN_S}
        self._said[words] = now
        return False

    def _is_flood(self, record: logging.LogRecord) -> bool:
        place, now = (record.name, record.lineno), int(record.created)
        second, count = self._second.get(place, (now, 0))
        count = count + 1 if second == now else 1
        self._second[place] = (now, count)
        return count > _PER_SECOND


def configure(level: int = logging.INFO, *, as_json: bool | None = None) -> None:
    """Send all logs to standard error.

    Parameters
    ----------
    level : int
        The least severe level that is shown.
    as_json : bool or None
        None: JSON where standard error is not a terminal.
    """
    if as_json is None:
        as_json = not sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
    )
    final: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta
    ]
    if as_json:
        final.append(structlog.processors.format_exc_info)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED, processors=[*final, renderer]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    handler.addFilter(RateLimit())
    logging.captureWarnings(capture=True)  # a client's warning is a line of the log, too
    for name in ("streamfit", "py.warnings"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level)
        logger.propagate = False
