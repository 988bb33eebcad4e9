"""A small threaded HTTP server for the pages. What they say is in `metrics.pages`."""

import io
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, TextIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from metrics.pages import Pages
from metrics.tls import Tls

_log = logging.getLogger("streamfit.metrics")

# A whole request must be there within this time, and each part of the answer taken.
CLIENT_TIMEOUT_S = 5.0
_POLL_S = 0.1
# Each has a thread and a descriptor, of which a process often has 1,024: some must be Kafka's.
MOST_CONNECTIONS = 512


class MetricsPortError(Exception):
    """The address cannot be listened on.

    Parameters
    ----------
    host : str
        Name or address.
    port : int
        Number of the port.
    reason : str
        What the system says.
    """

    def __init__(self, host: str, port: int, reason: str) -> None:
        shown = f"[{host}]" if ":" in host else host
        super().__init__(f"cannot listen on {shown}:{port} ({reason})")
        self.host, self.port, self.reason = host, port, reason


class MetricsServer:
    """Serves the pages from threads of its own.

    Parameters
    ----------
    pages : Pages
        What is answered.
    host : str
        Name or address to listen on, IPv4 or IPv6.
    port : int
        Number of the port; 0 takes any that is free.
    clock : callable
        Gives seconds that never go back.
    tls : Tls, optional
        Makes connections secure; without it they are not.
    """

    def __init__(
        self,
        pages: Pages,
        host: str,
        port: int,
        clock: Callable[[], float],
        tls: Tls | None = None,
    ) -> None:
        self._pages = pages
        self._host, self._asked_port = host, port
        self._clock = clock
        self._tls = tls
        self._running: tuple[_Server, threading.Thread] | None = None

    @property
    def port(self) -> int:
        """Port that is listened on; before the start, the one asked for."""
        return self._asked_port if self._running is None else self._running[0].server_port

    def start(self) -> None:
        """Begin to serve; returns at once.

        Raises
        ------
        MetricsPortError
            If the port is taken, or the host is not one of this machine.
        """
        try:
            server = _Server(self._host, self._asked_port, self._clock, self._tls)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MetricsPortError(self._host, self._asked_port, reason) from error
        server.set_app(self._pages)
        thread = threading.Thread(
            target=server.serve_forever, args=(_POLL_S,), name="metrics server", daemon=True
        )
        thread.start()
        self._running = server, thread

    def close(self) -> None:
        """Stop serving. Waits for no client; closing twice, or before a start, does no harm."""
        self._pages.close()
        if self._running is None:
            return
        server, thread = self._running
        self._running = None
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    """One thread per connection, so that a slow client holds up nobody else."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, host: str, port: int, clock: Callable[[], float], tls: Tls | None = None
    ) -> None:
        self._clock = clock
        self._tls = tls
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._reading: dict[socket.socket, float] = {}
        self.address_family, address = _address(host, port)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without the name lookup of `HTTPServer`, which can take seconds."""
        TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), port
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection; nothing is said yet, so that a silent client holds up nobody."""
        connection, address = super().get_request()
        if self._tls is None:
            return connection, address
        try:
            return self._tls.wrap(connection), address
        except OSError:
            connection.close()
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the time that a client has for its request, and a thread for it."""
        with self._lock:
            if len(self._open) < MOST_CONNECTIONS or self._make_room():
                self._open.add(request)
                self._reading[request] = self._clock()
            has_room = request in self._open
        if not has_room:
            return self.shutdown_request(request)
        return super().process_request(request, client_address)

    def _make_room(self) -> bool:
        """End who has kept us waiting longest for a request, so that a probe still gets in."""
        waiting = min(self._reading, key=self._reading.__getitem__, default=None)
        if waiting is not None:
            del self._reading[waiting]
            _end(waiting)
        return waiting is not None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, in the thread of the connection; then read the request and answer it."""
        if isinstance(request, ssl.SSLSocket):
            request.settimeout(_Handler.timeout)
            request.do_handshake()
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection before it is closed."""
        self.end_reading(request)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def end_reading(self, connection: socket.socket) -> None:
        """Take note that a request is there, or given up."""
        with self._lock:
            self._reading.pop(connection, None)

    def service_actions(self) -> None:
        """End connections whose request does not come to an end; called every `_POLL_S`.

        The timeout of a socket starts anew with every byte, so a client that sends one now and
        then would keep its thread for good.
        """
        if self._reading:
            self._end_those_since(self._clock() - CLIENT_TIMEOUT_S)

    def server_close(self) -> None:
        """Stop listening, and end all connections: their threads are not waited for."""
        super().server_close()
        with self._lock:
            for connection in self._open:
                _end(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what broke a request off; a client that went away is nothing special."""
        del request  # closed by the caller
        gone = isinstance(sys.exc_info()[1], OSError)
        level = logging.DEBUG if gone else logging.ERROR
        _log.log(level, "request of %s broke off", client_address[0], exc_info=True)

    def _end_those_since(self, begun: float) -> None:
        with self._lock:
            for connection, since in self._reading.items():
                if since <= begun:
                    _end(connection)


class _Handler(WSGIRequestHandler):
    """One request of one client, with deadlines and without a request log."""

    timeout = CLIENT_TIMEOUT_S
    server: _Server

    def parse_request(self) -> bool:
        """Read the headers; with them the request is there."""
        try:
            return super().parse_request()
        finally:
            self.server.end_reading(self.connection)

    def get_stderr(self) -> TextIO:
        """Take what is said of an answer that nobody took: pages log their own errors."""
        return io.StringIO()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name that it overrides
        """Log nothing: a scrape or a probe every few seconds is no news."""


def _end(connection: socket.socket) -> None:
    try:
        # That of the plain socket: TLS's own forgets a state that the other thread still uses.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError as error:  # it has gone by itself in the meantime
        _log.debug("connection already gone: %s", error)


def _address(host: str, port: int) -> tuple[socket.AddressFamily, Any]:
    """Resolve a host; of several addresses an IPv4 one, which is what clients try at localhost."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda info: info[0] != socket.AF_INET)
    # The port as asked for: a lookup takes 70000 for 4464.
    return family, (address[0], port, *address[2:])
