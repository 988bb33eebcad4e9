"""What is served beside a run, and what watches it."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

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
