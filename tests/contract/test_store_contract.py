"""What every `Store` keeps to; a new store joins by one more fixture parameter."""

from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.errors import CheckpointError
from consumers.store import LocalStore, Store, open_store

NewStore = Callable[[], Store]


def local(folder: Path) -> Store:
    return LocalStore(folder / "not" / "made" / "yet")


def by_address(folder: Path) -> Store:
    return open_store(f"file://{folder}/with%20blank")


@pytest.fixture(params=[local, by_address])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> NewStore:
    """Open the same place again each time, as a restart does."""
    return lambda: request.param(tmp_path)


def test_what_was_put_is_given_back_after_a_restart(new_store: NewStore) -> None:
    new_store().put("group/topic/scope/1-a", b"\x00\xffabc")
    assert new_store().get("group/topic/scope/1-a") == b"\x00\xffabc"


def test_an_empty_blob_is_a_blob(new_store: NewStore) -> None:
    store = new_store()
    store.put("g/empty", b"")
    assert store.get("g/empty") == b""
    assert list(store.keys("g")) == ["g/empty"]


def test_a_name_that_was_never_put_is_a_checkpoint_error_that_names_it(
    new_store: NewStore,
) -> None:
    store = new_store()
    with pytest.raises(CheckpointError, match="g/t/7-missing"):
        store.get("g/t/7-missing")
    store.put("g/t/8-there", b"")
    with pytest.raises(CheckpointError, match="g/t/7-missing"):
        store.get("g/t/7-missing")


def test_an_empty_store_has_no_keys(new_store: NewStore) -> None:
    assert list(new_store().keys("g")) == []
    new_store().sweep("g")


def test_keys_are_those_below_the_prefix_and_no_others(new_store: NewStore) -> None:
    store = new_store()
    for key in ("g/t/1", "g/t/2", "g/t/deep/3", "g/t2/4", "g2/t/5", "gt/6"):
        store.put(key, b"x")
    assert sorted(store.keys("g/t")) == ["g/t/1", "g/t/2", "g/t/deep/3"]


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
        store.get("g/1")


def test_a_sweep_leaves_what_was_put(new_store: NewStore) -> None:
    store = new_store()
    store.put("g/t/1", b"x")
    store.put("g/t/a.tmp", b"x")
    store.sweep("g/t")
    assert sorted(store.keys("g/t")) == ["g/t/1", "g/t/a.tmp"]


@pytest.mark.parametrize("name", ["é ü", "a*b?[c]", "..%2Fx", "%2E%2E", "-1", ".hidden"])
def test_names_are_kept_as_they_are(new_store: NewStore, name: str) -> None:
    store = new_store()
    store.put(f"{name}/{name}", b"x")
    assert list(store.keys(name)) == [f"{name}/{name}"]
    assert store.get(f"{name}/{name}") == b"x"
