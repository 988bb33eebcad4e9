"""Metrics and health of a run, served while it lasts."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from consumers.checkpoints.checkpoint import versions
from consumers.errors import SettingsError
from consumers.settings import Settings
from consumers.views.observers import Observers
from consumers.views.stall_watch import StallWatch
from consumers.wiring import learner_of
from metrics.exporter import Exporter
from metrics.health import Health
from metrics.observer import Observer
from metrics.server import MetricsPortError, MetricsServer


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
    """

    observer: Observer
    beat: Callable[[float], None]
    url: str


@contextmanager
def monitoring(settings: Settings, more: Sequence[Observer] = ()) -> Iterator[Monitor]:
    """Serve metrics and health, and watch for stalls, while the block runs.

    Parameters
    ----------
    settings : Settings
        Where to serve.
    more : sequence of Observer
        Who else is told.

    Raises
    ------
    SettingsError
        If the port is taken, or the model does not fit the settings.
    """
    registry = CollectorRegistry()
    exporter = _exporter(settings, registry)
    health = Health(stall_after=settings.limits.stall_after.total_seconds())
    host = settings.metrics.host
    server = MetricsServer(registry, health, host, settings.metrics.port, time.monotonic)
    try:
        server.start()
    except MetricsPortError as error:
        raise SettingsError(
            f"metrics.port = {settings.metrics.port}: {error}; choose another, or 0 for any"
        ) from None
    try:
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{server.port}/metrics"
        with StallWatch(health, time.monotonic):
            yield Monitor(Observers([exporter, health, *more]), health.beat, url)
    finally:
        server.close()


def _exporter(settings: Settings, registry: CollectorRegistry) -> Exporter:
    learner = learner_of(settings)
    return Exporter(
        registry,
        task=learner.task,
        topic=settings.input.topic,
        stride=learner.stride,
        version=versions()["streamfit"],
        partitioned=settings.learning.scope == "partition",
    )
