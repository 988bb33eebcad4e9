"""A broker that somebody else runs, at the address in STREAMFIT_TEST_BOOTSTRAP."""

from tests.brokers.server import Announce, Kind, UnavailableError, wait_until_ready


class AddressServer:
    """A broker that is there already: never started, killed or stopped from here.

    Parameters
    ----------
    bootstrap_servers : str or None
        Its address; None where none was given.
    """

    kind = Kind.ADDRESS

    def __init__(self, bootstrap_servers: str | None) -> None:
        self.bootstrap_servers = bootstrap_servers or ""

    def prepare(self, announce: Announce) -> None:
        if not self.bootstrap_servers:
            raise UnavailableError("STREAMFIT_TEST_BOOTSTRAP is not set")
        try:
            wait_until_ready(self.bootstrap_servers, timeout_s=15.0)
        except TimeoutError as error:
            raise UnavailableError(f"STREAMFIT_TEST_BOOTSTRAP: {error}") from error
        announce(f"Kafka for the tests: at {self.bootstrap_servers}")

    def start(self) -> None:
        pass

    def kill(self) -> None:
        raise UnavailableError(f"the broker at {self.bootstrap_servers} is not ours to kill")

    def stop(self) -> None:
        raise UnavailableError(f"the broker at {self.bootstrap_servers} is not ours to stop")

    def close(self) -> None:
        pass
