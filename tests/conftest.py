"""What tests of all folders share: the real broker of the session.

A broker is looked for only when a collected test asks for one, and before the first test runs: a
download must not count against a test's timeout.
"""

import os
from collections.abc import Iterator

import pytest

from tests.brokers.choice import ADDRESS_VARIABLE, KIND_VARIABLE, choose, sources
from tests.brokers.kafka import Kafka
from tests.brokers.server import Kind, Server, UnavailableError

_FOUND = pytest.StashKey[Server | UnavailableError]()


@pytest.hookimpl(tryfirst=True)  # before -m deselects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _asks_for_kafka(item):
            item.add_marker(pytest.mark.integration)


def pytest_collection_finish(session: pytest.Session) -> None:
    if not session.config.option.collectonly and any(map(_asks_for_kafka, session.items)):
        _find(session.config)


def _asks_for_kafka(item: pytest.Item) -> bool:
    return "kafka" in getattr(item, "fixturenames", ())


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
