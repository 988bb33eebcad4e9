"""Whether a run is traced, and what that takes."""

import os
import subprocess
import sys

import pytest

from consumers.errors import SettingsError
from consumers.loop.tracing import UNTRACED
from consumers.settings import from_tables
from consumers.tracing import tracing
from tests.settings_tables import tables

ON = {"tracing.endpoint": "http://127.0.0.1:1"}


def test_without_an_endpoint_nothing_is_traced() -> None:
    with tracing(from_tables(tables())) as traces:
        assert traces.batches is UNTRACED
        assert traces.observers == ()


def test_a_run_that_is_not_traced_never_imports_opentelemetry() -> None:
    program = (
        "import sys, consumers.cli, consumers.connecting, consumers.monitoring, consumers.tracing\n"
        "print([name for name in sys.modules if 'opentelemetry' in name])"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_without_opentelemetry_the_packages_to_install_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("consumers.views.")]:
        if "span" in name:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with (
        pytest.raises(SettingsError, match="opentelemetry-exporter-otlp-proto-http") as refused,
        tracing(from_tables(tables(ON))),
    ):
        pass
    assert str(refused.value).startswith("tracing.endpoint: ")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8192", "max_export_batch_size must be less than"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0", "max_export_batch_size must be a positive"),
        ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "none", "'none' not found"),
    ],
)
def test_a_variable_that_opentelemetry_refuses_is_a_mistake_in_the_settings(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with (
        pytest.raises(SettingsError, match=said) as refused,
        tracing(from_tables(tables(ON))),
    ):
        pass
    assert str(refused.value).startswith("tracing.endpoint: ")
    assert "correct or remove the environment's variable OTEL_" in str(refused.value)


def test_a_variable_that_opentelemetry_refuses_on_import_is_a_mistake_in_the_settings() -> None:
    program = """
from consumers.errors import SettingsError
from consumers.settings import from_tables
from consumers.tracing import tracing
from tests.settings_tables import tables
try:
    with tracing(from_tables(tables({"tracing.endpoint": "http://127.0.0.1:1"}))):
        pass
except SettingsError as error:
    print(error)
"""
    environment = {**os.environ, "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "many"}
    words = [sys.executable, "-c", program]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT must be a non-negative integer" in done.stdout


def test_an_error_of_the_run_itself_is_not_taken_for_one_of_opentelemetry() -> None:
    with (
        pytest.raises(ValueError, match="of the run"),
        tracing(from_tables(tables(ON))),
    ):
        raise ValueError("of the run")
