"""Logs on standard error: sentences on a terminal, JSON elsewhere. librdkafka's join in.

What there is to tell stands in `metrics.events`; how floods are held back in `rate_limit`.
"""

import logging
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from consumers.views.rate_limit import RateLimit
from metrics.events import LIBRDKAFKA, OTHER, SERVING, TRACING, WARNING

# The form in which the binding passes librdkafka's lines on: facility, client, text.
_OF_LIBRDKAFKA = "%s [%s] %s"
# What other libraries say has no name of ours.
_LIBRARIES = {"py.warnings": WARNING, "opentelemetry": TRACING}
# Who says only things of one kind.
_SPEAKERS = {**_LIBRARIES, "streamfit.metrics": SERVING}
_Told = MutableMapping[str, Any]


class Lines(logging.StreamHandler[TextIO]):
    """Writes lines, and tells of those that it left out as soon as the next one comes.

    Parameters
    ----------
    stream : TextIO
        Where to.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._limit = RateLimit()

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a line if it may be shown, after those that were held back before it."""
        self.acquire()
        try:
            self._tell(self._limit.over(record.created))
            shown = self._limit.filter(record)
            if shown:
                self.emit(record)
            return shown
        finally:
            self.release()

    def close(self) -> None:
        """Tell what is left to tell, and write no more."""
        self.acquire()
        try:
            self._tell(self._limit.over(float("inf")))
        finally:
            self.release()
        super().close()

    def _tell(self, records: Iterable[logging.LogRecord]) -> None:
        for record in records:
            self.emit(record)


def configure(
    level: int = logging.INFO,
    *,
    as_json: bool | None = None,
    context: Mapping[str, object] | None = None,
) -> bool:
    """Send all logs to standard error.

    Parameters
    ----------
    level : int
        The least severe level that is shown.
    as_json : bool or None
        None: JSON where standard error is not a terminal.
    context : mapping of str to object, or None
        Fields of every JSON line, such as the group.

    Returns
    -------
    bool
        Whether the lines are JSON.
    """
    if as_json is None:
        as_json = not sys.stderr.isatty()
    handler = Lines(sys.stderr)
    handler.setFormatter(_json(context or {}) if as_json else _text())
    logging.captureWarnings(capture=True)  # a client's warning is a line of the log, too
    for name in ("streamfit", *_LIBRARIES):
        logger = logging.getLogger(name)
        for before in logger.handlers:
            before.close()
        logger.handlers[:] = [handler]
        logger.setLevel(level if name == "streamfit" else max(level, logging.WARNING))
        logger.propagate = False
    return as_json


def _text() -> logging.Formatter:
    # Not the renderer's own way with exceptions, which shows local variables: events are in them.
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=(
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def _json(context: Mapping[str, object]) -> logging.Formatter:
    def in_order(_logger: Any, _method: str, told: _Told) -> _Told:
        return _as_fields(told, context)

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=(structlog.processors.TimeStamper(fmt="iso", utc=True),),
        processors=[
            structlog.processors.format_exc_info,
            in_order,
            structlog.processors.JSONRenderer(),
        ],
        pass_foreign_args=True,
    )


def _as_fields(told: _Told, context: Mapping[str, object]) -> _Told:
    """Put the event's name and fields beside its sentence."""
    record: logging.LogRecord = told["_record"]
    event, fields = _event_of(record, told.get("positional_args", ()))
    line = {
        "timestamp": told["timestamp"],
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": event,
        "message": told["event"],
        **context,
        **fields,
    }
    if "exception" in told:
        line["exception"] = told["exception"]
    return line


def _event_of(record: logging.LogRecord, args: object) -> tuple[str, Mapping[str, object]]:
    event = getattr(record, "event", None)
    if event is not None:
        return event, getattr(record, "fields", {})
    if record.msg == _OF_LIBRDKAFKA and isinstance(args, tuple) and len(args) == 3:
        return LIBRDKAFKA.name, {"facility": args[0], "client": args[1]}
    of_kind = (kind for name, kind in _SPEAKERS.items() if record.name.startswith(name))
    return next(of_kind, OTHER).name, {}
