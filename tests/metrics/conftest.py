"""What tests of the server share."""

from collections.abc import Iterator

import pytest

from tests.metrics.http_site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    site.server.start()
    yield site
    site.server.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let sockets wait for good: what ends a connection then is the deadline of the request."""
    monkeypatch.setattr("metrics.server._Handler.timeout", None)
