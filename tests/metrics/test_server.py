"""The real server, asked by real HTTP clients over real sockets."""

import gzip
import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from metrics.facts import State
from metrics.health import Health
from metrics.server import CLIENT_TIMEOUT_S, MetricsPortError, MetricsServer

PATIENCE_S = 20.0


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

    def __post_init__(self) -> None:
        self.events = Counter("events", "Events.", registry=self.registry)
        self.depth = Gauge("depth", "Depth.", registry=self.registry)
        self.server = MetricsServer(self.registry, self.health, self.host, self.port, self.clock)

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


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.server.start()
    yield site
    site.server.close()


def test_metrics_can_be_scraped(site: Site) -> None:
    site.events.inc(3)
    reply = site.ask("/metrics")
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    assert site.events_shown() == 3


def test_a_scraper_that_asks_for_openmetrics_gets_it(site: Site) -> None:
    reply = site.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert reply.headers["Content-Type"].startswith("application/openmetrics-text")
    parse: Callable[[str], Iterable[Family]] = openmetrics.text_string_to_metric_families
    names = {family.name for family in parse(reply.body.decode())}
    assert names == {"events", "depth"}


def test_a_scraper_that_takes_gzip_gets_it(site: Site) -> None:
    reply = site.ask("/metrics", Accept_Encoding="gzip")
    assert reply.headers["Content-Encoding"] == "gzip"
    assert b"events_total" in gzip.decompress(reply.body)


def test_an_answer_is_kept_for_100_ms(site: Site) -> None:
    assert site.events_shown() == 0
    site.events.inc()
    site.clock.now += 0.099
    assert site.events_shown() == 0
    site.clock.now += 0.002
    assert site.events_shown() == 1


