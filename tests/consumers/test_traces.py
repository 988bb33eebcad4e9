"""Whether a run is traced, and what that takes."""

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
