"""A broker in a Docker container, through testcontainers; the engine must be running already."""

import contextlib
import gc
import os
import socket
import warnings

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

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

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
OWNER = "io.streamfit.tests.owner"
CONTROLLER_PORT = 9093
ENGINE_TIMEOUT_S = 30  # without a word from the engine; a pull may last longer

# testcontainers' own cleaner is one more image to pull; `_remove_orphans` does its work here.
testcontainers_config.ryuk_disabled = True


class ContainerServer:
    """`apache/kafka` in a container that goes on at its address, with its data, when killed.

    The host port is chosen before the container is made and is the same inside: so the address that
    the broker advertises is right from the start, and stays right after a kill. A port that Docker
    picks is another one after each start.
    """

    kind = Kind.DOCKER

    def __init__(self, jvm: Jvm = QUICK_START) -> None:
        self._jvm = jvm
        self.bootstrap_servers = ""
        self._container: DockerContainer | None = None

    def prepare(self, announce: Announce) -> None:
        engine = _engine()
        try:
            _remove_orphans(engine)
            try:
                engine.images.get(IMAGE)
            except ImageNotFound:
                announce(f"Kafka for the tests: pulling {IMAGE}, once")
                engine.images.pull(IMAGE)
        except (DockerException, OSError) as error:
            raise UnavailableError(f"Docker has no image {IMAGE}: {error}") from error
        finally:
            engine.close()
        announce(f"Kafka for the tests: {IMAGE} in Docker")

    def start(self) -> None:
        if self._container is None:
            self._create()
        else:
            self._container.get_wrapped_container().start()
        try:
            wait_until_ready(self.bootstrap_servers, self._alive)
        except (TimeoutError, RuntimeError) as error:
            error.add_note(self._last_words())
            raise

    def kill(self) -> None:
        if self._container is not None:
            self._container.get_wrapped_container().kill("SIGKILL")

    def stop(self) -> None:
        if self._container is not None:
            self._container.get_wrapped_container().stop(timeout=round(STOP_TIMEOUT_S))

    def close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            container.stop()

    def _create(self) -> None:
        for attempt in range(3):
            port = free_port()
            container = _container(port, self._jvm)
            try:
                container.start()
            except APIError:  # somebody took the port in between
                container.stop()
                if attempt == 2:
                    raise
            else:
                self._container, self.bootstrap_servers = container, f"127.0.0.1:{port}"
                return

    def _alive(self) -> bool:
        if self._container is None:
            return False
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return bool(wrapped.status == "running")

    def _last_words(self) -> str:
        if self._container is None:
            return ""
        out, err = self._container.get_logs()
        return "\n".join((out + err).decode(errors="replace").splitlines()[-20:])


def _engine() -> docker.DockerClient:
    with warnings.catch_warnings():
        # docker-py leaves its socket open where nobody answers.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            return DockerClient(timeout=ENGINE_TIMEOUT_S).client
        except (DockerException, OSError):
            pass
        gc.collect()
    raise UnavailableError("no Docker engine answers")


def _container(port: int, jvm: Jvm) -> DockerContainer:
    # Any KAFKA_ variable replaces the image's whole default configuration, so all are given.
    settings = properties(
        {
            "listeners": f"PLAINTEXT://:{port},CONTROLLER://:{CONTROLLER_PORT}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "controller.quorum.voters": f"1@localhost:{CONTROLLER_PORT}",
        }
    )
    variables = {f"KAFKA_{key.upper().replace('.', '_')}": text for key, text in settings.items()}
    options = {
        "KAFKA_HEAP_OPTS": " ".join(jvm.heap),
        "KAFKA_JVM_PERFORMANCE_OPTS": " ".join(jvm.performance),
    }
    container = DockerContainer(IMAGE).with_envs(**options, **variables)
    # Loopback only. testcontainers types a host port as a number; Docker takes an address as well.
    container.ports[str(port)] = ("127.0.0.1", port)  # type: ignore[assignment]
    return container.with_kwargs(
        labels={OWNER: f"{socket.gethostname()}/{os.getpid()}"},
        # The entry point writes server.properties over the image's own, and some builds of the
        # image have that one read-only for its user: "error while preparing configs".
        user="root",
    )


def _remove_orphans(engine: docker.DockerClient) -> None:
    """Remove the containers of test runs on this machine that were killed."""
    # Another run may remove one while they are listed.
    ours = {"label": OWNER}
    for container in engine.containers.list(all=True, filters=ours, ignore_removed=True):
        host, _, process = container.labels[OWNER].rpartition("/")
        if host == socket.gethostname() and not _runs(int(process)):
            with contextlib.suppress(APIError):  # another run is removing it
                container.remove(force=True, v=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
