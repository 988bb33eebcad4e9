"""An S3 server for tests: a process of its own on a real port, with buckets that live as long."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from queue import Queue
from urllib.request import Request, urlopen

_START_S = 60.0
_REQUEST = re.compile(r"(?:GET|HEAD|PUT|POST|DELETE) \S+")


class S3Server:
    """A running server.

    Attributes
    ----------
    url : str
        Where it listens.
    """

    def __init__(self, process: "subprocess.Popen[str]", url: str, lines: "Queue[str]") -> None:
        self.url = url
        self._process = process
        self._lines = lines

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells every AWS client to come here, and not to try for long."""
        return environment_of(self.url)

    def make_bucket(self, name: str) -> None:
        """Make a bucket; no error if it exists."""
        urlopen(Request(f"{self.url}/{name}", method="PUT"), timeout=30).close()

    def requests(self) -> list[str]:
        """Give and forget the request lines since the last call, such as `GET /bucket/key`."""
        urlopen(f"{self.url}/moto-api/", timeout=30).close()  # a line that marks the end
        lines = []
        while "/moto-api/" not in (line := self._lines.get(timeout=30)):
            lines += _REQUEST.findall(line)
        return lines

    def ask_for_logins(self, *, on: bool) -> None:
        """Refuse every login from now on, for none exists, or take any again."""
        count = b"0" if on else b"inf"
        told = Request(f"{self.url}/moto-api/reset-auth", count, {"Content-Type": "text/plain"})
        urlopen(told, timeout=30).close()

    def suspend(self) -> None:
        """Let it answer nothing, though connections still come about."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


def environment_of(url: str) -> dict[str, str]:
    """Give the variables by which botocore itself finds a server."""
    return {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # the server takes any
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextlib.contextmanager
def running_s3() -> Iterator[S3Server]:
    """Start a server, and stop it at the end."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    # Its own warnings are none of the tests' business, nor is it part of the coverage.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTHONW"))}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    lines: Queue[str] = Queue()
    threading.Thread(target=_drain, args=(process, lines), daemon=True).start()
    try:
        while "Running on " not in (line := lines.get(timeout=_START_S)):
            pass
        yield S3Server(process, line.rpartition("Running on ")[2].split()[0], lines)
    finally:
        process.kill()
        process.wait()


def _drain(process: "subprocess.Popen[str]", lines: "Queue[str]") -> None:
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            lines.put(line)
