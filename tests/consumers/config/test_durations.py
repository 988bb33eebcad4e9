"""Durations as people write them."""

from datetime import timedelta

import pytest
from pydantic_core import PydanticCustomError

from consumers.config.durations import parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("1s", 1),
        (" 1.5 s ", 1.5),
        ("2m", 120),
        ("1h", 3600),
        ("1ms", 0.001),
        ("2", 2),
        (2, 2),
        (0.25, 0.25),
        (timedelta(seconds=3), 3),
    ],
)
def test_a_duration_is_read_as_it_is_written(written: object, seconds: float) -> None:
    assert parse_duration(written).total_seconds() == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "written",
    [
        *["", "s", "1d", "1 day", "-1s", "1s 5ms", "0s", "0.0001ms", "1e3s", "1,5s", "99999999h"],
        *["\n", True, None, [1], 0, -1, 0.0, float("nan"), float("inf"), 1e-7],
    ],
)
def test_what_is_none_or_nothing_or_endless_is_refused(written: object) -> None:
    with pytest.raises(PydanticCustomError, match="not a duration"):
        parse_duration(written)
