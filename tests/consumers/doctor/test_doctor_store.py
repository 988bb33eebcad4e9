import os
from pathlib import Path
from typing import Any

import pytest

from consumers.checkpoints.series import Lineage, Place
from consumers.doctor import disk, store
from consumers.doctor.disk import Disk
from consumers.doctor.finding import Finding, Level
from consumers.doctor.store import StoreFacts
from consumers.settings import Settings, from_tables
from consumers.wiring import checkpoints_of, learning_of
from tests.settings_tables import tables

PLACE = Place("tests", "events")


def settings(folder: Path, changes: dict[str, Any] | None = None) -> Settings:
    return from_tables(tables({"checkpoint.store": f"file://{folder}", **(changes or {})}))


def saved(to: Settings, epochs: int = 1) -> list[Path]:
    """Save checkpoints as a run would; gives their files, the newest last."""
    checkpoints = checkpoints_of(to)
    checkpoints.open()
    lineage, files = Lineage(), []
    for epoch in range(1, epochs + 1):
        pointer = checkpoints.save(learning_of(to).snapshot(), {0: epoch}, lineage, None)
        lineage = Lineage(pointer, epoch)
        files.append(Path(to.checkpoint.store.removeprefix("file://")) / pointer.key)
    return files


def examined(to: Settings) -> dict[str, Finding]:
    return {each.code: each for each in store.examine(to)}


def snapshot(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_store_with_whole_checkpoints_is_well_and_stays_as_it_was(tmp_path: Path) -> None:
    to = settings(tmp_path / "store")
    saved(to, 2)
    before = snapshot(tmp_path)
    found = examined(to)
    assert found["store.writable"].level is Level.OK
    assert found["store.newest"].level is Level.OK
    assert "checkpoints: 2" in found["store.newest"].seen
    assert "whole" in found["store.newest"].seen
    assert snapshot(tmp_path) == before


def test_a_store_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    found = examined(settings(tmp_path / "a" / "b"))
    assert found["store.writable"].level is Level.OK
    assert "can be made" in found["store.writable"].seen
    assert "no checkpoint yet" in found["store.newest"].seen
    assert not (tmp_path / "a").exists()


def test_a_store_where_a_file_is_in_the_way_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("no folder")
    found = store.writable(settings(tmp_path / "store"))
    assert (found.code, found.level, found.exit_code) == ("store.writable", Level.PROBLEM, 5)


def test_a_damaged_newest_checkpoint_is_a_warning(tmp_path: Path) -> None:
    to = settings(tmp_path)
    newest = saved(to, 2)[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    found = examined(to)["store.newest"]
    assert found.level is Level.WARNING
    assert newest.name in found.seen


def test_each_partition_is_looked_at_where_each_has_a_model(tmp_path: Path) -> None:
    to = settings(tmp_path, {"learning.scope": "partition"})
    for scope in ("0", "7"):
        checkpoints = checkpoints_of(to, scope)
        checkpoints.open()
        checkpoints.save(learning_of(to).snapshot(), {int(scope): 1}, Lineage(), None)
    assert [facts.place.scope for facts in store.look(to)] == ["0", "7"]


def test_a_checkpoint_from_the_future_tells_that_a_clock_is_off(tmp_path: Path) -> None:
    to = settings(tmp_path)
    (newest,) = saved(to)
    ahead = newest.stat().st_mtime + 3600
    os.utime(newest, (ahead, ahead))
    assert examined(to)["clock.store"].level is Level.WARNING


@pytest.mark.parametrize(
    ("code", "level", "facts"),
    [
        ("large", Level.WARNING, StoreFacts(PLACE, 1, size=600)),
        ("many", Level.NOTE, StoreFacts(PLACE, 40, size=10)),
    ],
)
def test_what_a_store_holds_is_held_against_the_settings(
    code: str, level: Level, facts: StoreFacts
) -> None:
    found = {each.code: each.level for each in store.judge([facts], 5, 1000, 0.0)}
    assert found[f"store.{code}"] is level


@pytest.mark.parametrize(
    ("code", "level", "there"),
    [
        ("space", Level.WARNING, Disk(Path("/data"), "ext4", 3_000)),
        ("space", Level.PROBLEM, Disk(Path("/data"), "ext4", 1_500)),
        ("temporary", Level.WARNING, Disk(Path("/tmp/store"), "ext4", 10**9)),  # noqa: S108
        ("temporary", Level.WARNING, Disk(Path("/data"), "overlay", 10**9)),
        ("network", Level.NOTE, Disk(Path("/data"), "nfs4", 10**9)),
    ],
)
def test_a_disk_that_does_not_suit_a_store_is_told(code: str, level: Level, there: Disk) -> None:
    found = {each.code: each.level for each in disk.judge(there, 1_000, 5)}
    assert found[f"store.{code}"] is level


def test_a_disk_with_room_is_well() -> None:
    found = list(disk.judge(Disk(Path("/data"), "ext4", 10**12), 1_000, 5))
    assert [each.level for each in found] == [Level.OK]


def test_the_kind_of_the_nearest_mount_is_told(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"root / ext4 rw 0 0\nserver:/share {tmp_path} nfs4 rw 0 0\n")
    assert disk.disk_of(tmp_path / "not" / "there", mounts).kind == "nfs4"
    assert disk.disk_of(Path("/"), mounts).kind == "ext4"


def test_a_store_in_memory_is_a_warning() -> None:
    found = {e.code: e.level for e in store.examine(_in_memory())}
    assert found["store.in_memory"] is Level.WARNING
    assert found["store.writable"] is Level.OK


def _in_memory() -> Settings:
    return from_tables(tables({"checkpoint.store": "memory://doctor"}))
