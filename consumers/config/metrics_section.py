"""The table `[metrics]`: where the pages are served, and with which certificates."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from consumers.config.sections import Int, Name, Section


class MetricsSection(Section):
    """Where metrics, health and the status page are served."""

    host: Name = "127.0.0.1"
    """Address to listen on. By default only this machine can ask."""
    port: Annotated[Int, Field(ge=0, le=65_535)] = 9108
    """Port of metrics, health and status page; 0 takes any that is free."""
    tls_certificate: Path | None = None
    """Certificate in PEM; with it the pages are served by HTTPS. Read again when the file changes.
    """
    tls_key: Path | None = None
    """Key of the certificate; left out: it stands in the file of the certificate."""
    tls_client_ca: Path | None = None
    """Authorities in PEM: a client must show a certificate of one of them."""

    @model_validator(mode="after")
    def _has_a_certificate_for_the_rest(self) -> "MetricsSection":
        for key in ("tls_key", "tls_client_ca"):
            if self.tls_certificate is None and getattr(self, key) is not None:
                raise PydanticCustomError(
                    "no_certificate",
                    "{key} is of no use without tls_certificate; add metrics.tls_certificate, "
                    "or take {key} away",
                    {"key": key},
                )
        return self
