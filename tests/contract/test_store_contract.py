"""What every `Store` keeps to; a new store joins by one more fixture parameter."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from consumers.checkpoints.store import LocalStore, Reach, Store, open_store
from consumers.errors import CheckpointError
from tests.s3 import S3Server, running_s3

LIMIT = 1_000  # bytes a test reads at most


class Died(BaseException):
    """Stands for the end of the process: nothing of the program may catch it."""


class NewStore(Protocol):
    """Opens the same place again each time, as a restart does."""

    def __call__(self, reach: Reach = lambda _: None) -> Store: ...


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with running_s3() as server:
        server.make_bucket("contract")
        yield server


@pytest.fixture(params=["local", "file", "memory", "s3"])
def new_store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> NewStore:
    if request.param == "local":
        return lambda reach=_go_on: LocalStore(tmp_path / "not" / "made" / "yet", reach)
    if request.param == "s3":
        for name, value in request.getfixturevalue("s3_server").environment.items():
            monkeypatch.setenv(name, value)
    address = {
        "file": f"file://{tmp_path}/with%20blank",
        "memory": f"memory://{uuid4()}/deep/",
        "s3": f"s3://contract/{uuid4()}/deep/",
    }[request.param]
    return lambda reach=_go_on: open_store(address, reach)


def _go_on(_: str) -> None:
    pass


def test_what_was_put_is_given_back_after_a_restart(new_store: NewStore) -> None:
    new_store().put("group/topic/scope/1-a", b"\x00\xffabc")
    assert new_store().get("group/topic/scope/1-a", LIMIT) == b"\x00\xffabc"


def test_an_empty_blob_is_a_blob(new_store: NewStore) -> None:
    store = new_store()
    store.put("g/empty", b"")
    assert store.get("g/empty", 0) == b""
    assert list(store.keys("g")) == ["g/empty"]


def test_a_blob_of_many_packets_is_whole(new_store: NewStore) -> None:
    data = bytes(range(256)) * 20_000
    store = new_store()
    store.put("g/large", data)
    assert store.get("g/large", len(data)) == data


def test_a_name_that_was_never_put_is_a_checkpoint_error_that_names_it(
    new_store: NewStore,
) -> None:
    store = new_store()
    with pytest.raises(CheckpointError, match="g/t/7-missing"):
        store.get("g/t/7-missing", LIMIT)
    store.put("g/t/8-there", b"")
    with pytest.raises(CheckpointError, match="g/t/7-missing"):
        store.get("g/t/7-missing", LIMIT)


def test_row_36_a_blob_of_the_limit_is_read_and_one_byte_more_is_refused(
    new_store: NewStore,
) -> None:
    store = new_store()
    store.put("g/t/7-large", b"x" * 11)
    assert store.get("g/t/7-large", 11) == b"x" * 11
    with pytest.raises(CheckpointError) as caught:
        store.get("g/t/7-large", 10)
    assert str(caught.value) == (
        "checkpoint g/t/7-large: 11 bytes, more than the 10 of checkpoint.max_bytes; "
        "raise checkpoint.max_bytes if it is really so large"
    )


def test_an_empty_store_has_no_keys(new_store: NewStore) -> None:
    assert list(new_store().keys("g")) == []
    new_store().sweep("g")


def test_keys_are_those_below_the_prefix_and_no_others(new_store: NewStore) -> None:
    store = new_store()
    for key in ("g/t/1", "g/t/2", "g/t/deep/3", "g/t2/4", "g2/t/5", "gt/6"):
        store.put(key, b"x")
    assert sorted(store.keys("g/t")) == ["g/t/1", "g/t/2", "g/t/deep/3"]
    assert list(store.keys("g/t/1")) == []


def test_what_another_process_put_or_deleted_is_seen_at_once(new_store: NewStore) -> None:
    store, other = new_store(), new_store()
    other.put("g/1", b"old")
    assert list(store.keys("g")) == ["g/1"]
    with pytest.raises(CheckpointError):
        store.get("g/2", LIMIT)
    other.put("g/2", b"new")
    assert sorted(store.keys("g")) == ["g/1", "g/2"]
    assert store.get("g/2", LIMIT) == b"new"
    other.delete("g/1")
    assert list(store.keys("g")) == ["g/2"]
    with pytest.raises(CheckpointError):
        store.get("g/1", LIMIT)


def test_a_store_may_be_used_from_several_threads(new_store: NewStore) -> None:
    store = new_store()
    blobs = {f"g/{i}": bytes([i]) * 100 for i in range(8)}
    read: dict[str, bytes] = {}

    def work(key: str, data: bytes) -> None:
        store.put(key, data)
        read[key] = store.get(key, LIMIT)

    threads = [threading.Thread(target=work, args=blob) for blob in blobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == blobs
    assert sorted(store.keys("g")) == sorted(blobs)


def test_keys_may_be_deleted_while_they_are_listed(new_store: NewStore) -> None:
    store = new_store()
    for i in range(5):
        store.put(f"g/{i}", b"x")
    for key in list(store.keys("g")):
        store.delete(key)
    assert list(store.keys("g")) == []


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(new_store: NewStore) -> None:
    store = new_store()
    store.put("g/1", b"x")
    store.put("g/2", b"y")
    store.delete("g/1")
    store.delete("g/1")
    store.delete("never/there")
    assert list(store.keys("g")) == ["g/2"]
    with pytest.raises(CheckpointError):
        store.get("g/1", LIMIT)


def test_a_sweep_leaves_what_was_put(new_store: NewStore) -> None:
    store = new_store()
    store.put("g/t/1", b"x")
    store.put("g/t/a.tmp", b"x")
    store.sweep("g/t")
    assert sorted(store.keys("g/t")) == ["g/t/1", "g/t/a.tmp"]


def test_row_5_a_put_that_is_cut_off_by_death_leaves_nothing_to_be_seen(
    new_store: NewStore,
) -> None:
    reached: list[str] = []

    def die(point: str) -> None:
        reached.append(point)
        raise Died

    new_store().put("g/t/1", b"before")
    with pytest.raises(Died):
        new_store(die).put("g/t/2", b"half")
    assert reached == ["saving"]
    store = new_store()
    for _ in range(2):
        assert list(store.keys("g")) == ["g/t/1"]
        with pytest.raises(CheckpointError, match="g/t/2"):
            store.get("g/t/2", LIMIT)
        store.sweep("g/t")
    store.put("g/t/2", b"again")
    assert store.get("g/t/2", LIMIT) == b"again"


def test_a_put_that_fails_in_the_middle_is_not_seen(new_store: NewStore) -> None:
    def fail(_: str) -> None:
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        new_store(fail).put("g/t/2", b"half")
    assert list(new_store().keys("g")) == []


@pytest.mark.parametrize("name", ["é ü", "a*b?[c]", "..%2Fx", "%2E%2E", "-1", ".hidden"])
def test_names_are_kept_as_they_are(new_store: NewStore, name: str) -> None:
    store = new_store()
    store.put(f"{name}/{name}", b"x")
    assert list(store.keys(name)) == [f"{name}/{name}"]
    assert store.get(f"{name}/{name}", LIMIT) == b"x"
    store.delete(f"{name}/{name}")
    assert list(store.keys(name)) == []


@pytest.mark.parametrize("shuffle", [sorted, lambda keys: sorted(keys, reverse=True)])
def test_row_38_the_order_and_time_of_writing_leave_no_trace(
    new_store: NewStore, shuffle: Callable[[list[str]], list[str]]
) -> None:
    keys = [f"g/t/{epoch:010d}-x" for epoch in range(3)]
    store = new_store()
    for key in shuffle(keys):
        store.put(key, key.encode())
    assert sorted(store.keys("g/t")) == keys
    assert [store.get(key, LIMIT) for key in keys] == [key.encode() for key in keys]
