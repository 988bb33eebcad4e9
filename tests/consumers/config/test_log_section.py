"""The table `[log]`."""

import logging
from typing import Any

import pytest

from consumers.errors import SettingsError
from consumers.settings import from_tables
from tests.settings_tables import tables


@pytest.mark.parametrize(
    ("written", "number", "as_json"),
    [
        ({}, logging.INFO, None),
        ({"log.level": "debug", "log.format": "json"}, logging.DEBUG, True),
        ({"log.level": "error", "log.format": "text"}, logging.ERROR, False),
    ],
)
def test_level_and_format_are_what_logging_takes(
    written: dict[str, Any],
    number: int,
    as_json: bool | None,  # noqa: FBT001 a parameter of the test
) -> None:
    section = from_tables(tables(written)).log
    assert (section.number, section.as_json) == (number, as_json)


def test_a_level_that_is_none_is_refused_by_its_key() -> None:
    with pytest.raises(SettingsError, match=r"log\.level"):
        from_tables(tables({"log.level": "loud"}))
