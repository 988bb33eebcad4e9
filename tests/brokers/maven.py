"""A broker as a Java process, its jars fetched once by Maven: for machines without Docker."""

import base64
import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

from tests.brokers.server import (
    KAFKA_VERSION,
    QUICK_START,
    STOP_TIMEOUT_S,
    Announce,
    Jvm,
    Kind,
    UnavailableError,
    free_port,
    properties,
    wait_until_ready,
)

HERE = Path(__file__).parent
JARS = HERE.parents[1] / ".cache" / f"kafka-{KAFKA_VERSION}"
JAVA_NEEDED = 17
FETCH_TIMEOUT_S = 600.0
FORMAT_TIMEOUT_S = 60.0

Adapt = Callable[[dict[str, str], Path], dict[str, str]]


class MavenServer:
    """Kafka's own server class in a process of its own, its data in a temporary folder.

    Parameters
    ----------
    jvm : Jvm
        Options of the Java machine.
    adapt : callable
        Changes the server's settings before they are written into the folder.
    """

    kind = Kind.MAVEN

    def __init__(self, jvm: Jvm = QUICK_START, adapt: Adapt = lambda given, _: given) -> None:
        self._jvm = jvm
        self._adapt = adapt
        self.bootstrap_servers = ""
        self._java = ""
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self, announce: Announce) -> None:
        self._java = _java()
        if not JARS.is_dir():
            _fetch(announce)
        announce(f"Kafka for the tests: {KAFKA_VERSION} in a Java process")

    def start(self) -> None:
        folder = self._set_up() if self._folder is None else Path(self._folder.name)
        with (folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_leash(), *self._command("kafka.Kafka")],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # ctrl-C is for pytest, which then closes this
            )
        process = self._process
        try:
            wait_until_ready(self.bootstrap_servers, lambda: process.poll() is None)
        except (TimeoutError, RuntimeError) as error:
            lines = (folder / "kafka.log").read_text(errors="replace").splitlines()
            error.add_note("\n".join(lines[-20:]))
            raise

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)

    def close(self) -> None:
        self.kill()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def _set_up(self) -> Path:
        """Choose the ports, write the settings, format the storage."""
        self._folder = tempfile.TemporaryDirectory(prefix="streamfit-kafka-")
        folder = Path(self._folder.name)
        port, controller_port = free_port(), free_port()
        self.bootstrap_servers = f"127.0.0.1:{port}"
        settings = properties(
            {
                "listeners": (
                    f"PLAINTEXT://{self.bootstrap_servers},CONTROLLER://127.0.0.1:{controller_port}"
                ),
                "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
                "log.dirs": str(folder / "data"),
            }
        )
        (folder / "server.properties").write_text(
            "".join(f"{key}={text}\n" for key, text in self._adapt(settings, folder).items())
        )
        # One that begins with a minus would be taken for an option.
        cluster = base64.b64encode(uuid.uuid4().bytes, b"AB").decode().rstrip("=")
        done = subprocess.run(
            self._command("kafka.tools.StorageTool", "format", "-t", cluster, "-c"),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FORMAT_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"Kafka cannot format its storage: {done.stderr[-2000:]}")
        return folder

    def _command(self, *words: str) -> list[str]:
        options = [*self._jvm.heap, *self._jvm.performance]
        return [self._java, *options, "-cp", f"{JARS}/*", *words, "server.properties"]


def _java() -> str:
    """Find Java 17 or newer: JAVA_HOME first, then PATH."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else None
    java = java or shutil.which("java")
    if java is None:
        raise UnavailableError("no java in JAVA_HOME or on PATH")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < JAVA_NEEDED:
        raise UnavailableError(f"{java} is older than Java {JAVA_NEEDED}")
    return java


def _fetch(announce: Announce) -> None:
    """Fill the folder of jars; it appears under its name only when it is whole."""
    maven = shutil.which("mvn")
    if maven is None:
        raise UnavailableError("no mvn on PATH")
    announce(f"Kafka for the tests: fetching {KAFKA_VERSION} by Maven, 45 MB, once")
    JARS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=JARS.parent) as unfinished:
        jars = Path(unfinished) / "jars"
        goal = [
            *(maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"),
            *(f"-Dkafka.version={KAFKA_VERSION}", "-DincludeScope=runtime"),
            f"-DoutputDirectory={jars}",
        ]
        done = subprocess.run(
            goal,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            words = (done.stdout + done.stderr).strip().splitlines()
            raise UnavailableError(f"mvn cannot fetch Kafka: {words[0] if words else 'no reason'}")
        try:
            jars.rename(JARS)
        except OSError:
            if not JARS.is_dir():  # else another run was quicker
                raise


def _leash() -> list[str]:
    """Words before a command that end it when this process is killed; none where it cannot be."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
