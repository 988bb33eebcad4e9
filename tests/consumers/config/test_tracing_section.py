"""The table `[tracing]`."""

from typing import Any

import pytest

from consumers.errors import SettingsError
from consumers.settings import from_tables
from tests.settings_tables import tables


def test_traces_are_off_by_default() -> None:
    section = from_tables(tables()).tracing
    assert (section.url, section.headers) == (None, False)


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("http://otel:4318", "http://otel:4318/v1/traces"),
        ("http://otel:4318/", "http://otel:4318/v1/traces"),
        ("https://[::1]:4318", "https://[::1]:4318/v1/traces"),
        ("https://otel/tenant/v1/traces", "https://otel/tenant/v1/traces"),
    ],
)
def test_an_endpoint_without_a_path_gets_that_of_otlp(endpoint: str, url: str) -> None:
    assert from_tables(tables({"tracing.endpoint": endpoint})).tracing.url == url


@pytest.mark.parametrize(
    ("key", "value", "mend"),
    [
        ("endpoint", "otel:4318", "http://host:4318"),
        ("endpoint", "grpc://otel:4317", "http://host:4318"),
        ("endpoint", "http://otel:port", "http://host:4318"),
        ("endpoint", "http://", "http://host:4318"),
        ("endpoint", "http://user:hunter2@otel:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("endpoint", "http://otel:4318/?token=hunter2", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("ratio", 1.5, "1"),
        ("ratio", -0.1, "0"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key_and_with_the_mend(
    key: str, value: Any, mend: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        from_tables(tables({f"tracing.{key}": value}))
    assert f"tracing.{key}" in str(refused.value)
    assert mend in str(refused.value)
    assert "hunter2" not in str(refused.value)
