"""The last words of `streamfit run`: in the form of the log's other lines."""

from pathlib import Path

import pytest

from consumers.cli import main
from consumers.commands import run as command
from consumers.errors import KafkaUnreachableError
from tests.consumers.test_settings import EXAMPLE
from tests.jobs import last_words

pytestmark = pytest.mark.usefixtures("logs_as_before")
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

        self._monkeypatch.setattr(command, "_run", ends)
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
