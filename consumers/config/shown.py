"""The settings as they may be shown to anybody: what is secret, or might be, is masked."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr

from consumers.config.passthrough import is_secret

MASK = "***"
# Text for librdkafka is shown under these keys alone: a list of what is secret would lack the next
# secret that librdkafka learns.
_HARMLESS_TEXT = (
    *("client.id", "client.rack", "group.protocol", "security.protocol", "sasl.mechanism"),
    *("sasl.mechanisms", "sasl.username", "ssl.ca.location", "ssl.certificate.location"),
    *("ssl.endpoint.identification.algorithm", "compression.type", "compression.codec"),
    *("broker.address.family", "client.dns.lookup", "debug"),
)


def shown(settings: BaseModel) -> dict[str, Any]:
    """Give the tables of the settings, ready for JSON, without any secret.

    Parameters
    ----------
    settings : Settings
        All of them, those left at their default included.
    """
    tables: dict[str, Any] = settings.model_dump(by_alias=True)
    kafka = tables["kafka"]
    given: Mapping[str, Any] = settings.kafka.librdkafka  # type: ignore[attr-defined]  # Settings imports this package
    kafka["librdkafka"] = {key: _option(key, value) for key, value in given.items()}
    return {name: _without_secrets(table) for name, table in tables.items()}


def without_credentials(text: str) -> str:
    """Mask what an address carries before its host and behind its path.

    Examples
    --------
    >>> without_credentials("s3://key:secret@bucket/models?token=abc")
    's3://***@bucket/models?***'
    >>> without_credentials("file:///var/lib/streamfit")
    'file:///var/lib/streamfit'
    """
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        return text
    # By hand, too: keys of object stores hold slashes, where an address would end its host.
    text = re.sub(r"(?<=://)[^/@]*:.*@", f"{MASK}@", text)
    try:
        parts = urlsplit(text)
    except ValueError:
        return MASK
    _, at, host = parts.netloc.rpartition("@")
    # By hand: `urlunsplit` would drop the empty host of file:///.
    plain = urlunsplit(("", "", parts.path, MASK if parts.query else "", parts.fragment and MASK))
    return f"{parts.scheme}://{MASK + at if at else ''}{host}{plain}"


def _option(key: str, value: Any) -> Any:
    if isinstance(value, BaseModel):  # the file of a secret is none
        return value.model_dump(mode="json")
    if is_secret(key):  # of digits alone, it is a number here
        return MASK
    if isinstance(value, bool | int | float):
        return value
    return without_credentials(value.get_secret_value()) if key in _HARMLESS_TEXT else MASK


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(each) for each in value]
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if value is None or isinstance(value, bool | int | float):
        return value
    return MASK if isinstance(value, SecretStr) else without_credentials(str(value))
