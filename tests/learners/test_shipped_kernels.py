"""Where compiled kernels are looked for when the folder of the code cannot be written."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from learners.kernels.shipped import ShippedKernels, _linked


def _kernel() -> None:
    """Stand for what numba is to compile."""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a module in a folder that holds a copy of a compiled function, and cannot be written."""
    shipped = tmp_path / "code" / "__pycache__"
    shipped.mkdir(parents=True)
    (shipped / "kernel.run-1.py311.nbi").write_bytes(b"index")
    (shipped / "kernel.run-1.py311.1.nbc").write_bytes(b"code")
    (shipped / "kernel.cpython-311.pyc").write_bytes(b"not numba's")
    (tmp_path / "code" / "kernel.py").write_text("")
    _refuse(shipped, monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _linked.cache_clear()
    return tmp_path / "code" / "kernel.py"


def _refuse(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writes to a folder fail, for root too."""
    real = tempfile.TemporaryFile

    def refusing(*args: Any, dir: str | None = None, **more: Any) -> Any:  # noqa: A002 - its name
        if dir is not None and Path(dir) == folder:
            raise OSError(30, "Read-only file system")
        return real(*args, dir=dir, **more)

    monkeypatch.setattr(tempfile, "TemporaryFile", refusing)


def _folder_for(code: Path) -> Path:
    locator = ShippedKernels.from_function(_kernel, str(code))
    assert locator is not None
    return Path(locator._cache_path)


def test_what_was_shipped_is_found_in_a_folder_that_can_be_written(code: Path) -> None:
    folder = _folder_for(code)

    assert sorted(one.name for one in folder.iterdir()) == [
        "kernel.run-1.py311.1.nbc",
        "kernel.run-1.py311.nbi",
    ]
    assert (folder / "kernel.run-1.py311.1.nbc").read_bytes() == b"code"
    assert folder.stat().st_mode & 0o077 == 0


def test_all_functions_of_a_folder_share_one(code: Path) -> None:
    assert _folder_for(code) == _folder_for(code)


def test_where_nothing_can_be_written_it_is_read_where_it_is(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(**_: Any) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refusing)

    assert _folder_for(code) == code.parent / "__pycache__"


def test_a_folder_that_can_be_written_is_taken_as_numba_does(tmp_path: Path) -> None:
    code = tmp_path / "kernel.py"
    code.write_text("")

    assert _folder_for(code) == tmp_path / "__pycache__"


def test_a_function_without_a_file_is_left_to_others(tmp_path: Path) -> None:
    assert ShippedKernels.from_function(_kernel, str(tmp_path / "none.py")) is None
