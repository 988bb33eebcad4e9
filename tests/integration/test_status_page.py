"""The status page, in a real browser before the real consumer on a real broker."""

import contextlib
import re
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from metrics.facts import BatchFacts, State
from tests.absence import command
from tests.brokers.kafka import Kafka
from tests.integration.test_main_job import events
from tests.jobs import Job, Running
from tests.metrics.http_site import ABOUT, Site
from tests.metrics.test_status_board import BATCH, SCORES

pytestmark = pytest.mark.integration
TIMEOUT_S = 60.0
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
SECRET = "hunter2-hunter2"  # noqa: S105 the very word that must not be shown
BAD = b'{"id":"x","features":{"a":"%s","b":1,"c":1},"label":"up"}' % SECRET.encode()
NUMBER = re.compile(r"^[\d.,]*[1-9][\d.,]*$")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = command("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Consumer:
    """The program as a process that can die and come back, always at the same address."""

    job: Job
    port: int
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Running:
        secret = f'{{"sasl.password"="{SECRET}", "session.timeout.ms"=6000}}'
        words = (f"metrics.port={self.port}", f"kafka.librdkafka={secret}", "input.instance=one")
        settings = [word for each in words for word in ("--set", each)]
        running = self._stack.enter_context(self.job.running(*settings))
        deadline = time.monotonic() + TIMEOUT_S
        while not self.is_ready():
            assert running.process.poll() is None, running.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return running

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.address + "metrics", timeout=5) as reply:
                return b'streamfit_state{state="running"} 1.0' in reply.read()
        except OSError:
            return False

    def close(self) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def fed(self) -> Iterator[None]:
        """Let events flow while the block runs."""
        done = threading.Event()

        def feed() -> None:
            while not done.wait(0.1):
                self.job.produce(events(20))

        feeding = threading.Thread(target=feed)
        feeding.start()
        try:
            yield
        finally:
            done.set()
            feeding.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def consumer(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consumer]:
    folder: Path = tmp_path_factory.mktemp("status")
    with contextlib.closing(Consumer(Job(kafka, folder, partitions=2), free_port())) as consumer:
        consumer.job.produce(events(300))
        consumer.start()
        yield consumer


