"""The broker with logins, certificates and rights, for the tests that are about them."""

from collections.abc import Iterator

import pytest

from tests.absence import lacks
from tests.brokers.secure import SecureKafka
from tests.brokers.server import UnavailableError


@pytest.fixture(scope="module")
def secure() -> Iterator[SecureKafka]:
    """Give one to a module; without Java and Maven fail in CI, else skip."""
    broker = SecureKafka()
    try:
        try:
            broker.prepare(lambda _: None)
        except UnavailableError as error:
            lacks(f"a broker with TLS: {error}; install Maven and Java 17")
        broker.start()
        yield broker
    finally:
        broker.close()
