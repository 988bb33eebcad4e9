"""Logs on standard error: one JSON object a line, and never a flood."""

import json
import logging
from collections.abc import Iterator

import pytest

from consumers.views import logs

_log = logging.getLogger("streamfit.tests")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    logger = logging.getLogger("streamfit")
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_tells_level_logger_time_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    _log.warning("consumer: %s", "broker down")
    (line,) = lines(capsys)
    assert line["event"] == "consumer: broker down"
    assert line["level"] == "warning"
    assert line["logger"] == "streamfit.tests"
    assert line["timestamp"].endswith("Z")


def test_what_is_less_severe_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logging.WARNING)
    _log.info("not this")
    _log.error("this")
    assert [line["event"] for line in lines(capsys)] == ["this"]


def test_configured_twice_a_line_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.configure()
    _log.info("once")
    assert len(lines(capsys)) == 1


def test_row_30_a_line_break_in_a_text_makes_no_second_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure()
    _log.info("topic %s", 'a\n{"level":"critical"}\x1b[31m')
    (line,) = lines(capsys)
    assert line["level"] == "info"


def test_an_exception_comes_with_its_traceback_on_the_same_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure()
    try:
        int("the cause")
    except ValueError:
        _log.exception("failed")
    (line,) = lines(capsys)
    assert "the cause" in line["exception"]
    assert "ValueError" in line["exception"]


def test_on_a_terminal_lines_are_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False)
    _log.warning("broker down")
    shown = capsys.readouterr().err
    assert "broker down" in shown
    assert not shown.startswith("{")


def record(
    second: float, line: int = 1, name: str = "streamfit.kafka", text: str = "text"
) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "file.py", line, text, (), None)
    made.created = second
    return made


def test_a_place_may_say_a_few_lines_a_second_and_goes_on_in_the_next() -> None:
    limit = logs.RateLimit()
    shown = [limit.filter(record(100 + i / 100, text="x" * i)) for i in range(20)]
    assert shown == [True] * 5 + [False] * 15
    assert limit.filter(record(101.0, text="other"))


def test_the_same_words_come_once_in_ten_seconds_whatever_the_numbers_in_them() -> None:
    limit = logs.RateLimit()
    shown = [limit.filter(record(100.0 + i, text=f"refused after {i} ms")) for i in range(20)]
    assert [i for i, each in enumerate(shown) if each] == [0, 10]


def test_a_flood_in_one_place_hides_nothing_of_another() -> None:
    limit = logs.RateLimit()
    for i in range(20):
        limit.filter(record(100.0, text="x" * i))
    assert limit.filter(record(100.0, line=2))
    assert limit.filter(record(100.0, name="streamfit.runner"))
