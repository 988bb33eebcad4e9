"""Which broker is taken, and what is said when there is none; nothing is started here."""

from functools import partial

import pytest

from tests.brokers.choice import Sources, choose, sources
from tests.brokers.server import Announce, Kind, UnavailableError


class Stand:
    """A broker that only tells whether this machine could give it."""

    bootstrap_servers = "127.0.0.1:1"

    def __init__(self, kind: Kind, *, there: bool) -> None:
        self.kind, self._there = kind, there

    def prepare(self, announce: Announce) -> None:
        if not self._there:
            raise UnavailableError(f"no {self.kind} here")
        announce(f"taken: {self.kind}")

    def start(self) -> None:
        raise AssertionError("choosing starts nothing")

    kill = stop = close = start


def offered(*there: Kind) -> Sources:
    return {kind: partial(Stand, kind, there=kind in there) for kind in sources({})}


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ([Kind.ADDRESS, Kind.DOCKER, Kind.MAVEN], Kind.ADDRESS),
        ([Kind.DOCKER, Kind.MAVEN], Kind.DOCKER),
        ([Kind.MAVEN], Kind.MAVEN),
    ],
)
def test_an_address_comes_before_docker_and_docker_before_maven(
    there: list[Kind], taken: Kind
) -> None:
    said: list[str] = []
    assert choose({}, offered(*there), said.append).kind is taken
    assert said == [f"taken: {taken}"]


def test_a_forced_kind_is_taken_although_another_comes_first() -> None:
    environment = {"STREAMFIT_TEST_BROKER": "maven"}
    assert choose(environment, offered(*Kind), print).kind is Kind.MAVEN


def test_a_forced_kind_that_is_not_there_is_not_replaced() -> None:
    environment = {"STREAMFIT_TEST_BROKER": "docker"}
    with pytest.raises(UnavailableError, match="no docker here"):
        choose(environment, offered(Kind.MAVEN), print)


def test_an_address_that_does_not_answer_is_not_replaced_by_another_broker() -> None:
    environment = {"STREAMFIT_TEST_BOOTSTRAP": "127.0.0.1:1"}
    with pytest.raises(UnavailableError, match="no address here"):
        choose(environment, offered(Kind.DOCKER, Kind.MAVEN), print)


def test_without_any_broker_one_line_says_why_and_what_to_do() -> None:
    with pytest.raises(UnavailableError) as caught:
        choose({}, offered(), print)
    assert str(caught.value) == (
        "no Kafka for the tests (no address here; no docker here; no maven here): "
        "set STREAMFIT_TEST_BOOTSTRAP, start Docker, or install Maven and Java 17"
    )


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnavailableError, match="'podman' is none of address, docker, maven"):
        choose({"STREAMFIT_TEST_BROKER": "podman"}, offered(*Kind), print)
