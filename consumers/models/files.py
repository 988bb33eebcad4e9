"""A model as a file of its own, for who has scikit-learn and skops alone."""

import os
from pathlib import Path
from uuid import uuid4

from consumers.errors import SettingsError


def require_free(path: Path, *, force: bool) -> None:
    """See that a file may be written, before there is work in it.

    Raises
    ------
    SettingsError
        If it is there already and may not be replaced, or its folder is not there.
    """
    if path.is_dir():
        raise SettingsError(f"--to {path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise SettingsError(f"--to {path}: no folder {path.parent}; make it first")
    if path.exists() and not force:
        raise SettingsError(f"--to {path}: is there already; name another, or give --force")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name, then rename it: nobody sees half of it.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    temporary = path.parent / f".{path.name}.{uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise SettingsError(f"--to {path}: cannot be written ({error.strerror})") from None
