"""Secrets reach the client from each place that may hold them, and nothing that is shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.cli import main
from consumers.config.shown import shown
from consumers.errors import SettingsError
from consumers.kafka.config import client_config
from consumers.settings import load
from tests.jobs import SETTINGS

pytestmark = pytest.mark.usefixtures("logs_as_before")

SECRET = "hunter2-#secret"  # noqa: S105 of nobody
VARIABLE = "STREAMFIT_KAFKA__LIBRDKAFKA"
KEYS = (
    *("sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password"),
    *("sasl.oauthbearer.client.secret", "sasl.oauthbearer.assertion.private.key.passphrase"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    names = {"topic": "t", "group": "g", "predictions": "p", "dead_letters": "d"}
    text = SETTINGS.format(bootstrap="localhost:1", store=tmp_path / "store", **names)
    path.write_text(text + '[kafka.librdkafka]\n"sasl.username" = "alice"\n')
    return path


def with_password(file: Path, value: str) -> None:
    file.write_text(file.read_text() + f'"sasl.password" = {value}\n')


def test_a_secret_is_read_from_the_file_that_the_settings_name(file: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{SECRET}\n")
    with_password(file, f'{{ file = "{tmp_path}/password" }}')
    settings = load(file)
    assert client_config(settings)["sasl.password"] == SECRET
    assert shown(settings)["kafka"]["librdkafka"]["sasl.password"] == {
        "file": f"{tmp_path}/password"
    }


def test_a_secret_in_the_environment_joins_the_options_of_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, json.dumps({"sasl.password": SECRET}))
    config = client_config(load(file))
    assert (config["sasl.username"], config["sasl.password"]) == ("alice", SECRET)


def test_a_variable_may_name_one_option_with_its_dots(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{VARIABLE}__sasl.password", SECRET)
    assert client_config(load(file))["sasl.password"] == SECRET


def test_the_environment_may_name_the_file_of_a_secret(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text(SECRET)
    monkeypatch.setenv(VARIABLE, json.dumps({"sasl.password": {"file": f"{tmp_path}/password"}}))
    assert client_config(load(file))["sasl.password"] == SECRET


def test_the_file_of_a_secret_that_is_not_there_is_named(file: Path, tmp_path: Path) -> None:
    with_password(file, f'{{ file = "{tmp_path}/nowhere" }}')
    with pytest.raises(SettingsError, match="nowhere: cannot be read"):
        client_config(load(file))


def test_the_file_of_a_secret_that_is_not_utf_8_is_named_and_never_shown(
    file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_bytes(SECRET.encode() + b"\xff")
    with_password(file, f'{{ file = "{tmp_path}/password" }}')
    with pytest.raises(SettingsError, match=r"librdkafka\.sasl\.password: .* is not UTF-8") as e:
        client_config(load(file))
    assert (e.value.__cause__, e.value.__context__) == (None, None)
    assert main(["dlq", "show", str(file)]) == 2
    told = capfd.readouterr()
    assert "password: is not UTF-8" in told.err
    assert SECRET not in told.out + told.err


@pytest.mark.parametrize("key", KEYS)
def test_settings_hide_a_secret_however_they_are_shown(file: Path, key: str) -> None:
    settings = load(file, [f"kafka.librdkafka.{key}={SECRET}"])
    assert client_config(settings)[key] == SECRET
    told = f"{settings!r} {settings} {settings.model_dump_json()} {shown(settings)}"
    assert SECRET not in told


@pytest.mark.parametrize(
    "value",
    [f'["{SECRET}"]', f'{{ path = "{SECRET}" }}', f'{{ file = ["{SECRET}"] }}'],
    ids=["list", "unknown key", "list of files"],
)
def test_a_secret_of_a_wrong_kind_is_refused_and_not_shown(file: Path, value: str) -> None:
    with_password(file, value)
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert "kafka.librdkafka" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text", [f'{{"sasl.password": "{SECRET}"', f'["{SECRET}"]', SECRET], ids=["cut", "list", "text"]
)
def test_a_variable_that_is_no_table_is_refused_and_not_shown(
    file: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    assert SECRET not in str(caught.value)


def test_an_option_that_librdkafka_refuses_hides_the_secret_beside_it(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    options = [f"kafka.librdkafka.sasl.password={SECRET}", "kafka.librdkafka.no.such=1"]
    assert main(["dlq", "show", str(file), *with_overrides(options)]) == 2
    told = capfd.readouterr()
    assert "no.such" in told.err
    assert SECRET not in told.out + told.err


def with_overrides(options: list[str]) -> list[str]:
    return [word for option in options for word in ("--set", option)]


def test_check_prints_all_settings_as_they_hold_with_secrets_masked(
    file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = f"s3://key:{SECRET}@bucket/models"
    options = [f"kafka.librdkafka.sasl.password={SECRET}", f"checkpoint.store={store}"]
    assert main(["check", str(file), "--print", *with_overrides(options)]) == 0
    out = capfd.readouterr().out
    assert SECRET not in out
    printed: dict[str, Any] = json.loads(out)
    assert printed["checkpoint"]["store"] == "s3://***@bucket/models"
    assert printed["kafka"]["librdkafka"] == {"sasl.username": "alice", "sasl.password": "***"}
    assert printed["learning"]["stride"] == 1


def test_the_traceback_of_a_crash_shows_no_secret(
    file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def crash(config: dict[str, Any]) -> None:
        raise RuntimeError(f"{len(config)} options")

    monkeypatch.setattr("consumers.dead_letters.access.Cluster", crash)
    options = [f"kafka.librdkafka.sasl.password={SECRET}"]
    assert main(["dlq", "show", str(file), *with_overrides(options)]) == 70
    told = capfd.readouterr()
    assert "RuntimeError: " in told.err
    assert SECRET not in told.out + told.err
