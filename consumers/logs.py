"""Logs on standard error: for people on a terminal, as JSON elsewhere. librdkafka's join in."""

import logging
import sys

import structlog

_SHARED = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
_PER_SECOND = 5


class RateLimit(logging.Filter):
    """Lets a few lines a second through from each place.

    A client that has lost its broker says so twenty times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._second: dict[tuple[str, int], tuple[int, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide whether a line is shown."""
        place, now = (record.name, record.lineno), int(record.created)
        second, count = self._second.get(place, (now, 0))
        count = count + 1 if second == now else 1
        self._second[place] = (now, count)
        return count <= _PER_SECOND


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
    logger = logging.getLogger("streamfit")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
    logger.propagate = False
