"""Events of the log: each line that the program tells has a name, and none has a second meaning."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from metrics import events

ROOT = Path(__file__).parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
# Fields that every line has: another meaning would hide them.
RESERVED = {"timestamp", "level", "logger", "event", "message", "exception", "group", "instance"}
# Told by the log itself.
OF_THE_LOG = {"librdkafka", "tracing", "warning", "serving", "lines_left_out", "other"}
# The server's lines are all of one kind, which their logger tells; a doctor's are never shown.
WITHOUT = ("metrics", "consumers/doctor")


def sources() -> list[Path]:
    packages = ("consumers", "metrics", "producers", "learners")
    return [path for name in packages for path in sorted((ROOT / name).rglob("*.py"))]


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def told(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id.lower() in {"_log", "_logger"}
        and function.attr in LEVELS
    )


def made(path: Path) -> list[tuple[str, set[str | None]]]:
    """Give the events that a module tells, with their fields."""
    return [
        (call.func.id, {keyword.arg for keyword in call.keywords})
        for call in calls(path)
        if isinstance(call.func, ast.Name)
        and isinstance(getattr(events, call.func.id, 0), events.Event)
    ]


def test_every_line_of_the_log_has_an_event() -> None:
    without = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sources()
        for call in calls(path)
        if told(call) and "extra" not in {keyword.arg for keyword in call.keywords}
        if not path.relative_to(ROOT).as_posix().startswith(WITHOUT)
    ]
    assert without == []


def test_every_event_is_told_somewhere() -> None:
    names = {getattr(events, name).name for path in sources() for name, _ in made(path)}
    assert names | OF_THE_LOG == set(events.ALL)


def test_no_field_has_a_name_that_every_line_has() -> None:
    fields = {field for path in sources() for _, named in made(path) for field in named}
    assert fields & RESERVED == set()
    assert len(fields) > 10


@pytest.mark.parametrize("event", events.ALL.values(), ids=lambda event: event.name)
def test_an_event_s_name_is_that_of_its_constant(event: events.Event) -> None:
    assert getattr(events, event.name.upper()) is event
    assert event.meaning
