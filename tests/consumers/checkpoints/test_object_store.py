"""Remote stores under faults: a server that dies, hangs or refuses, files left half written.

See the contract for what they have in common with a local folder.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit
from uuid import uuid4

import fsspec
import pytest

from consumers.checkpoints.object_store import FileStore, ObjectStore
from consumers.errors import CheckpointError
from tests.s3 import S3Server, environment_of, running_s3

LIMIT = 1_000  # bytes a test reads at most


class Died(BaseException):
    """Stands for the end of the process: nothing of the program may catch it."""


def die(_: str) -> None:
    raise Died


def go_on(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with running_s3() as running:
        running.make_bucket("faults")
        yield running


@pytest.fixture
def s3(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.fixture
def store(s3: S3Server) -> ObjectStore:
    """Open a folder of its own, and see that the server answers."""
    opened = ObjectStore(f"s3://faults/{uuid4()}", go_on)
    opened.put("g/0", b"before")
    s3.requests()
    return opened


def test_a_put_is_one_request_and_leaves_no_other_name(s3: S3Server, store: ObjectStore) -> None:
    store.put("g/1", b"x" * 1_000_000)
    (request,) = s3.requests()
    assert request.startswith("PUT /faults/")
    assert request.endswith("/g/1")


def test_row_36_the_size_decides_before_anything_is_read(s3: S3Server, store: ObjectStore) -> None:
    store.put("g/1", b"x" * 1_000_000)
    s3.requests()
    with pytest.raises(CheckpointError, match="g/1: 1000000 bytes, more than the 1000"):
        store.get("g/1", LIMIT)
    assert [request.split()[0] for request in s3.requests()] == ["HEAD"]


def test_row_37_a_name_that_no_listing_shows_yet_is_read_all_the_same(
    s3: S3Server, store: ObjectStore
) -> None:
    assert store.get("g/0", LIMIT) == b"before"
    requests = s3.requests()
    assert requests
    assert not [request for request in requests if "list-type" in request]


@pytest.mark.usefixtures("s3")
def test_a_folder_drawn_by_another_program_is_no_key() -> None:
    root = f"s3://faults/{uuid4()}"
    ObjectStore(root, go_on).put("g/drawn/", b"")
    store = ObjectStore(root, go_on)
    store.put("g/1", b"x")
    assert list(store.keys("g")) == ["g/1"]
    with pytest.raises(CheckpointError):
        store.get("g/drawn", LIMIT)


@pytest.mark.usefixtures("s3")
def test_row_37_a_bucket_that_does_not_exist_is_no_empty_store() -> None:
    store = ObjectStore("s3://no-such-bucket/x", go_on)
    with pytest.raises(OSError, match="bucket does not exist"):
        store.put("g/1", b"x")
    with pytest.raises(OSError, match="s3://no-such-bucket/x: no such bucket; create it"):
        store.get("g/1", LIMIT)
    with pytest.raises(OSError, match="s3://no-such-bucket/x: no such bucket; create it"):
        list(store.keys("g"))


def test_row_37_a_login_without_the_right_is_an_os_error_in_every_call(
    s3: S3Server, store: ObjectStore
) -> None:
    s3.ask_for_logins(on=True)
    try:
        for call in (
            lambda: store.put("g/1", b"x"),
            lambda: store.get("g/0", LIMIT),
            lambda: list(store.keys("g")),
            lambda: store.delete("g/0"),
        ):
            with pytest.raises(PermissionError):
                call()
    finally:
        s3.ask_for_logins(on=False)
    assert list(store.keys("g")) == ["g/0"]


def test_row_37_a_server_that_does_not_answer_is_given_up_and_used_again_later(
    s3: S3Server, store: ObjectStore
) -> None:
    store._files._patience_s = 0.3
    s3.suspend()
    try:
        for call in (
            lambda: store.put("g/1", b"x"),
            lambda: store.get("g/0", LIMIT),
            lambda: list(store.keys("g")),
            lambda: store.delete("g/0"),
        ):
            with pytest.raises(TimeoutError, match="no answer within"):
                call()
    finally:
        s3.resume()
    # The delete may have arrived, whatever it said; what is put now is kept.
    store._files._patience_s = 20
    store.put("g/2", b"after")
    assert store.get("g/2", LIMIT) == b"after"


def test_row_37_a_line_that_is_cut_while_sending_leaves_no_half_object(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, data = f"s3://faults/{uuid4()}", bytes(3_000_000)
    with line_cut_after(100_000, s3.url) as url:
        for name, value in environment_of(url).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(OSError, match=r"write .*g/1"):
            ObjectStore(root, go_on).put("g/1", data)
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    store = ObjectStore(root, go_on)
    assert list(store.keys("g")) == []
    with pytest.raises(CheckpointError):
        store.get("g/1", len(data))
    store.put("g/1", data)
    assert store.get("g/1", len(data)) == data


@contextmanager
def line_cut_after(count: int, url: str) -> Iterator[str]:
    """Give the address of a line to a server that breaks after `count` bytes, every time."""
    to = (urlsplit(url).hostname, urlsplit(url).port)

    def back(far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError):  # the line was cut
            while some := far.recv(65_536):
                near.sendall(some)

    def carry(near: socket.socket, far: socket.socket) -> None:
        with near, far:
            threading.Thread(target=back, args=(far, near), daemon=True).start()
            left = count
            while left > 0 and (some := near.recv(min(left, 65_536))):
                far.sendall(some)
                left -= len(some)
            for end in (near, far):  # closing alone would wait for the other thread
                with suppress(OSError):  # the other side was faster
                    end.shutdown(socket.SHUT_RDWR)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                carry(listener.accept()[0], socket.create_connection(to))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
        thread.join()


def test_row_37_a_server_that_dies_in_the_middle_of_a_put_is_an_os_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with running_s3() as own:
        own.make_bucket("faults")
        for name, value in own.environment.items():
            monkeypatch.setenv(name, value)
        ObjectStore("s3://faults/x", go_on).put("g/0", b"before")
        mortal = ObjectStore("s3://faults/x", lambda _: own.kill())
        with pytest.raises(OSError, match="Could not connect") as caught:
            mortal.put("g/1", b"x")
        assert len(str(caught.value).splitlines()) == 1
        for call in (
            lambda: mortal.get("g/0", LIMIT),
            lambda: list(mortal.keys("g")),
            lambda: mortal.delete("g/0"),
            lambda: ObjectStore("s3://faults/x", go_on).put("g/2", b"x"),
        ):
            with pytest.raises(OSError, match="Could not connect"):
                call()


def test_row_5_a_half_written_file_of_a_dead_writer_is_no_checkpoint_and_is_swept() -> None:
    root = f"/{uuid4()}"
    memory = fsspec.filesystem("memory")
    FileStore(f"memory:/{root}", go_on).put("g/1", b"x")
    with pytest.raises(Died):
        FileStore(f"memory:/{root}", die).put("g/2", b"half")
    with pytest.raises(Died):
        FileStore(f"memory:/{root}", die).put("g2/2", b"half")
    store = FileStore(f"memory:/{root}", go_on)
    assert len(memory.find(root)) == 3
    assert list(store.keys("g")) == ["g/1"]
    store.sweep("g")
    (left, whole) = sorted(memory.find(root), reverse=True)
    assert whole == f"{root}/g/1"
    assert left.startswith(f"{root}/g2/.")


def test_row_37_a_put_that_fails_leaves_no_half_written_file() -> None:
    root = f"/{uuid4()}"

    def fail(_: str) -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        FileStore(f"memory:/{root}", fail).put("g/1", b"x")
    assert fsspec.filesystem("memory").find(root) == []
