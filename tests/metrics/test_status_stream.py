"""The stream of events, by itself and over real sockets, and the page that reads it."""

import base64
import hashlib
import http.client
import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from metrics.facts import State
from metrics.health import Verdict
from metrics.server import _Server
from metrics.status.board import Board
from metrics.status.stream import MOST_STREAMS, Streams
from tests.metrics.http_site import ABOUT, NOON, PATIENCE_S, Clock, Site


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Let the server lose its patience soon; give what it says on standard error."""
    said = io.StringIO()
    monkeypatch.setattr("metrics.server._Handler.timeout", 0.2)
    monkeypatch.setattr("sys.stderr", said)
    return said


def events(site: Site, path: str = "/events") -> tuple[http.client.HTTPConnection, Any]:
    connection = http.client.HTTPConnection(site.host, site.server.port, timeout=PATIENCE_S)
    connection.request("GET", path)
    return connection, connection.getresponse()


def next_event(reply: Any) -> dict[str, Any]:
    fields = {}
    while line := reply.readline().rstrip(b"\n"):
        name, _, value = line.partition(b": ")
        fields[name] = value
    told: dict[str, Any] = json.loads(fields[b"data"])
    return told


def test_the_first_event_comes_at_once_with_the_past_and_the_others_after_it(site: Site) -> None:
    site.board.state(State.RUNNING)
    connection, reply = events(site)
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Content-Length"] is None
    first, second = next_event(reply), next_event(reply)
    assert (first["first"], first["state"], first["about"]["topic"]) == (True, "running", "events")
    assert (second["first"], second["about"], second["run"]) == (False, None, first["run"])
    connection.close()


def test_a_browser_is_told_to_come_back_after_a_second(site: Site) -> None:
    connection, reply = events(site)
    assert reply.readline() == b"retry: 1000\n"
    connection.close()


@pytest.mark.parametrize(
    "query", ["?partition=0", "?partition=x", "?partition=-1", "?%00", "?partition=" + "9" * 99]
)
def test_queries_do_no_harm(site: Site, query: str) -> None:
    connection, reply = events(site, "/events" + query)
    assert next_event(reply)["state"] == "starting"
    connection.close()
    assert site.ask("/" + query).status == 200


def test_one_page_too_many_is_refused_until_another_goes(site: Site) -> None:
    opened = [events(site) for _ in range(MOST_STREAMS)]
    assert {reply.status for _, reply in opened} == {200}
    refused = site.ask("/events")
    assert (refused.status, refused.body) == (503, b"too many status pages are open; close one\n")
    assert site.ask("/metrics").status == site.ask("/").status == 200
    for connection, reply in opened:
        reply.close()
        connection.close()
    deadline = time.monotonic() + PATIENCE_S
    while True:
        connection, reply = events(site)
        connection.close()
        if reply.status == 200:
            break
        assert time.monotonic() < deadline


def test_a_request_for_the_headers_alone_takes_no_place(site: Site) -> None:
    for _ in range(MOST_STREAMS + 1):
        reply = site.ask("/events", "HEAD")
        assert (reply.status, reply.body) == (200, b"")


def test_a_close_ends_all_streams_at_once(site: Site) -> None:
    opened = [events(site) for _ in range(3)]
    for _, reply in opened:
        next_event(reply)
    site.server.close()
    for connection, reply in opened:
        reply.read()  # comes to an end, or the socket's patience does
        connection.close()


def test_a_stream_that_waits_for_its_next_event_ends_when_all_are_closed() -> None:
    board = Board(ABOUT, Clock(), lambda: NOON)
    verdict = Verdict(ok=True, reason="fine")
    streams = Streams(lambda seen: board.status(seen, verdict), every_s=3600)
    stream = streams.open()
    assert next(stream).startswith(b"retry: 1000\ndata: {")
    ended = threading.Thread(target=lambda: list(stream), daemon=True)
    ended.start()
    streams.close()
    ended.join(PATIENCE_S)
    assert not ended.is_alive()


@pytest.fixture
def deaf(site: Site) -> Iterator[socket.socket]:
    """Give a client that asks for events, too large for any buffer, and reads none."""
    site.board._about = replace(ABOUT, settings={"model": "x" * 30_000_000})
    with site.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /events HTTP/1.1\r\n\r\n")
        assert client.recv(1, socket.MSG_PEEK) == b"H"
        yield client


def await_end(server: _Server) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while server._open:
        assert time.monotonic() < deadline


@pytest.mark.usefixtures("brisk", "deaf")
def test_a_page_that_reads_nothing_is_dropped_and_its_place_is_free(
    site: Site, brisk: io.StringIO
) -> None:
    assert site.server._running is not None
    await_end(site.server._running[0])
    assert site.pages._streams._places._value == MOST_STREAMS
    assert brisk.getvalue() == ""


@pytest.mark.usefixtures("patient", "deaf")
def test_a_close_ends_a_page_that_reads_nothing(site: Site) -> None:
    assert site.server._running is not None
    server = site.server._running[0]
    site.server.close()
    await_end(server)


def test_a_status_that_fails_ends_the_stream_and_is_logged(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise RuntimeError("told in vain")

    monkeypatch.setattr(site.board, "status", fail)
    connection, reply = events(site)
    assert reply.read() == b""
    connection.close()
    assert "told in vain" in caplog.text
    assert site.ask("/livez").status == 200


def test_only_what_stands_in_the_page_may_run_there(site: Site) -> None:
    reply = site.ask("/")
    policy = dict(
        part.strip().partition(" ")[::2]
        for part in reply.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for element in ("script", "style"):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>".encode(), reply.body, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert policy[f"{element}-src"] == f"'sha256-{digest}'"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["Cache-Control"] == "no-store"


def test_the_page_asks_nobody_else_for_anything(site: Site) -> None:
    page = site.ask("/").body.decode()
    asked = re.findall(r"""(?:src|href)=["']([^"']*)""", page)
    assert {each for each in asked if not each.startswith("data:")} == {
        "metrics",
        "readyz",
        "livez",
    }
    assert set(re.findall(r"https?://[^\s\"']*", page)) == {"http://www.w3.org/2000/svg"}
