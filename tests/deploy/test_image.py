"""The image: built from the Dockerfile, then run as strictly as a cluster would run it."""

import json
import re
import signal
import socket
import subprocess
import time
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.absence import lacks
from tests.brokers.kafka import Kafka
from tests.deploy.image import NoImageError, build, docker
from tests.jobs import TIMEOUT_S, Job

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
DOCKERFILE = DEPLOY / "Dockerfile"
OVERLAYS = ("global-standby", "partition-keda")
MAX_COMPRESSED = 450_000_000
MAX_ON_DISK = 1_000_000_000
STRICT = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "host")  # noqa: S108 - in the container
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]  # a first build takes minutes


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image; where that cannot be, fail in CI, else skip."""
    try:
        return build()
    except (NoImageError, subprocess.TimeoutExpired) as error:
        lacks(str(error))


@pytest.fixture(scope="module")
def config(image: str) -> dict[str, Any]:
    """Give what the image says of itself."""
    found: dict[str, Any] = json.loads(docker("image", "inspect", image))[0]
    return found


class Container:
    """A container of the image that learns a job."""

    def __init__(self, name: str) -> None:
        self._name = name

    def wait_for(self, field: str, value: str) -> None:
        """Wait until Docker says so of it."""
        deadline = time.monotonic() + TIMEOUT_S
        while self.tell(field) != value:
            assert time.monotonic() < deadline, f"{field}: {self.tell(field)}\n{self.log()}"
            assert self.tell(".State.Running") == "true" or value == "exited", self.log()
            time.sleep(0.1)

    def tell(self, field: str) -> str:
        """Give a field of what Docker knows of it."""
        return docker("inspect", "--format", f"{{{{{field}}}}}", self._name).strip()

    def log(self) -> str:
        """Give all it has printed."""
        return docker("logs", self._name)

    def kill(self, number: signal.Signals) -> None:
        """Send it a signal."""
        docker("kill", "--signal", number.name, self._name)


@contextmanager
def running(image: str, job: Job, *more: str) -> Iterator[Container]:
    """Start the image as strictly as it goes; it is removed at the end."""
    name = job.kafka.unique("streamfit-image")
    docker(
        *("run", "--detach", "--name", name, *STRICT, "--health-interval", "1s"),
        *("--volume", f"{job.file}:/etc/streamfit/streamfit.toml:ro"),
        *("--env", "STREAMFIT_CHECKPOINT__STORE=file:///var/lib/streamfit"),
        *("--env", f"STREAMFIT_METRICS__PORT={_free_port()}", *more, image),
    )
    try:
        yield Container(name)
    finally:
        docker("rm", "--force", "--volumes", name)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _events(count: int) -> list[tuple[None, bytes]]:
    rows = ({"a": i % 7, "b": i % 3, "c": 1.0} for i in range(count))
    return [
        (None, json.dumps({"id": i, "features": x, "label": ("down", "up")[i % 2]}).encode())
        for i, x in enumerate(rows)
    ]


def test_the_image_runs_the_command_itself_and_not_as_root(config: dict[str, Any]) -> None:
    settings = config["Config"]

    assert settings["Entrypoint"] == ["streamfit"]
    assert settings["Cmd"] == ["run", "/etc/streamfit/streamfit.toml"]
    assert re.fullmatch(r"[1-9][0-9]+:[1-9][0-9]+", settings["User"])
    assert settings["StopSignal"] == "SIGTERM"
    assert settings["Volumes"] == {"/var/lib/streamfit": {}}
    assert "/livez" in " ".join(settings["Healthcheck"]["Test"])
    # What the image sets wins over a file, so it sets what must be and no more.
    of_metrics = [each for each in settings["Env"] if each.startswith("STREAMFIT_METRICS__")]
    assert of_metrics == ["STREAMFIT_METRICS__HOST=0.0.0.0"]
    assert "OMP_NUM_THREADS=1" in settings["Env"]
    assert settings["Labels"]["org.opencontainers.image.title"] == "streamfit"


def test_the_image_holds_no_tool_of_its_build(image: str, config: dict[str, Any]) -> None:
    tools = ("pip", "setuptools", "hatchling")
    look = f"import importlib.util as i; print([m for m in {tools} if i.find_spec(m)])"

    found = docker("run", "--rm", "--entrypoint", "python", image, "-c", look)

    # pip of the base image is not seen from the virtual environment.
    assert found.strip() == "[]"
    assert config["Size"] < MAX_ON_DISK


def test_on_a_read_only_root_it_learns_compiles_nothing_and_ends_in_order(
    image: str, kafka: Kafka, tmp_path: Path
) -> None:
    job = Job(kafka, tmp_path)
    job.produce(_events(200))

    with running(image, job, "--env", "NUMBA_DEBUG_CACHE=1") as container:
        container.wait_for(".State.Health.Status", "healthy")
        job.await_committed(200)
        container.kill(signal.SIGTERM)
        container.wait_for(".State.Status", "exited")

        assert container.tell(".State.ExitCode") == "0", container.log()
        assert container.tell(".HostConfig.ReadonlyRootfs") == "true"
        assert "data loaded from" in container.log()
        assert "data saved to" not in container.log()
    predicted = job.predicted()
    assert [one["model_version"] for one in predicted] == list(range(200))


def test_without_any_place_to_write_but_the_store_the_kernels_are_found_too(image: str) -> None:
    said = docker(
        *("run", "--rm", "--read-only", "--cap-drop", "ALL", "--env", "NUMBA_DEBUG_CACHE=1"),
        *("--entrypoint", "python", image, "-m", "consumers.commands.kernels"),
    )

    assert "data loaded from" in said
    assert "data saved to" not in said


def test_a_kernel_of_types_that_were_not_shipped_is_compiled_into_the_temporary_folder(
    image: str,
) -> None:
    program = (
        "import numpy as np\n"
        "from learners.kernels.kmeans_distances import nearest\n"
        "rows = np.eye(2, dtype=np.float32)\n"
        "print('nearest is', nearest(rows, rows[0], rows[1]))\n"
    )

    said = docker(
        *("run", "--rm", *STRICT, "--env", "NUMBA_DEBUG_CACHE=1"),
        *("--entrypoint", "python", image, "-c", program),
    )

    assert "nearest is 1" in said
    assert "data saved to '/tmp/streamfit-kernels-" in said


@pytest.mark.slow
def test_compressed_it_is_below_450_megabytes(image: str) -> None:
    packer, size = zlib.compressobj(6), 0
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
        assert saving.stdout is not None
        while chunk := saving.stdout.read(1 << 20):
            size += len(packer.compress(chunk))

    assert saving.returncode == 0
    assert 0 < size + len(packer.flush()) < MAX_COMPRESSED


def test_the_dockerfile_names_an_image_by_an_exact_version() -> None:
    base = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)

    assert base is not None
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base[1])


def test_the_image_says_the_version_of_the_project() -> None:
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]

    assert f"\nARG VERSION={project['version']}\n" in DOCKERFILE.read_text()
    for file in ("compose.yaml", *(f"k8s/overlays/{name}/kustomization.yaml" for name in OVERLAYS)):
        assert project["version"] in (DEPLOY / file).read_text()
