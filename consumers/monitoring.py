"""Metrics, health and the status page of a run, served while it lasts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from consumers.checkpoints.checkpoint import versions
from consumers.config.metrics_section import MetricsSection
from consumers.config.shown import shown
from consumers.errors import SettingsError
from consumers.settings import Settings
from consumers.views.observers import Observers
from consumers.views.stall_watch import StallWatch
from consumers.wiring import learner_of
from metrics.exporter import Exporter
from metrics.health import Health
from metrics.observer import Observer
from metrics.pages import Pages
from metrics.server import MetricsPortError, MetricsServer
from metrics.status.board import Board
from metrics.status.told import About
from metrics.tls import Tls, TlsFileError, TlsFiles


@dataclass(frozen=True, slots=True)
class Monitor:
    """What the loop reports to.

    Attributes
    ----------
    observer : Observer
        Takes all facts.
    beat : callable
        Takes the loop's heartbeat: seconds that never go back.
    url : str
        Where the metrics are.
    page : str
        Where the status page is.
    waits_for : callable
        Takes the names of those a standby waits for.
    """

    observer: Observer
    beat: Callable[[float], None]
    url: str
    page: str
    waits_for: Callable[[Sequence[str]], None]


@contextmanager
def monitoring(settings: Settings, more: Sequence[Observer] = ()) -> Iterator[Monitor]:
    """Serve metrics, health and status, and watch for stalls, while the block runs.

    Parameters
    ----------
    settings : Settings
        Where to serve.
    more : sequence of Observer
        Who else is told.

    Raises
    ------
    SettingsError
        If the port is taken, a certificate cannot be used, or the model does not fit the settings.
    """
    registry = CollectorRegistry()
    exporter = _exporter(settings, registry)
    health = Health(stall_after=settings.limits.stall_after.total_seconds())
    board = Board(_about(settings), time.monotonic, time.time)
    server = _server(settings.metrics, Pages(registry, health, board, time.monotonic))
    try:
        page = f"{_address(settings.metrics, server.port)}/"
        with StallWatch(health, time.monotonic):
            observers = Observers([exporter, health, board, *more])
            yield Monitor(observers, health.beat, f"{page}metrics", page, board.waits_for)
    finally:
        server.close()


def _server(section: MetricsSection, pages: Pages) -> MetricsServer:
    """Start to serve."""
    server = MetricsServer(pages, section.host, section.port, time.monotonic, _tls(section))
    try:
        server.start()
    except MetricsPortError as error:
        raise SettingsError(
            f"metrics.port = {section.port}: {error}; choose another, or 0 for any"
        ) from None
    return server


def _tls(section: MetricsSection) -> Tls | None:
    if section.tls_certificate is None:
        return None
    files = TlsFiles(section.tls_certificate, section.tls_key, section.tls_client_ca)
    try:
        return Tls(files, time.monotonic)
    except TlsFileError as error:
        key = f"metrics.tls_{error.which}"
        raise SettingsError(
            f"{key} = '{error.path}': {error.reason}; name a PEM file that this process may read"
        ) from None


def _address(section: MetricsSection, port: int) -> str:
    host = f"[{section.host}]" if ":" in section.host else section.host
    return f"{'http' if section.tls_certificate is None else 'https'}://{host}:{port}"


def _about(settings: Settings) -> About:
    return About(
        topic=settings.input.topic,
        group=settings.input.group,
        partitioned=settings.learning.scope == "partition",
        settings=shown(settings),
        versions=versions(),
    )


def _exporter(settings: Settings, registry: CollectorRegistry) -> Exporter:
    learner = learner_of(settings, try_out=False)  # the run itself does that
    return Exporter(
        registry,
        task=learner.task,
        topic=settings.input.topic,
        stride=learner.stride,
        version=versions()["streamfit"],
        partitioned=settings.learning.scope == "partition",
    )
