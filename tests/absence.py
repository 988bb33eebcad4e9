"""What a test does where the machine lacks something that it takes."""

import os
import shutil
from typing import NoReturn

import pytest


def lacks(what: str) -> NoReturn:
    """Fail in CI, where nothing may be left out in silence; elsewhere skip the test."""
    if os.environ.get("CI"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)


def command(name: str, mend: str) -> str:
    """Find a command; the test is skipped without it, and fails in CI."""
    return shutil.which(name) or lacks(f"{name} is not installed; {mend}")
