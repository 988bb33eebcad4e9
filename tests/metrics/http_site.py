"""A server at work with a clock that stands still, and a client to ask it."""

import http.client
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

from metrics.health import Health
from metrics.pages import Pages
from metrics.server import MetricsServer
from metrics.status.board import Board
from metrics.status.told import About
from metrics.tls import Tls

PATIENCE_S = 20.0
NOON = 1_700_000_000.0
ABOUT = About("events", "elec2", partitioned=False, settings={}, versions={"streamfit": "0.1"})


def families_of(text: str) -> list[Family]:
    parse: Callable[[str], Iterable[Family]] = text_string_to_metric_families
    return list(parse(text))


@dataclass
class Clock:
    """Seconds that pass only when told to."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """A server at work, and what it serves."""

    host: str = "127.0.0.1"
    port: int = 0
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    health: Health = field(default_factory=Health)
    clock: Clock = field(default_factory=Clock)
    tls: Tls | None = None
    about: About = ABOUT

    def __post_init__(self) -> None:
        self.events = Counter("events", "Events.", registry=self.registry)
        self.depth = Gauge("depth", "Depth.", registry=self.registry)
        self.board = Board(self.about, self.clock, lambda: NOON)
        self.pages = Pages(self.registry, self.health, self.board, self.clock)
        self.server = MetricsServer(self.pages, self.host, self.port, self.clock, self.tls)

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.server.port}/"

    def close(self) -> None:
        self.server.close()

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection(self.host, self.server.port, timeout=PATIENCE_S)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=names)
        response = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.server.port), timeout=PATIENCE_S)

    def events_shown(self, path: str = "/metrics", **headers: str) -> float:
        text = self.ask(path, **headers).body.decode()
        families = {family.name: family for family in families_of(text)}
        return families["events"].samples[0].value
