"""Options of librdkafka: refused ones, secret ones, ones from files."""

from pathlib import Path

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from consumers.config.passthrough import REFUSED, FromFile, Options, is_secret, plain
from consumers.kafka.config import CONFIG, FIXED, consumer_config

OPTIONS: TypeAdapter[Options] = TypeAdapter(Options)


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_an_option_that_the_guarantees_rest_on_is_refused_with_the_reason(key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        OPTIONS.validate_python({"linger.ms": 5, key: "x"})
    assert f"{key} is refused: {REFUSED[key]}" in str(caught.value)


def test_everything_that_is_fixed_is_refused() -> None:
    assert FIXED.keys() <= REFUSED.keys()


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.jaas.config",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "SASL.PASSWORD",
    ],
)
def test_secrets_are_known_by_name(key: str) -> None:
    assert is_secret(key)
    assert str(OPTIONS.validate_python({key: 12})) == str({key: SecretStr("12")})


@pytest.mark.parametrize("key", ["sasl.username", "client.id", "ssl.ca.location"])
def test_what_is_no_secret_is_not_hidden_from_errors(key: str) -> None:
    assert not is_secret(key)


def test_options_keep_their_types() -> None:
    given = {"a": True, "b": 7, "c": 0.5, "d": "7", "e": "true"}
    assert plain(OPTIONS.validate_python(given)) == given


def test_a_file_is_read_when_asked_and_only_its_last_line_break_left_out(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" pass word \n", encoding="utf-8")
    found = OPTIONS.validate_python({"sasl.password": {"file": str(file)}})
    assert found == {"sasl.password": FromFile(file=file)}
    assert plain(found) == {"sasl.password": " pass word "}


def test_the_users_options_hold_over_ours_and_the_fixed_ones_over_all() -> None:
    config = consumer_config({"session.timeout.ms": 7, "enable.auto.commit": True}, "g", "i")
    assert config["session.timeout.ms"] == 7
    assert config["enable.auto.commit"] is False
    assert (config["group.id"], config["group.instance.id"]) == ("g", "i")
    assert config.keys() >= CONFIG.keys() | FIXED.keys()


def test_without_an_instance_there_is_none() -> None:
    assert "group.instance.id" not in consumer_config({}, "g", None)


def test_under_the_newer_group_protocol_what_the_broker_decides_is_left_out() -> None:
    config = consumer_config({"group.protocol": "consumer", "session.timeout.ms": 7}, "g", None)
    assert not config.keys() & {"session.timeout.ms", "partition.assignment.strategy"}
