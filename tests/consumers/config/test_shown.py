"""The settings as anybody may see them."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.config.shown import shown, without_credentials
from consumers.settings import from_tables

TABLES: dict[str, Any] = {
    "kafka": {"bootstrap_servers": "localhost:9092"},
    "input": {"topic": "events", "group": "elec2"},
    "schema": {"label": "label", "features": ["a", "b"], "classes": [0, 1]},
    "model": {"steps": [{"use": "SGDClassifier", "loss": "log_loss"}]},
    "output": {"topic": "predictions"},
    "checkpoint": {"store": "file:///nowhere"},
}


def options(given: dict[str, Any]) -> dict[str, Any]:
    kafka = {**TABLES["kafka"], "librdkafka": given}
    told: dict[str, Any] = shown(from_tables({**TABLES, "kafka": kafka}))["kafka"]["librdkafka"]
    return told


def test_every_table_is_shown_with_its_defaults_and_goes_into_json() -> None:
    told = json.loads(json.dumps(shown(from_tables(TABLES))))
    assert told["schema"]["features"] == ["a", "b"]
    assert told["metrics"]["host"] == "127.0.0.1"
    assert told["model"]["steps"][0]["loss"] == "log_loss"
    assert told["checkpoint"]["store"] == "file:///nowhere"
    assert told["checkpoint"]["every"] == "1s"
    assert told["metrics"]["tls_key"] is None


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.assertion.private.key.passphrase",
    ],
)
@pytest.mark.parametrize("value", ["hunter2", 12345678])
def test_a_secret_is_masked_even_if_it_looks_like_a_number(key: str, value: object) -> None:
    assert options({key: value}) == {key: "***"}


def test_text_that_is_not_known_to_be_harmless_is_masked() -> None:
    assert options({"credentials.of.tomorrow": "hunter2"}) == {"credentials.of.tomorrow": "***"}


def test_what_helps_to_find_a_fault_is_shown() -> None:
    given = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "session.timeout.ms": 6000,
        "socket.keepalive.enable": True,
    }
    assert options(given) == given


def test_the_file_of_a_secret_is_named_and_not_read(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2")
    assert options({"sasl.password": {"file": str(path)}}) == {"sasl.password": {"file": str(path)}}


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("s3://bucket/models", "s3://bucket/models"),
        ("s3://key:secret@bucket/models", "s3://***@bucket/models"),
        ("s3://key:se/cr#et?@bucket/models", "s3://***@bucket/models"),
        ("https://host/a?sig=secret#secret", "https://host/a?***#***"),
        ("file:///var/lib/streamfit", "file:///var/lib/streamfit"),
        ("localhost:9092", "localhost:9092"),
        ("http://[broken", "***"),
    ],
)
def test_addresses_lose_their_credentials(address: str, told: str) -> None:
    assert without_credentials(address) == told
