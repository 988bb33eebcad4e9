"""What tests of all folders share: the session's real broker, and brokers that fail on demand.

Real brokers are looked for only when a collected test asks for them, and before the first test
runs: a download must not count against a test's timeout.
"""

import logging
import os
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from tests.brokers.choice import ADDRESS_VARIABLE, KIND_VARIABLE, choose, sources
from tests.brokers.cluster import ThreeBrokers
from tests.brokers.faulty import FaultyBroker
from tests.brokers.kafka import Kafka
from tests.brokers.server import Kind, Server, UnavailableError

# A row at a time gains nothing from threads, and on busy cores waits for all of them.
threadpool_limits(1)
_FOUND = pytest.StashKey[Server | UnavailableError]()
_CLUSTER = pytest.StashKey[ThreeBrokers | UnavailableError]()


@pytest.hookimpl(tryfirst=True)  # before -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _asks_for("kafka", item) or _asks_for("cluster", item):
            item.add_marker(pytest.mark.integration)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        return
    if any(_asks_for("kafka", item) for item in session.items):
        _find(session.config)
    if any(_asks_for("cluster", item) for item in session.items):
        _find_cluster(session.config)


def _asks_for(fixture: str, item: pytest.Item) -> bool:
    return fixture in getattr(item, "fixturenames", ())


def _find(config: pytest.Config) -> Server | UnavailableError:
    """Choose the session's broker the first time, and give it."""
    if _FOUND not in config.stash:
        try:
            server = choose(os.environ, sources(os.environ), lambda line: _tell(config, line))
        except UnavailableError as error:
            config.stash[_FOUND] = error
        else:
            config.stash[_FOUND] = server
    return config.stash[_FOUND]


def _find_cluster(config: pytest.Config) -> ThreeBrokers | UnavailableError:
    """Look for what three brokers take the first time, and give them, not yet started."""
    if _CLUSTER not in config.stash:
        cluster = ThreeBrokers()
        try:
            cluster.prepare(lambda line: _tell(config, line))
        except UnavailableError as error:
            config.stash[_CLUSTER] = error
        else:
            config.stash[_CLUSTER] = cluster
    return config.stash[_CLUSTER]


def _tell(config: pytest.Config, line: str) -> None:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.ensure_newline()
        terminal.write_line(line)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[Kafka]:
    """Give the session's broker; without one, fail in CI or where one was named, else skip."""
    found = _find(pytestconfig)
    if isinstance(found, UnavailableError):
        if any(os.environ.get(key) for key in ("CI", KIND_VARIABLE, ADDRESS_VARIABLE)):
            pytest.fail(str(found), pytrace=False)
        pytest.skip(str(found))
    broker = Kafka(found)
    try:
        try:
            broker.start()
        except (RuntimeError, TimeoutError) as error:
            notes = getattr(error, "__notes__", [])
            pytest.fail("\n".join([f"Kafka ({found.kind}): {error}", *notes]), pytrace=False)
        yield broker
    finally:
        broker.close()


@pytest.fixture
def mortal_kafka(kafka: Kafka) -> Iterator[Kafka]:
    """Give the session's broker to a test that kills it; afterwards it runs again."""
    if kafka.kind is Kind.ADDRESS:
        pytest.skip("this broker is somebody else's; it is not killed")
    yield kafka
    kafka.start()


@pytest.fixture(scope="module")
def cluster(pytestconfig: pytest.Config) -> Iterator[ThreeBrokers]:
    """Give three brokers to a module; take `three_brokers` instead, which mends what was broken.

    They need Docker. Without it, fail in CI or where Docker was named, else skip.
    """
    named = os.environ.get(KIND_VARIABLE)
    if named not in (None, "", Kind.DOCKER):
        pytest.skip(f"three brokers need Docker, and {KIND_VARIABLE}={named}")
    found = _find_cluster(pytestconfig)
    if isinstance(found, UnavailableError):
        if named or os.environ.get("CI"):
            pytest.fail(f"three brokers: {found}", pytrace=False)
        pytest.skip(f"three brokers: {found}")
    try:
        found.start()
        yield found
    finally:
        found.close()


@pytest.fixture
def three_brokers(cluster: ThreeBrokers) -> Iterator[ThreeBrokers]:
    """Give three brokers, whole; afterwards all that was done to them is taken back."""
    yield cluster
    cluster.heal()


@pytest.fixture
def faulty_broker() -> Iterator[FaultyBroker]:
    """Give three brokers in this process that fail on demand; skip where librdkafka cannot."""
    try:
        brokers = FaultyBroker(3)
    except UnavailableError as error:
        pytest.skip(str(error))
    with brokers:
        yield brokers


@pytest.fixture
def logs_as_before() -> Iterator[None]:
    """Undo what a command does to the process that calls it."""
    logger = logging.getLogger("streamfit")
    before = [*logger.handlers], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before
