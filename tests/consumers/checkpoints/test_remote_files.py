"""Calls of a file system that hangs, breaks or talks too much. Nothing here leaves the process."""

import threading
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from consumers.checkpoints.remote_files import RemoteFiles


class Unruly(fsspec.AbstractFileSystem):  # type: ignore[misc]  # fsspec tells no types
    """A file system that does what the test says."""

    protocol = "unruly"
    failure: Exception | None = None
    release = threading.Event()
    entered = threading.Event()
    opened = 0

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        type(self).opened += 1

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        if self.failure is not None:
            raise self.failure
        return {"name": path, "size": 1, "type": "file"}

    def created(self, path: str) -> str:
        self.entered.set()
        self.release.wait(30)
        if self.failure is not None:
            raise self.failure
        return path


@pytest.fixture
def files() -> Iterator[RemoteFiles]:
    fsspec.register_implementation("unruly", Unruly, clobber=True)
    Unruly.failure = None
    Unruly.release, Unruly.entered = threading.Event(), threading.Event()
    Unruly.opened = 0
    yield RemoteFiles("unruly://x", objects=False)
    Unruly.release.set()


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        (FileNotFoundError("a/b"), FileNotFoundError, "look up a/b: a/b"),
        (PermissionError(13, "no"), PermissionError, "look up a/b: [Errno 13] no"),
        (ConnectionResetError(104, "gone"), OSError, "look up a/b: [Errno 104] gone"),
        (
            ValueError("two\nlines\t and more"),
            OSError,
            "look up a/b: ValueError: two lines and more",
        ),
        (KeyError(), OSError, "look up a/b: KeyError: "),
        (TimeoutError(), TimeoutError, "look up a/b: no answer within 20 s"),
    ],
)
def test_every_failure_is_an_os_error_of_one_line(
    files: RemoteFiles, failure: Exception, kind: type[OSError], text: str
) -> None:
    Unruly.failure = failure
    with pytest.raises(OSError) as caught:  # noqa: PT011  # the whole text is compared below
        files.call("info", "a/b")
    assert type(caught.value) is kind
    assert str(caught.value) == text


def test_an_endless_error_text_is_cut(files: RemoteFiles) -> None:
    Unruly.failure = ValueError("x" * 1_000_000)
    with pytest.raises(OSError, match="xxx") as caught:
        files.call("info", "a/b")
    assert len(str(caught.value)) < 1_000


def test_what_the_file_system_cannot_do_is_an_os_error(files: RemoteFiles) -> None:
    with pytest.raises(OSError, match="cp_file a/b: NotImplementedError"):
        files.call("cp_file", "a/b", "a/c")


def test_row_37_a_call_that_hangs_is_given_up_and_those_behind_it_do_not_wait_for_it(
    files: RemoteFiles,
) -> None:
    files._patience_s = 0.05
    with pytest.raises(TimeoutError, match=r"created a/b: no answer within 0\.05 s"):
        files.call("created", "a/b")
    files._patience_s = 20
    assert files.call("info", "a/b")["name"] == "a/b"
    assert Unruly.opened == 2
    hanging = [each for each in threading.enumerate() if each.name == "checkpoint-store"]
    Unruly.failure = ConnectionResetError("which the one left behind must not forget for others")
    Unruly.release.set()
    for each in hanging:
        each.join(20)
    Unruly.failure = None
    assert files.call("created", "a/b") == "a/b"
    assert Unruly.opened == 2


def test_a_call_that_comes_while_another_is_under_way_waits_for_its_turn(
    files: RemoteFiles,
) -> None:
    first = threading.Thread(target=files.call, args=("created", "a/b"))
    first.start()
    assert Unruly.entered.wait(20)
    files._patience_s = 0.05
    with pytest.raises(TimeoutError, match=r"look up a/b: no answer within 0\.05 s"):
        files.call("info", "a/b")
    Unruly.release.set()
    first.join(20)
    files.call("info", "a/b")
    assert Unruly.opened == 1


def test_a_call_for_which_there_is_no_thread_fails_and_the_next_one_has_its_turn(
    files: RemoteFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="look up a/b: RuntimeError: can't start new thread"):
            files.call("info", "a/b")
    files._patience_s = 1.0
    assert files.call("info", "a/b")["name"] == "a/b"


def test_a_file_system_is_opened_once_and_anew_after_a_failure(files: RemoteFiles) -> None:
    files.call("info", "a/b")
    Unruly.failure = FileNotFoundError("which is an answer")
    with pytest.raises(FileNotFoundError):
        files.call("info", "a/b")
    Unruly.failure = None
    files.call("info", "a/b")
    assert Unruly.opened == 1
    Unruly.failure = ConnectionResetError("gone")
    with pytest.raises(OSError, match="gone"):
        files.call("info", "a/b")
    Unruly.failure = None
    files.call("info", "a/b")
    assert Unruly.opened == 2
