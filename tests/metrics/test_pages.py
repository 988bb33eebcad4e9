"""What the pages say, asked from the real server by a real HTTP client."""

import gzip
from collections.abc import Callable, Iterable
from typing import NoReturn

import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import parser as openmetrics

from metrics.facts import State
from tests.metrics.http_site import Site


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


@pytest.mark.parametrize("path", ["/", "/metrics", "/livez", "/readyz", "/nowhere"])
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
    reply = site.ask("/nowhere")
    assert reply.status == 404
    known = b"/, /events, /metrics, /livez, /readyz, /startupz"
    assert reply.body == b"no such page; there are " + known + b"\n"


def test_a_page_that_fails_is_an_error_and_the_others_go_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> NoReturn:
        raise RuntimeError("collected in vain")

    site.depth.set_function(fail)
    assert site.ask("/metrics").status == 500
    assert "collected in vain" in caplog.text
    assert site.ask("/livez").status == 200
