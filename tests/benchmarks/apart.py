"""Runs a module in a process of its own, so that nothing else shares its caches and threads."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PROJECT = Path(__file__).parents[2]


def figures_of(module: str, *words: str, timeout_s: float) -> dict[str, Any]:
    """Run a module with these words; gives the JSON of the last line that it prints.

    Raises
    ------
    RuntimeError
        If it ends with an error.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=_PROJECT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(words)}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
