"""A collector of OpenTelemetry: takes spans by OTLP over HTTP, or answers nobody."""

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

WAIT_S = 30.0


@dataclass
class Collector:
    """What a collector was sent.

    Attributes
    ----------
    endpoint : str
        Its address.
    """

    endpoint: str
    answers: bool
    asked: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def spans(self, beginning: str = "") -> list[Span]:
        """Give the spans whose name begins so."""
        return [
            span
            for request in list(self.requests)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.name.startswith(beginning)
        ]

    def processes(self) -> list[dict[str, Any]]:
        """Give what each request tells of the process that sent it."""
        return [
            attributes(resource.resource)
            for request in list(self.requests)
            for resource in request.resource_spans
        ]

    def wait_for(self, is_there: Callable[[], bool]) -> None:
        """Wait until something has come."""
        deadline = time.monotonic() + WAIT_S
        while not is_there():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(self.spans())} spans have come")
            time.sleep(0.02)


def attributes(of: Any) -> dict[str, Any]:
    """Give attributes as plain values."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@contextlib.contextmanager
def collector(*, answers: bool = True) -> Iterator[Collector]:
    """Start one; one that does not answer takes requests and says nothing."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.paths.add(self.path)
            found.asked.set()
            if not found.answers:
                found.closing.wait(WAIT_S)
                return
            found.requests.append(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name it overrides
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Collector(f"http://127.0.0.1:{server.server_address[1]}", answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield found
    finally:
        found.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
