"""What is served beside a run, and what watches it."""

import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from consumers.errors import SettingsError
from consumers.monitoring import monitoring
from consumers.settings import Settings, load
from metrics.facts import BatchFacts, State

TOML = """
[kafka]
bootstrap_servers = "localhost:9092"
[input]
topic = "events"
group = "elec2"
[schema]
label = "label"
features = ["a", "b"]
classes = [0, 1]
[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
[output]
topic = "predictions"
dead_letter_topic = "events.dlq"
[checkpoint]
store = "file:///nowhere"
[metrics]
port = 0
"""
LAGGING = BatchFacts(1, 1, 1, 0, 0, 1, {}, {}, {}, {}, None, 7, {3: 10}, {3: 5}, partition=3)


@pytest.fixture
def settings_with(tmp_path: Path) -> Callable[..., Settings]:
    path = tmp_path / "my.toml"
    path.write_text(TOML)
    return lambda *overrides: load(path, overrides)


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as reply:
        return str(reply.read().decode())


@pytest.mark.parametrize(("scope", "label"), [("global", ""), ("partition", '{partition="3"}')])
def test_metrics_of_a_model_name_its_partition_where_each_has_its_own(
    settings_with: Callable[..., Settings], scope: str, label: str
) -> None:
    with monitoring(settings_with(f"learning.scope={scope}")) as monitor:
        monitor.observer.batch(LAGGING)
        assert f"streamfit_model_version{label} 7.0\n" in page(monitor.url)


def refused(url: str) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        page(url)
    return str(caught.value.read().decode())


def test_the_settings_say_when_a_partition_counts_as_stalled(
    settings_with: Callable[..., Settings],
) -> None:
    for stall_after in ("9s", "11h"):
        with monitoring(settings_with(f"limits.stall_after={stall_after}")) as monitor:
            ready = monitor.url.replace("/metrics", "/readyz")
            monitor.observer.state(State.RUNNING)
            monitor.observer.batch(LAGGING)
            monitor.beat(time.monotonic() - 10)  # it waits since then
            if stall_after == "9s":
                assert "partition 3 lags by 5 records" in refused(ready)
            else:
                assert page(ready) == "the consumer is running\n"


def test_a_watch_for_stalls_lives_as_long_as_the_metrics_are_served(
    settings_with: Callable[..., Settings],
) -> None:
    def watches() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "stall watch"]

    with monitoring(settings_with()):
        assert watches() == ["stall watch"]
    assert watches() == []


def first_event(url: str, context: ssl.SSLContext | None = None) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=20, context=context) as reply:
        assert reply.readline().startswith(b"retry: ")
        told: dict[str, Any] = json.loads(reply.readline().removeprefix(b"data: "))
        return told


def test_the_status_tells_what_the_loop_reports_and_no_secret(
    settings_with: Callable[..., Settings],
) -> None:
    options = (
        '{"sasl.password"="hunter2", "ssl.key.password"="hunter3", "sasl.username"="me", '
        '"some.new.thing"="hunter4"}'
    )
    store = "checkpoint.store=s3://me:hunter5@bucket/models"
    with monitoring(settings_with(f"kafka.librdkafka={options}", store)) as monitor:
        monitor.observer.state(State.RUNNING)
        monitor.observer.batch(LAGGING)
        told = first_event(monitor.url.replace("/metrics", "/events"))
    assert "hunter" not in json.dumps(told)
    assert (told["state"], told["partitions"][0]["lag"]) == ("running", 5)
    settings = told["about"]["settings"]
    assert settings["kafka"]["librdkafka"]["sasl.password"] == "***"
    assert settings["kafka"]["librdkafka"]["sasl.username"] == "me"
    assert settings["checkpoint"]["store"] == "s3://***@bucket/models"
    assert told["about"]["versions"]["streamfit"]


def issue(authority: trustme.CA, folder: Path) -> tuple[str, str]:
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return f"metrics.tls_certificate={certificate}", f"metrics.tls_key={key}"


def test_with_a_certificate_the_pages_are_served_by_https(
    settings_with: Callable[..., Settings], tmp_path: Path
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    with monitoring(settings_with(*issue(authority, tmp_path))) as monitor:
        assert monitor.url.startswith("https://127.0.0.1:")
        events = monitor.url.replace("/metrics", "/events")
        assert first_event(events, context)["state"] == "starting"


@pytest.mark.parametrize("key", ["tls_certificate", "tls_key", "tls_client_ca"])
def test_a_certificate_file_that_cannot_be_used_is_told_by_its_key_at_the_start(
    settings_with: Callable[..., Settings], tmp_path: Path, key: str
) -> None:
    good = issue(trustme.CA(), tmp_path)
    settings = settings_with(*good, f"metrics.{key}={tmp_path / 'nowhere.pem'}")
    with pytest.raises(SettingsError) as refused, monitoring(settings):
        pass
    assert str(refused.value) == (
        f"metrics.{key} = '{tmp_path / 'nowhere.pem'}': No such file or directory; name a PEM "
        "file that this process may read"
    )


@pytest.mark.parametrize("key", ["tls_key", "tls_client_ca"])
def test_a_key_or_authority_without_a_certificate_is_refused(
    settings_with: Callable[..., Settings], key: str
) -> None:
    with pytest.raises(SettingsError, match=f"{key} is of no use without tls_certificate; add"):
        settings_with(f"metrics.{key}=/etc/tls/some.pem")
