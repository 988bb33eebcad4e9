"""Shows how many dead letters are read: on a terminal as it goes, else a plain line every 5 s."""

import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from rich.console import Console

from consumers.dead_letters.letters import Stored
from consumers.dead_letters.reading import Read

_TELL_EVERY = 1000  # records
_LINE_EVERY_S = 5.0


class ReadingProgress:
    """Counts what is read; a context manager.

    Parameters
    ----------
    console : Console
        Where to show it.
    clock : callable
        Seconds that only grow.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console, self._clock = console, clock
        self._status = console.status("reading dead letters") if console.is_terminal else None
        self._count = 0
        self._told_s = clock()

    def watching(self, read: Read) -> Read:
        """Give the same way of reading, watched."""

        def watched(partition: int, begin: int, end: int) -> Iterator[Stored]:
            for stored in read(partition, begin, end):
                self._count += 1
                if self._count % _TELL_EVERY == 0:
                    self._tell()
                yield stored

        return watched

    def _tell(self) -> None:
        line = f"read {self._count:,} dead letters"
        if self._status is not None:
            self._status.update(line)
        elif self._clock() - self._told_s >= _LINE_EVERY_S:
            self._told_s = self._clock()
            self._console.print(line, highlight=False)

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status is not None:
            self._status.stop()
