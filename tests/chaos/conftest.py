"""Fixtures of the tests that do harm to processes of the program."""

from collections.abc import Iterator

import pytest

from tests.chaos.fleet import open_nursery
from tests.chaos.life import Nest
from tests.chaos.rounds import settings_for_nursery


@pytest.fixture(scope="session")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nest]:
    """Give what starts processes at once: one for all tests of the session."""
    with open_nursery(settings_for_nursery(tmp_path_factory.mktemp("nest"))) as nursery:
        yield Nest(nursery)
