"""Which broker the tests run on: an address, else Docker, else Maven and Java."""

from collections.abc import Callable, Mapping
from functools import partial

from tests.brokers.address import AddressServer
from tests.brokers.containers import ContainerServer
from tests.brokers.maven import MavenServer
from tests.brokers.server import QUICK_START, Announce, Jvm, Kind, Server, UnavailableError

ADDRESS_VARIABLE = "STREAMFIT_TEST_BOOTSTRAP"
KIND_VARIABLE = "STREAMFIT_TEST_BROKER"
MEND = f"set {ADDRESS_VARIABLE}, start Docker, or install Maven and Java 17"

Sources = Mapping[Kind, Callable[[], Server]]


def sources(environment: Mapping[str, str], jvm: Jvm = QUICK_START) -> Sources:
    """Give every kind of broker, in the order in which they are tried; `jvm` runs ours."""
    return {
        Kind.ADDRESS: lambda: AddressServer(environment.get(ADDRESS_VARIABLE)),
        Kind.DOCKER: partial(ContainerServer, jvm),
        Kind.MAVEN: partial(MavenServer, jvm),
    }


def choose(environment: Mapping[str, str], available: Sources, announce: Announce) -> Server:
    """Prepare the first broker that this machine can give.

    Parameters
    ----------
    environment : mapping of str to str
        STREAMFIT_TEST_BROKER forces one kind. STREAMFIT_TEST_BOOTSTRAP, where it is set, must
        answer: no other broker is taken in its place.

    Raises
    ------
    UnavailableError
        One line that tells what was tried, and what to install.
    """
    reasons = []
    forced = _named(environment)
    for kind in available if forced is None else [forced]:
        server = available[kind]()
        try:
            server.prepare(announce)
        except UnavailableError as error:
            reasons.append(str(error))
        else:
            return server
    raise UnavailableError(f"no Kafka for the tests ({'; '.join(reasons)}): {MEND}")


def _named(environment: Mapping[str, str]) -> Kind | None:
    """Tell which kind of broker was asked for, None where any will do.

    Raises
    ------
    UnavailableError
        If STREAMFIT_TEST_BROKER holds another word.
    """
    word = environment.get(KIND_VARIABLE)
    if not word:
        return Kind.ADDRESS if environment.get(ADDRESS_VARIABLE) else None
    if word not in list(Kind):
        raise UnavailableError(f"{KIND_VARIABLE}={word!r} is none of {', '.join(Kind)}")
    return Kind(word)
