"""Sends spans to a collector, by OTLP over HTTP. Imported only where traces are asked for.

Spans wait in a bounded queue for a thread of their own: a collector that is slow or away costs
spans, and never holds up the loop or its end. The SDK itself reads the variables that
OpenTelemetry defines (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_RESOURCE_ATTRIBUTES`, ...).
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import Tracer

QUEUE = 4_096
EVERY_MS = 1_000
# One request, all tries included.
REQUEST_S = 5.0
CLOSE_S = 3.0


@contextmanager
def sending(url: str, ratio: float, process: Mapping[str, str]) -> Iterator[Tracer]:
    """Give what makes spans, and send them while the block runs, and a little longer.

    Parameters
    ----------
    url : str
        Where to post them.
    ratio : float
        Share of the traces that are kept, 0 to 1.
    process : mapping of str to str
        What is told of this process, by the names of OpenTelemetry; the environment holds over it.
    """
    provider = TracerProvider(
        sampler=TraceIdRatioBased(ratio),
        resource=Resource(process).merge(OTELResourceDetector().detect()),
        shutdown_on_exit=False,  # it would wait for a collector that is away
    )
    exporter = OTLPSpanExporter(endpoint=url, timeout=REQUEST_S)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, max_queue_size=QUEUE, schedule_delay_millis=EVERY_MS)
    )
    try:
        yield provider.get_tracer("streamfit", process.get("service.version"))
    finally:
        closing = threading.Thread(target=provider.shutdown, name="spans", daemon=True)
        closing.start()
        closing.join(CLOSE_S)
