"""Starts services of the compose file with the engine alone, where there is no `docker compose`.

It knows what `deploy/compose.yaml` uses, and refuses what it does not know.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.deploy.image import NoImageError, docker

# Of these an engine knows nothing, or the tests take something else.
_LEFT = {
    "image",
    "build",
    "depends_on",
    "command",
    "logging",
    "restart",
    "ports",
    "stop_grace_period",
}
Service = Mapping[str, Any]


class Engine:
    """Services on a network of their own, under the names that they have there."""

    def __init__(self, name: str, folder: Path, images: Mapping[str, str]) -> None:
        self._name = name
        self._folder = folder
        self._images = images
        self.started: list[str] = []

    def start(self, name: str, service: Service, *more: str) -> None:
        """Start a service, with more options of `docker run`."""
        command = [word.replace("$$", "$") for word in service.get("command", [])]
        image = self._images.get(service["image"], service["image"])
        container = self.container(name)
        self.started.append(container)
        docker(
            *("run", "--detach", "--name", container, "--network", self._name),
            *("--network-alias", name, *self._options(service), *more, image, *command),
        )

    def container(self, name: str) -> str:
        """Give the name of a service's container."""
        return f"{self._name}-{name}"

    def wait_for(self, name: str, field: str, value: str, timeout_s: float = 120) -> None:
        """Wait until the engine says so of a service."""
        container, deadline = self.container(name), time.monotonic() + timeout_s
        while True:
            found = docker("inspect", "--format", f"{{{{{field}}}}}", container).strip()
            if found == value:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name}: {field} is {found}\n{docker('logs', container)}")
            time.sleep(0.1)

    def _options(self, service: Service) -> Iterator[str]:
        for key, value in service.items():
            if key in _LEFT:
                continue
            options = {
                "cap_drop": lambda names: [f"--cap-drop={each}" for each in names],
                "security_opt": lambda names: [f"--security-opt={each}" for each in names],
                "read_only": lambda on: ["--read-only"] if on else [],
                "tmpfs": lambda places: [f"--tmpfs={place}" for place in places],
                "environment": lambda env: [f"--env={name}={of}" for name, of in env.items()],
                "volumes": lambda mounts: [f"--volume={self._mount(each)}" for each in mounts],
                "healthcheck": _health,
            }[key]
            yield from options(value)

    def _mount(self, mount: str) -> str:
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            return f"{(self._folder / source).resolve()}:{rest}"
        return f"{self._name}-{source}:{rest}"


def _health(check: Mapping[str, Any]) -> list[str]:
    if check.get("disable"):
        return ["--no-healthcheck"]
    _, *words = check["test"]
    quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
    # What a service is given to start shall not be what the test waits for.
    times = [f"--health-{key}={check[key]}" for key in ("timeout", "retries")]
    return [f"--health-cmd={quoted}", "--health-interval=1s", "--health-start-period=60s", *times]


@contextmanager
def engine(name: str, folder: Path, images: Mapping[str, str]) -> Iterator[Engine]:
    """Give a network of its own; at the end all that was started there goes."""
    docker("network", "create", name)
    made = Engine(name, folder, images)
    try:
        yield made
    finally:
        if made.started:
            docker("rm", "--force", "--volumes", *made.started)
        volumes = docker("volume", "ls", "--quiet", "--filter", f"name=^{name}-").split()
        with suppress(NoImageError):  # none is left, or somebody else is still at it
            docker("volume", "rm", *volumes)
        docker("network", "rm", name)