@dataclass
class Window:
    """A page, and all that it asked for and complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(TIMEOUT_S * 1000)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def shows(self, place: str, text: "str | re.Pattern[str]") -> None:
        expect(self.page.locator(place)).to_contain_text(text, timeout=TIMEOUT_S * 1000)

    def text(self, place: str) -> str:
        return self.page.locator(place).inner_text()


Open = Callable[..., Window]


@pytest.fixture
def open_window(browser: Browser) -> Iterator[Open]:
    """Open pages, and hold each to its own address and to a silent console."""
    opened: list[tuple[str, Window]] = []

    def opens(address: str, size: dict[str, int] = DESK, scheme: str = "light") -> Window:
        page = browser.new_page(
            viewport={"width": size["width"], "height": size["height"]},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        window = Window(page)
        opened.append((address, window))
        page.goto(address)
        return window

    yield opens
    for address, window in opened:
        window.page.close()
        assert [url for url in window.asked if not url.startswith((address, "data:"))] == []
        assert window.complaints == []


def test_the_numbers_change_while_events_flow(consumer: Consumer, open_window: Open) -> None:
    window = open_window(consumer.address)
    window.shows("#state", "running")
    window.shows("#version", NUMBER)
    window.shows("#score", re.compile(r"^0\.\d{4}$"))
    before = window.text("#version"), window.text("#score")
    with consumer.fed():
        window.shows("#rate", NUMBER)
        expect(window.page.locator("#version")).not_to_have_text(before[0])
        expect(window.page.locator("#score")).not_to_have_text(before[1])
    window.shows("#saved", " s")
    assert window.page.locator("#parts tr").count() == 2
    assert "no-change" in window.text("#legend")
    assert re.match(r"running · 0\.\d{4} accuracy · ", window.page.title())


def test_a_page_that_is_opened_later_sees_the_past(consumer: Consumer, open_window: Open) -> None:
    window = open_window(consumer.address)
    window.shows("#state", "running")
    drawn = window.page.locator("#chart path.l0").get_attribute("d") or ""
    assert drawn.count("L") >= 2


def test_a_dead_letter_is_shown_with_its_origin_and_without_its_value(
    consumer: Consumer, open_window: Open
) -> None:
    window = open_window(consumer.address)
    consumer.job.produce([(SECRET.encode(), BAD)])
    window.shows("#letters", "wrong type (schema)")
    origin = rf"{re.escape(consumer.job.topic)}/[01]/\d+"
    assert re.search(origin, window.text("#letters"))
    assert SECRET not in window.page.content()


def test_settings_are_shown_and_secrets_masked(consumer: Consumer, open_window: Open) -> None:
    window = open_window(consumer.address)
    window.page.locator("summary").click()
    window.shows("#settings", "SGDClassifier")
    window.shows("#settings", re.compile(r"librdkafka\.sasl\.password\W*\*\*\*"))
    assert SECRET not in window.page.content()


def test_the_page_fits_a_phone_and_follows_the_colours_of_the_system(
    consumer: Consumer, open_window: Open
) -> None:
    grounds = {}
    for scheme in ("light", "dark"):
        window = open_window(consumer.address, PHONE, scheme)
        window.page.locator("summary").click()
        window.shows("#settings", "SGDClassifier")
        assert window.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        ground = "getComputedStyle(document.body).backgroundColor"
        grounds[scheme] = window.page.evaluate(ground)
    assert grounds["light"] != grounds["dark"]


def site_of(*, partitioned: bool = False) -> Site:
    """Serve a board that a test writes on."""
    site = Site(about=replace(ABOUT, partitioned=partitioned))
    site.server.start()
    return site


def test_in_partition_scope_each_model_has_a_row_and_the_chart_is_of_the_chosen_one(
    open_window: Open,
) -> None:
    with contextlib.closing(site_of(partitioned=True)) as site:
        for partition, version in ((0, 10), (7, 70)):
            facts: BatchFacts = replace(BATCH, partition=partition, model_version=version)
            site.board.batch(facts)
            site.board.scores(replace(SCORES, partition=partition))
        window = open_window(site.address)
        window.shows("#version", "10")
        assert window.page.locator("#models tr").count() == 2
        window.page.locator("#choose").select_option("7")
        window.shows("#version", "70")
        window.shows("#h-score", "Accuracy, partition 7")


def test_a_standby_says_so_and_whom_it_waits_for(open_window: Open) -> None:
    with contextlib.closing(site_of()) as site:
        site.board.state(State.STANDBY)
        site.board.waits_for(["consumer-0 on /10.0.0.7"])
        window = open_window(site.address, PHONE)
        window.shows("#state", "standby")
        window.shows("#standby", "no other member holds the group elec2")
        window.shows("#standby", "held by consumer-0 on /10.0.0.7")


def test_the_page_recovers_after_the_consumer_was_killed_and_started_again(
    consumer: Consumer, browser: Browser
) -> None:
    window = Window(browser.new_page(viewport={"width": 1280, "height": 900}))
    window.page.goto(consumer.address)
    window.shows("#state", "running")
    drawn = window.page.locator("#chart path.l0").get_attribute("d") or ""
    consumer.close()  # kill -9
    window.shows("#lost", "Connection lost, trying again since")
    expect(window.page).to_have_title(re.compile("^connection lost"))
    consumer.start()
    expect(window.page.locator("#lost")).to_be_hidden(timeout=TIMEOUT_S * 1000)
    window.shows("#state", "running")
    window.shows("#chart", "restart")
    again = window.page.locator("#chart path.l0").get_attribute("d") or ""
    assert len(again) >= len(drawn) / 2, "what was shown before is still there"
    before = window.text("#version")
    with consumer.fed():
        expect(window.page.locator("#version")).not_to_have_text(before)
    window.page.close()
