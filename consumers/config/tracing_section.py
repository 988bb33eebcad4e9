"""The table `[tracing]`: where spans are sent, how many, and whether predictions carry them on."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from consumers.config.sections import Float, Section


def _a_collector(endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        usable = False
    if not usable:
        raise PydanticCustomError(
            "endpoint", "is no http(s) address; write the collector's, such as http://host:4318"
        )
    if "@" in parts.netloc or parts.query:
        raise PydanticCustomError(
            "secret_in_endpoint",
            "holds a password or a query, which would stand in logs; give what is secret by the "
            "environment (OTEL_EXPORTER_OTLP_HEADERS)",
        )
    return endpoint


class TracingSection(Section):
    """OpenTelemetry traces, off unless an endpoint is named."""

    endpoint: Annotated[str, AfterValidator(_a_collector)] | None = None
    """Address of an OpenTelemetry collector, OTLP over HTTP; left out: no traces. Takes `pip
    install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http`.
    """
    ratio: Annotated[Float, Field(ge=0, le=1)] = 1.0
    """Share of the batches that are traced."""
    headers: bool = False
    """Whether predictions carry the `traceparent` of their event in a header."""

    @property
    def url(self) -> str | None:
        """Where spans are posted: the endpoint; without a path, OTLP's own path at it."""
        if self.endpoint is None or urlsplit(self.endpoint).path.strip("/"):
            return self.endpoint
        return f"{self.endpoint.rstrip('/')}/v1/traces"
