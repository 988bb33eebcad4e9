"""The file that `streamfit init` writes: valid, and honest about the defaults."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from consumers.cli import main
from consumers.config.starter import STARTER
from consumers.settings import Settings, load

# Examples of keys that have no default: `instance`, `time`, options of librdkafka, addresses.
EXAMPLES = {
    "input": {"instance"},
    "schema": {"time"},
    "kafka.librdkafka": None,
    "tracing": {"endpoint"},
    "metrics": {"tls_certificate", "tls_key", "tls_client_ca"},
}
COMMENTED = re.compile(r'^# ("?[a-z_.]+"? = .*|\[[a-z.]+\].*)$')


def written(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "streamfit.toml"
    file.write_text(text)
    return load(file)


def uncommented() -> str:
    """Give the starter with every commented-out key in force."""
    lines = [COMMENTED.sub(r"\1", line) for line in STARTER.splitlines()]
    return "\n".join(lines)


def test_init_writes_settings_that_are_valid_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    assert main(["init", str(file)]) == 0
    assert f"streamfit check {file}" in capsys.readouterr().out
    assert load(file).input.topic == "events"


def test_init_overwrites_nothing_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("precious")
    assert main(["init", str(file)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "precious"
    assert main(["init", str(file), "--force"]) == 0
    assert file.read_text() == STARTER


def test_what_is_commented_out_is_the_default(tmp_path: Path) -> None:
    plain, shown = written(tmp_path, STARTER), tomllib.loads(uncommented())
    compared = 0
    for section, keys in tomllib.loads(uncommented()).items():
        given = tomllib.loads(STARTER).get(section, {})
        if section == "model":
            continue
        examples: Any = EXAMPLES.get(section) or set()
        for key in keys.keys() - given.keys() - examples - {"librdkafka"}:
            assert _default(plain, section, key) == _default(
                written(tmp_path, uncommented()), section, key
            ), f"{section}.{key}"
            compared += 1
    assert compared >= 13
    assert shown["kafka"]["librdkafka"]["sasl.mechanism"] == "SCRAM-SHA-512"


def test_every_section_has_its_place_in_the_starter() -> None:
    sections = {field.alias or name for name, field in Settings.model_fields.items()}
    assert tomllib.loads(STARTER).keys() == sections


def _default(settings: Settings, section: str, key: str) -> Any:
    if (section, key) == ("output", "dead_letter_topic"):
        return settings.dead_letter_topic
    return getattr(getattr(settings, "schema_" if section == "schema" else section), key)
