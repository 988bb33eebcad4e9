"""Server-sent events: the status, told to each page once a second. Sockets are elsewhere."""

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Self

import msgspec

from metrics.status.board import Seen
from metrics.status.told import Status

_log = logging.getLogger("streamfit.metrics")

# A page that has seen nothing for some of these knows that it is cut off: each is a heartbeat.
EVERY_S = 1.0
# A phone and a desk for everybody who is on call; each takes a thread.
MOST_STREAMS = 16
RETRY_MS = 1000
Tell = Callable[[Seen], Status]


class TooManyStreamsError(Exception):
    """As many pages as there may be are open already."""


class Streams:
    """Opens streams, and ends them all.

    Parameters
    ----------
    tell : callable
        Gives the status; asked in the threads of the streams.
    every_s : float
        Seconds between two events.
    most : int
        How many may be open at a time.
    """

    def __init__(self, tell: Tell, every_s: float = EVERY_S, most: int = MOST_STREAMS) -> None:
        self._tell = tell
        self._every_s = every_s
        self._places = threading.BoundedSemaphore(most)
        self._closing = threading.Event()

    def open(self, wanted: int | None = None) -> "Stream":
        """Open one; whoever reads it closes it.

        Parameters
        ----------
        wanted : int or None
            The partition whose model's course is wanted.

        Raises
        ------
        TooManyStreamsError
            If there is no place left.
        """
        if not self._places.acquire(blocking=False):
            raise TooManyStreamsError
        return Stream(self._tell, wanted, self._wait, self._places.release)

    def close(self) -> None:
        """Let every stream end now, and those that come later after their first event."""
        self._closing.set()

    def _wait(self) -> bool:
        return not self._closing.wait(self._every_s)


class Stream(Iterator[bytes]):
    """The events for one page, framed as `text/event-stream`.

    The format: https://html.spec.whatwg.org/multipage/server-sent-events.html

    Parameters
    ----------
    tell : callable
        Gives the status.
    wanted : int or None
        The partition whose model's course is wanted.
    wait : callable
        Waits for the next event; False if there is none any more.
    release : callable
        Gives the place free; called once.
    """

    def __init__(
        self,
        tell: Tell,
        wanted: int | None,
        wait: Callable[[], bool],
        release: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._seen = Seen(wanted)
        self._wait = wait
        self._release = release
        self._began = self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Give the first event at once, each later one when it is time."""
        if self._closed or (self._began and not self._wait()):
            raise StopIteration
        head = b"" if self._began else f"retry: {RETRY_MS}\n".encode()
        self._began = True
        try:
            status = self._tell(self._seen)
            data = msgspec.json.encode(status)
        except Exception:  # noqa: BLE001 logged; the stream ends, and the page comes back
            _log.exception("no status to tell")
            raise StopIteration from None
        # Rows that come later are later than this moment; those of this moment are in it.
        self._seen = Seen(self._seen.wanted, status.chosen, status.now)
        return head + b"data: " + data + b"\n\n"

    def close(self) -> None:
        """Give the place free; closing twice does no harm."""
        if not self._closed:
            self._closed = True
            self._release()
