"""How the server treats clients and addresses, over real sockets."""

import socket
import threading
from collections.abc import Callable

import pytest

from metrics.server import (
    CLIENT_TIMEOUT_S,
    MOST_CONNECTIONS,
    MetricsPortError,
    MetricsServer,
)
from tests.metrics.http_site import PATIENCE_S, Site


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


def test_connections_are_bounded_and_who_asks_gets_in_before_who_keeps_us_waiting(
    site: Site,
) -> None:
    clients = [site.connect() for _ in range(MOST_CONNECTIONS + 30)]
    assert site.ask("/livez").status == 200
    assert clients[0].recv(1000) == b""
    assert clients[29].recv(1000) == b""
    clients[-1].sendall(b"GET /livez HTTP/1.0\r\n\r\n")
    assert clients[-1].recv(1000).startswith(b"HTTP/1.0 200")
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


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
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
