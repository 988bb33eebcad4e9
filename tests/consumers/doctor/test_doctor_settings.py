from pathlib import Path
from typing import Any

import pytest

from consumers.doctor import fights
from consumers.doctor.finding import Finding, Level
from consumers.settings import from_tables
from tests.settings_tables import tables

LIBRDKAFKA = "kafka.librdkafka"


def judged(changes: dict[str, Any] | None = None) -> list[Finding]:
    return list(fights.judge(from_tables(tables(changes))))


def codes(changes: dict[str, Any] | None = None) -> dict[str, Level]:
    return {each.code: each.level for each in judged(changes)}


def test_plain_settings_agree() -> None:
    assert codes() == {"settings.model": Level.OK, "settings.agree": Level.OK}


@pytest.mark.parametrize(
    ("code", "level", "changes"),
    [
        ("model", Level.PROBLEM, {"model.steps": [{"use": "RandomForestClassifier"}]}),
        ("session_timeout", Level.PROBLEM, {LIBRDKAFKA: {"max.poll.interval.ms": 5000}}),
        ("poll_interval", Level.WARNING, {LIBRDKAFKA: {"max.poll.interval.ms": 20_000}}),
        ("heartbeat", Level.WARNING, {LIBRDKAFKA: {"heartbeat.interval.ms": 5000}}),
        ("long_epoch", Level.NOTE, {"checkpoint.every": "5m"}),
        (
            "long_epoch",
            Level.NOTE,
            {"checkpoint.every": "30s", "output.delivery": "exactly_once"},
        ),
        ("short_epoch", Level.WARNING, {"checkpoint.every": "10ms"}),
        ("uncheckpointed", Level.WARNING, {"limits.max_uncheckpointed": 100}),
        ("stall_after", Level.WARNING, {"limits.stall_after": "2s"}),
        ("max_batch", Level.NOTE, {"learning.max_batch": 50_000}),
        ("stride", Level.NOTE, {"learning.stride": 10}),
        ("held_instance", Level.NOTE, {"input.instance": "pod-0"}),
        (
            "loose_instance",
            Level.NOTE,
            {"learning.scope": "partition", "output.delivery": "exactly_once"},
        ),
        ("read_committed", Level.NOTE, {"output.delivery": "exactly_once"}),
        ("open_metrics", Level.NOTE, {"metrics.host": "0.0.0.0"}),  # noqa: S104 - looked for
        ("metrics_port", Level.NOTE, {"metrics.port": 0}),
        ("dead_letter_limit", Level.WARNING, {"limits.dead_letter_count": 10_000}),
        ("no_dead_letters", Level.NOTE, {"limits.dead_letter_count": 0}),
        ("keep", Level.WARNING, {"checkpoint.keep": 1}),
        ("lenient", Level.NOTE, {"learning.on_gap": "skip"}),
        ("slow_client", Level.WARNING, {LIBRDKAFKA: {"fetch.queue.backoff.ms": 1000}}),
        ("client_memory", Level.WARNING, {LIBRDKAFKA: {"queued.max.messages.kbytes": 65536}}),
        ("short_delivery", Level.WARNING, {LIBRDKAFKA: {"message.timeout.ms": 500}}),
        ("debug", Level.NOTE, {LIBRDKAFKA: {"debug": "fetch"}}),
        (
            "unverified_tls",
            Level.WARNING,
            {LIBRDKAFKA: {"enable.ssl.certificate.verification": False}},
        ),
        ("clear_password", Level.WARNING, {LIBRDKAFKA: {"security.protocol": "SASL_PLAINTEXT"}}),
        ("unused_login", Level.PROBLEM, {LIBRDKAFKA: {"sasl.password": "hush"}}),
    ],
)
def test_settings_that_fight_are_told(code: str, level: Level, changes: dict[str, Any]) -> None:
    assert codes(changes)[f"settings.{code}"] is level
    assert ("settings.agree" in codes(changes)) is (level is Level.NOTE)


def test_policies_that_go_on_by_themselves_are_named() -> None:
    changes = {"learning.on_gap": "skip", "learning.on_damaged": "previous"}
    found = next(each for each in judged(changes) if each.code == "settings.lenient")
    assert "learning.on_gap = 'skip'" in found.seen
    assert "learning.on_damaged = 'previous'" in found.seen
    assert "on_reset" not in found.seen


def test_no_secret_is_told() -> None:
    changes = {LIBRDKAFKA: {"sasl.username": "ann", "sasl.password": "hush"}}
    assert not any("hush" in repr(each) for each in judged(changes))


def test_metrics_that_ask_for_a_certificate_may_be_open() -> None:
    changes = {
        "metrics.host": "0.0.0.0",  # noqa: S104 - looked for
        "metrics.tls_certificate": "a.pem",
        "metrics.tls_client_ca": "ca.pem",
    }
    assert "settings.open_metrics" not in codes(changes)


def test_the_file_of_a_secret_that_is_not_utf_8_is_left_to_who_connects(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff")
    assert codes({LIBRDKAFKA: {"sasl.password": {"file": str(file)}}}) == codes()
