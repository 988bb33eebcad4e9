"""The demo, as somebody types it: the installed command as a process."""

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from tests.brokers.kafka import Kafka
from tests.jobs import COMMAND, run_command

KEYS = [
    *("events", "accuracy", "kappa", "kappa_t", "baseline_no_change", "baseline_majority"),
    *("dead_letters", "seconds", "events_per_s"),
]


def test_the_demo_needs_no_broker_and_ends_at_the_published_accuracy(tmp_path: Path) -> None:
    picture = tmp_path / "elec2.png"
    ran = run_command("demo", "--json", "--plot", str(picture))
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert list(summary) == KEYS
    assert summary["events"] == 45_312
    assert summary["accuracy"] == pytest.approx(0.8190, abs=0.0005)
    assert summary["baseline_no_change"] == pytest.approx(0.8533, abs=0.0001)
    assert summary["kappa_t"] < 0
    assert summary["dead_letters"] == 20
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_demo_learns_on_a_broker_that_is_named(kafka: Kafka) -> None:
    environment = {"STREAMFIT_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
    ran = run_command("demo", "--json", "--dirty", "3", env=environment)
    assert ran.returncode == 0, ran.stderr
    summary = json.loads(ran.stdout)
    assert summary["accuracy"] == pytest.approx(0.8190, abs=0.0005)
    assert summary["dead_letters"] == 3


def test_on_a_terminal_the_demo_shows_a_view_and_what_to_try_next() -> None:
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "demo", "--rate", "60000"],
        stdout=child,
        stderr=child,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )
    os.close(child)
    shown = b""
    while True:
        try:
            read = os.read(parent, 65_536)
        except OSError:  # the other end is closed: this is how a pseudo-terminal ends
            break
        if not read:
            break
        shown += read
    os.close(parent)
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    for word in ("events/s", "kappa-T", "no-change", "majority", "dead letters", "checkpoint"):
        assert word in text
    assert "streamfit init" in text
    assert "0.8191" in text
