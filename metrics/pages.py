"""What is answered to whom: metrics, health and status, as a WSGI application. No sockets."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app

from metrics.health import Health, Verdict
from metrics.status.board import Board
from metrics.status.page import EVENT_HEADERS, html, page_headers
from metrics.status.stream import Stream, Streams, TooManyStreamsError

_log = logging.getLogger("streamfit.metrics")

CACHED_FOR_S = 0.1
# Far more than there are ways to ask in earnest; bounds what made-up headers can take.
_MAX_CACHED = 16
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a GET request.

    Attributes
    ----------
    status : str
        Code and phrase.
    headers : tuple of (str, str)
        All but the length.
    body : bytes
        Goes out, except to HEAD.
    stream : Stream or None
        What goes out instead, as long as the client listens.
    """

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stream: Stream | None = None


class MetricsPage:
    """The metrics of a registry, made anew at most every 100 ms for each way of asking.

    Parameters
    ----------
    registry : CollectorRegistry
        Holds the metrics.
    clock : callable
        Gives seconds, never going back.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._app = make_wsgi_app(registry)
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: dict[tuple[str, ...], tuple[float, Answer]] = {}

    def __call__(self, environ: WSGIEnvironment) -> Answer:
        """Give the page in the format, encoding and selection (`name[]`) that is asked for."""
        asked = {
            name: environ.get(name, "")
            for name in ("HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "QUERY_STRING")
        }
        key = tuple(asked.values())
        with self._lock:  # who asks the same at the same time waits for one answer
            now = self._clock()
            made, answer = self._cached.get(key, (now, None))
            if answer is None or now - made >= CACHED_FOR_S:
                answer = self._make(asked)
                if len(self._cached) >= _MAX_CACHED:
                    self._cached.clear()
                self._cached[key] = now, answer
            return answer

    def _make(self, asked: dict[str, str]) -> Answer:
        begun: list[tuple[str, list[tuple[str, str]]]] = []
        body = self._app(
            {**asked, "REQUEST_METHOD": "GET", "PATH_INFO": "/metrics"},
            lambda status, headers: begun.append((status, headers)),
        )
        status, headers = begun[0]
        return Answer(status, (*headers, ("Vary", "Accept, Accept-Encoding")), b"".join(body))


class Pages:
    """All pages, as a WSGI application: GET and HEAD only.

    Parameters
    ----------
    registry : CollectorRegistry
        What `/metrics` shows.
    health : Health
        What `/livez`, `/readyz` and `/startupz` tell.
    board : Board
        What the status page at `/` shows, fed by `/events`.
    clock : callable
        Gives seconds by the clock of the heartbeats.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        health: Health,
        board: Board,
        clock: Callable[[], float],
    ) -> None:
        page = html()
        status = Answer("200 OK", page_headers(page), page)
        self._streams = Streams(lambda seen: board.status(seen, health.ready(clock())))
        self._pages: dict[str, Callable[[WSGIEnvironment], Answer]] = {
            "/": lambda _: status,
            "/events": self._events,
            "/metrics": MetricsPage(registry, clock),
            "/livez": lambda _: _verdict(health.live(clock())),
            "/readyz": lambda _: _verdict(health.ready(clock())),
            "/startupz": lambda _: _verdict(health.started()),
        }

    def close(self) -> None:
        """End the streams of events."""
        self._streams.close()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer = self._answer(environ)
        except Exception:  # noqa: BLE001 a page that fails is an answer too, and is logged
            _log.exception("no answer for %r", environ["PATH_INFO"])
            answer = _line("500 Internal Server Error", "failed; the log tells why")
        if answer.stream is not None:
            start_response(answer.status, list(answer.headers))
            return answer.stream
        length = ("Content-Length", str(len(answer.body)))
        start_response(answer.status, [*answer.headers, length])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return _line("405 Method Not Allowed", "only GET and HEAD", ("Allow", "GET, HEAD"))
        page = self._pages.get(environ["PATH_INFO"])
        if page is None:
            return _line("404 Not Found", f"no such page; there are {', '.join(self._pages)}")
        return page(environ)

    def _events(self, environ: WSGIEnvironment) -> Answer:
        if environ["REQUEST_METHOD"] == "HEAD":
            return Answer("200 OK", EVENT_HEADERS, b"")
        try:
            stream = self._streams.open(_partition(environ.get("QUERY_STRING", "")))
        except TooManyStreamsError:
            return _line("503 Service Unavailable", "too many status pages are open; close one")
        return Answer("200 OK", EVENT_HEADERS, b"", stream)


def _partition(query: str) -> int | None:
    """Give the partition that is asked for; nonsense asks for none."""
    asked = parse_qs(query).get("partition", [""])[0]
    return int(asked) if asked.isdecimal() and len(asked) < 10 else None


def _verdict(verdict: Verdict) -> Answer:
    return _line("200 OK" if verdict.ok else "503 Service Unavailable", verdict.reason)


def _line(status: str, text: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, (_TEXT, *headers), f"{text}\n".encode())
