"""The last words of `streamfit run`: in the form of the log's other lines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.cli import main
from consumers.commands import run as command
from consumers.errors import KafkaUnreachableError
from tests.consumers.test_settings import EXAMPLE
from tests.jobs import last_words

pytestmark = pytest.mark.usefixtures("logs_as_before")
PROJECT = Path(command.__file__).parents[2]
REFUSED = KafkaUnreachableError("input.topic = 'x': no such topic; create it")


class Ending:
    """A run that ends on an error."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = folder / "my.toml"
        self._file.write_text(EXAMPLE)
        self._monkeypatch = monkeypatch

    def on(self, error: Exception, log_format: str) -> int:
        def ends(*_: object) -> None:
            raise error

        self._monkeypatch.setattr(command, "work", ends)
        return main(["run", str(self._file), "--set", f"log.format={log_format}"])


@pytest.fixture
def ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ending:
    return Ending(tmp_path, monkeypatch)


def test_where_the_log_is_json_the_last_words_are(
    ending: Ending, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending.on(REFUSED, "json") == 3
    told = last_words(capsys.readouterr().err)
    assert told["message"] == str(REFUSED)
    assert (told["level"], told["exit_code"]) == ("critical", 3)
    assert told["group"]


def test_where_the_log_is_text_they_are_a_line(
    ending: Ending, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending.on(REFUSED, "text") == 3
    assert capsys.readouterr().err == f"streamfit: {REFUSED}\n"


HANGS = """
import logging, sys, threading
from contextlib import contextmanager
from types import SimpleNamespace
from consumers import connecting
from consumers.cli import main
from consumers.commands import run
from consumers.errors import KafkaUnreachableError

hanging = SimpleNamespace(close=threading.Event().wait)
parts = SimpleNamespace(sink=hanging, source=hanging)
connecting.CLOSE_TIMEOUT_S = 0.05
connecting._compile = lambda settings: None
connecting._parts = lambda *given: parts
connecting.Runner = lambda *given: None

def goes_wrong(settings, wish, last_words):
    with connecting.open_runner(settings, None, last_words=last_words):
        raise {error}

run.work = goes_wrong
sys.exit(main(["run", sys.argv[1], "--set", "log.format=" + sys.argv[2]]))
"""


def ends_while_closing(folder: Path, error: str, log_format: str) -> tuple[int, list[str]]:
    """End a run on an error, with clients whose close hangs; give exit code and last lines."""
    settings = folder / "my.toml"
    settings.write_text(EXAMPLE)
    words = [sys.executable, "-c", HANGS.replace("{error}", error), str(settings), log_format]
    done = subprocess.run(
        words, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr.splitlines()


def test_what_ended_a_run_is_told_also_where_the_close_hangs(tmp_path: Path) -> None:
    error = "KafkaUnreachableError('no such topic')"
    code, lines = ends_while_closing(tmp_path, error, "json")
    overdue, told = map(json.loads, lines[-2:])
    assert (code, overdue["event"], overdue["exit_code"]) == (3, "close_overdue", 3)
    assert (told["event"], told["message"], told["exit_code"]) == ("failed", "no such topic", 3)


@pytest.mark.parametrize(
    ("error", "exit_code", "last"),
    [
        ("__import__('consumers.errors').errors.FencedError('taken over')", 4, "taken over"),
        ("RuntimeError('broken')", 70, "this is a bug"),
    ],
)
def test_where_the_close_hangs_the_exit_code_is_still_that_of_the_error(
    tmp_path: Path, error: str, exit_code: int, last: str
) -> None:
    code, lines = ends_while_closing(tmp_path, error, "text")
    assert code == exit_code
    assert lines[-1].startswith(f"streamfit: {last}")


def test_where_the_close_hangs_without_an_error_the_exit_code_is_3(tmp_path: Path) -> None:
    code, lines = ends_while_closing(tmp_path, "SystemExit(0)", "json")
    assert code == 3
    assert json.loads(lines[-1])["event"] == "close_overdue"


def test_a_bug_is_told_with_its_stack(ending: Ending, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending.on(RuntimeError("broken"), "json") == 70
    told = last_words(capsys.readouterr().err)
    assert "this is a bug" in told["message"]
    assert "RuntimeError: broken" in told["exception"]
    assert told["exit_code"] == 70
    assert ending.on(RuntimeError("broken"), "text") == 70
    text = capsys.readouterr().err
    assert "RuntimeError: broken" in text
    assert text.splitlines()[-1].startswith("streamfit: this is a bug")
