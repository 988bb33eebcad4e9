"""The reference is what its generator makes, and says what each key and command means."""

import re

import pytest

from tests.docs import cli_reference, settings_reference
from tests.docs.pages import ROOT
from tests.docs.reference import FOLDER, pages


@pytest.mark.parametrize("name", ["settings.md", "cli.md"])
def test_a_page_of_the_reference_is_what_its_generator_makes(name: str) -> None:
    path = FOLDER / name
    assert path.read_text() == pages()[path], "python -m tests.docs.reference"


def test_every_key_of_the_settings_says_what_it_means() -> None:
    assert settings_reference.without_meaning() == []


def test_every_key_of_the_settings_has_its_place_in_the_reference() -> None:
    page = settings_reference.page()
    for table, section in settings_reference.sections().items():
        for key in section.model_fields:
            assert f"### `{table}.{key}`\n" in page


def test_the_keys_in_the_hash_are_those_that_decide_what_a_model_means() -> None:
    page = settings_reference.page()
    told = re.findall(r"### `([a-z_.]+)`(?:(?!###).)*· in the hash", page, re.DOTALL)
    assert {"schema.features", "model.steps", "learning.stride"} <= set(told)
    assert not {key for key in told if key.startswith(("kafka", "input", "output", "metrics"))}


def test_every_command_has_an_example_with_its_exit_codes_and_no_example_is_left_over() -> None:
    names = {name for name, _ in cli_reference.commands()}
    assert names == cli_reference.EXAMPLES.keys()
    assert cli_reference.MARKS.keys() <= names


def test_every_option_of_every_command_says_what_it_is_for() -> None:
    for name, command in cli_reference.commands():
        for parameter in command.params:
            assert parameter.help, f"streamfit {name}: {parameter.name}"


def test_the_exit_codes_of_the_reference_are_those_of_the_errors() -> None:
    text = (ROOT / "consumers" / "errors.py").read_text()
    codes = {int(code) for code in re.findall(r"exit_code(?:: ClassVar\[int\])? = (\d+)", text)}
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", cli_reference.HEAD, re.MULTILINE)}
    assert codes | {0, 130} == told
