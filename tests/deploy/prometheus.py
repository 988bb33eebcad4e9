"""A real Prometheus and its `promtool`, from Debian's package `prometheus` or from anywhere."""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.absence import command

DEPLOYED = Path(__file__).parents[2] / "deploy" / "prometheus"
TIMEOUT_S = 60.0
_MEND = "apt-get install prometheus"


def promtool(*words: str, stdin: str = "") -> str:
    """Run `promtool` to its end; gives all that it said.

    Raises
    ------
    AssertionError
        With what it said, if it found fault.
    """
    done = subprocess.run(
        [command("promtool", _MEND), *words],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


class Prometheus:
    """A Prometheus that runs.

    Parameters
    ----------
    process : Popen
        The server.
    port : int
        Where it listens, on this machine.
    log : Path
        What it says.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self._process, self._log = process, log
        self._url = f"http://127.0.0.1:{port}"

    def query(self, expression: str) -> list[Any]:
        """Give the samples of an expression as it stands now; NaN is a sample, too.

        Raises
        ------
        AssertionError
            With the answer, if Prometheus refuses the expression.
        """
        words = urllib.parse.urlencode({"query": expression})
        data = self._get(f"/api/v1/query?{words}")
        if data["resultType"] in {"scalar", "string"}:
            return [data["result"]]
        result: list[Any] = data["result"]
        return result

    def rules(self) -> list[dict[str, Any]]:
        """Give every rule with its health."""
        return [rule for group in self._get("/api/v1/rules")["groups"] for rule in group["rules"]]

    def await_ready(self) -> None:
        """Wait until it answers queries."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            assert self._process.poll() is None, self._log.read_text()
            try:
                with urllib.request.urlopen(f"{self._url}/-/ready", timeout=5):
                    return
            except OSError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)

    def _get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self._url + path, timeout=TIMEOUT_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error


@contextmanager
def scraping(folder: Path, targets: Mapping[str, list[str]]) -> Iterator[Prometheus]:
    """Run a Prometheus with the deployed rules, quicker than the deployed one.

    Parameters
    ----------
    folder : Path
        Where its files go.
    targets : mapping of str to list of str
        Job to the addresses of its processes, `host:port`.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOYED / "rules.yaml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": addresses}]}
            for job, addresses in targets.items()
        ],
    }
    file, log = folder / "prometheus.yaml", folder / "prometheus.log"
    file.write_text(json.dumps(config))  # JSON is YAML
    words = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("wb") as stderr:
        process = subprocess.Popen([command("prometheus", _MEND), *words], stderr=stderr)
    try:
        prometheus = Prometheus(process, port, log)
        prometheus.await_ready()
        yield prometheus
    finally:
        process.kill()
        process.wait()
