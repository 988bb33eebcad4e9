"""Logs on standard error: one JSON object a line, and never a flood."""

import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Producer

from consumers.views import logs
from metrics.events import EPOCH_FAILED, PARTITIONS_CHANGED

_log = logging.getLogger("streamfit.tests")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    loggers = [logging.getLogger(n) for n in ("streamfit", "py.warnings", "opentelemetry")]
    before = [(each, each.handlers[:], each.level, each.propagate) for each in loggers]
    yield
    logging.captureWarnings(capture=False)
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_line_tells_level_logger_time_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    _log.warning("consumer: %s", "broker down")
    (line,) = lines(capsys)
    assert line["message"] == "consumer: broker down"
    assert line["event"] == "other"
    assert line["level"] == "warning"
    assert line["logger"] == "streamfit.tests"
    assert line["timestamp"].endswith("Z")


def test_what_is_less_severe_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logging.WARNING)
    _log.info("not this")
    _log.error("this")
    assert [line["message"] for line in lines(capsys)] == ["this"]


def test_configured_twice_a_line_comes_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.configure()
    _log.info("once")
    assert len(lines(capsys)) == 1


def test_bad_input_30_a_line_break_in_a_text_makes_no_second_line(
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


def test_a_line_has_the_name_of_its_event_and_its_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(context={"group": "elec2", "topic": "events"})
    _log.error("epoch after %d failed", 12, extra=EPOCH_FAILED(epoch=12, uncheckpointed=7))
    (line,) = lines(capsys)
    assert line.pop("timestamp")
    assert line == {
        "level": "error",
        "logger": "streamfit.tests",
        "event": "epoch_failed",
        "message": "epoch after 12 failed",
        "group": "elec2",
        "topic": "events",
        "epoch": 12,
        "uncheckpointed": 7,
    }


def test_on_a_terminal_the_sentence_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(as_json=False, context={"group": "elec2"})
    _log.info("partitions assigned: [0]", extra=PARTITIONS_CHANGED(partitions=[0]))
    (line,) = capsys.readouterr().err.splitlines()
    assert "partitions assigned: [0]" in line
    assert "elec2" not in line
    assert "partitions=" not in line


@pytest.mark.parametrize("as_json", [True, False])
def test_no_local_variable_is_shown_with_an_exception(
    as_json: bool,  # noqa: FBT001 a parameter of the test
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure(as_json=as_json)
    feature = "4711" + ".25"
    try:
        [feature].index("other")
    except ValueError:
        _log.exception("failed")
    shown = capsys.readouterr().err
    assert "ValueError: 'other' is not in list" in shown
    assert "4711.25" not in shown


def test_lines_of_librdkafka_have_their_facility_and_client(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure()
    config = {"bootstrap.servers": "127.0.0.1:1", "reconnect.backoff.max.ms": 100}
    producer = Producer(config, logger=_log)
    found: list[dict[str, Any]] = []
    for _ in range(100):
        producer.poll(0.1)
        found += lines(capsys)
        if found:
            break
    line = found[0]
    assert (line["event"], line["facility"], line["level"]) == ("librdkafka", "FAIL", "error")
    assert line["client"].startswith("rdkafka#producer-")
    assert "Connection refused" in line["message"]


def test_a_library_s_warning_and_what_tracing_says_join_in(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)  # what pytest has put in its place goes
        logging.captureWarnings(capture=True)
        warnings.warn("old option", stacklevel=1)
        logging.captureWarnings(capture=False)
    logging.getLogger("opentelemetry.sdk").error("no collector")
    logging.getLogger("streamfit.metrics").error("no answer")
    assert [line["event"] for line in lines(capsys)] == ["warning", "tracing", "serving"]


def test_lines_left_out_are_told_before_the_log_is_closed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure()
    for i in range(4):
        _log.warning("broker down for %d s", i)
    (handler,) = logging.getLogger("streamfit").handlers
    handler.close()
    first, last = lines(capsys)
    assert first["message"] == "broker down for 0 s"
    assert (last["event"], last["count"], last["like"]) == ("lines_left_out", 3, None)
