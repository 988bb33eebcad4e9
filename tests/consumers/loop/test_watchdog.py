"""The deadline for a close that hangs, in a process of its own: it ends that process."""

import subprocess
import sys
from pathlib import Path

import consumers

PROJECT = Path(consumers.__file__).parents[1]
START = """
import logging, threading
from consumers.loop.watchdog import ends_within
logging.basicConfig()
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", START + code],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_row_21_a_block_that_hangs_ends_the_process_with_its_exit_code() -> None:
    done = run(
        "with ends_within(0.05, exit_code=4):\n"
        "    try:\n        threading.Event().wait()\n"
        "    finally:\n        print('never')\n"
    )
    assert done.returncode == 4
    assert done.stdout == ""
    assert "closing took longer than 0.05 s" in done.stderr


def test_a_block_that_ends_in_time_is_let_go_and_the_process_goes_on() -> None:
    done = run(
        "with ends_within(20):\n    pass\n"
        "assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer)\n"
        "            and not t.finished.is_set()]\n"
        "print('went on')\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


def test_an_error_in_the_block_comes_out_and_calls_the_deadline_off() -> None:
    done = run(
        "try:\n    with ends_within(20):\n        raise KeyError('inside')\n"
        "except KeyError:\n    print('came out')\n"
    )
    assert (done.returncode, done.stdout) == (0, "came out\n")