def test_each_way_of_asking_has_an_answer_of_its_own(site: Site) -> None:
    assert site.events_shown() == 0
    site.events.inc()
    assert b"# EOF" in site.ask("/metrics", Accept="application/openmetrics-text").body
    assert site.ask("/metrics", Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
    assert site.events_shown("/metrics?name[]=events_total") == 1
    assert b"depth" not in site.ask("/metrics?name[]=events_total").body
    assert site.events_shown() == 0


def test_made_up_headers_do_not_pile_up_answers(site: Site) -> None:
    for number in range(40):
        assert site.ask("/metrics", Accept=f"text/{number}").status == 200
    page = site.server._pages._pages["/metrics"]
    assert len(page._cached) <= 16  # type: ignore[attr-defined]  # it is the page of metrics


def test_probes_tell_what_health_says(site: Site) -> None:
    assert site.ask("/livez").status == 200
    assert site.ask("/startupz").status == 503
    reply = site.ask("/readyz")
    assert (reply.status, reply.body) == (503, b"the consumer is starting\n")
    site.health.state(State.RUNNING)
    site.health.beat(site.clock.now)
    assert site.ask("/startupz").status == 200
    reply = site.ask("/readyz")
    assert (reply.status, reply.body) == (200, b"the consumer is running\n")
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_probes_go_by_the_clock_of_the_server(site: Site) -> None:
    site.health.state(State.RUNNING)
    site.health.beat(site.clock.now)
    site.clock.now += 31
    assert site.ask("/livez").status == 503
    assert b"no heartbeat" in site.ask("/readyz").body


@pytest.mark.parametrize("path", ["/metrics", "/livez", "/readyz", "/nowhere"])
def test_head_gets_what_get_gets_without_the_body(site: Site, path: str) -> None:
    got, headed = site.ask(path), site.ask(path, "HEAD")
    assert headed.status == got.status
    assert headed.body == b""
    for name in ("Content-Length", "Content-Type"):
        assert headed.headers[name] == got.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_other_methods_are_refused(site: Site, method: str) -> None:
    reply = site.ask("/metrics", method)
    assert reply.status == 405
    assert reply.headers["Allow"] == "GET, HEAD"


def test_an_unknown_path_is_told_the_known_ones(site: Site) -> None:
    reply = site.ask("/")
    assert reply.status == 404
    assert reply.body == b"no such page; there are /metrics, /livez, /readyz, /startupz\n"


def test_a_page_that_fails_is_an_error_and_the_others_go_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> NoReturn:
        raise RuntimeError("collected in vain")

    site.depth.set_function(fail)
    assert site.ask("/metrics").status == 500
    assert "collected in vain" in caplog.text
    assert site.ask("/livez").status == 200


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets wait for good: what ends a connection then is the deadline of the request."""
    monkeypatch.setattr("metrics.server._Handler.timeout", None)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("sent", [b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_a_half_open_client_holds_up_nobody_and_is_ended(site: Site, sent: bytes) -> None:
    with site.connect() as half_open:
        half_open.sendall(sent)
        assert site.ask("/livez").status == 200
        site.clock.now += CLIENT_TIMEOUT_S
        assert half_open.recv(1000) == b""


def test_many_half_open_clients_hold_up_nobody(site: Site) -> None:
    clients = [site.connect() for _ in range(50)]
    assert site.ask("/metrics").status == 200
    for client in clients:
        client.close()


def test_a_client_that_goes_away_is_not_logged_as_an_error(
    site: Site, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    client = site.connect()
    # No lingering: the connection ends with a reset.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    client.sendall(b"GET /metrics HTTP/1.1\r\n")
    client.close()
    assert site.ask("/livez").status == 200
    site.server.close()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert capfd.readouterr().err == ""


def test_nonsense_is_answered_and_the_server_goes_on(site: Site) -> None:
    with site.connect() as client:
        client.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        assert b"400" in client.recv(1000)
    assert site.ask("/livez").status == 200


def test_requests_are_not_logged(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    site.ask("/metrics")
    site.ask("/nowhere")
    assert capfd.readouterr() == ("", "")


def test_many_clients_at_once_are_all_answered(site: Site) -> None:
    replies: list[int] = []
    threads = [
        threading.Thread(target=lambda: replies.append(site.ask("/metrics").status))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert replies == [200] * 20


def test_port_0_takes_one_that_is_free_and_tells_which(site: Site) -> None:
    assert site.server.port > 0


def test_a_taken_port_is_an_error_that_names_it(site: Site) -> None:
    second = Site(port=site.server.port)
    with pytest.raises(MetricsPortError) as raised:
        second.server.start()
    error = raised.value
    assert (error.host, error.port) == ("127.0.0.1", site.server.port)
    assert str(error) == f"cannot listen on 127.0.0.1:{error.port} (Address already in use)"
    assert isinstance(error.__cause__, OSError)
    second.server.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "2001:db8::1"])
def test_a_host_of_another_machine_is_an_error(host: str) -> None:
    with pytest.raises(MetricsPortError):
        Site(host=host).server.start()


def test_a_port_beyond_the_last_is_an_error() -> None:
    with pytest.raises(MetricsPortError):
        Site(port=70_000).server.start()


def test_an_error_shows_an_ipv6_host_in_brackets() -> None:
    assert str(MetricsPortError("::1", 80, "why")) == "cannot listen on [::1]:80 (why)"


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_host_can_be_asked() -> None:
    site = Site(host="::1")
    site.server.start()
    assert site.ask("/livez").status == 200
    site.server.close()


def test_localhost_is_reached_by_its_ipv4_address() -> None:
    site = Site(host="localhost")
    site.server.start()
    site.host = "127.0.0.1"
    assert site.ask("/livez").status == 200
    site.server.close()


def test_after_a_close_the_port_is_free_again(site: Site) -> None:
    port = site.server.port
    site.server.close()
    again = Site(port=port)
    again.server.start()
    assert again.ask("/livez").status == 200
    again.server.close()


@pytest.mark.usefixtures("patient")
def test_a_close_ends_clients_that_have_not_asked(site: Site) -> None:
    client = site.connect()
    client.sendall(b"GET")
    assert site.ask("/livez").status == 200  # by now the first one has been accepted
    site.server.close()
    assert client.recv(1000) == b""
    client.close()


@pytest.mark.parametrize("before", [lambda _: None, MetricsServer.start])
def test_closing_twice_or_before_a_start_does_no_harm(
    before: Callable[[MetricsServer], None],
) -> None:
    site = Site()
    before(site.server)
    site.server.close()
    site.server.close()
