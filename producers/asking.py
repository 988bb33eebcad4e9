"""Requests that end in time, even where the client forgets its own time-out."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

from producers.client import Client

# The client's own time-out should come first: it tells more.
GRACE_S = 2.0


class Asking:
    """Asks one thing after the other; what is not answered in time is left behind.

    librdkafka 2.16 may not come back from `send_offsets_to_transaction` while the coordinator it
    knew is gone, whatever the time-out (its issues 5456 and 5511).
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    @property
    def is_overdue(self) -> bool:
        """Whether a request is still under way."""
        return self._thread is not None and self._thread.is_alive()

    def ask(self, request: Callable[[], object], timeout_s: float) -> None:
        """Ask, and wait until it is answered; what the request raises comes out as it is.

        Raises
        ------
        TimeoutError
            If there is no answer within the time-out and a little more.
        """
        answer: Future[object] = Future()

        def work() -> None:
            try:
                answer.set_result(request())
            except BaseException as error:  # noqa: BLE001 whoever waits for it raises it
                answer.set_exception(error)

        # A daemon: one that hangs for good must not keep the process from ending.
        self._thread = threading.Thread(target=work, name="transaction", daemon=True)
        self._thread.start()
        answer.result(timeout_s + GRACE_S)
        self._thread.join()

    def let_go(self, producer: Client) -> threading.Thread:
        """Close a client in the background, once nothing is under way any more.

        One that is still in one of its calls must not be closed; and letting go of brokers that
        are away may take its time.

        Returns
        -------
        Thread
            Ends when the client is closed; nobody has to wait for it.
        """
        overdue = self._thread

        def work() -> None:
            if overdue is not None:
                overdue.join()
            producer.close()

        closing = threading.Thread(target=work, name="close", daemon=True)
        closing.start()
        return closing
