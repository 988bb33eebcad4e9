"""Work that may hang for good, done by threads that nobody has to wait for.

A pool of the standard library is joined when the process ends: one call that hangs in a store or
a client would keep it from ending.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

_T = TypeVar("_T")
_Task = tuple[Callable[[], Any], "Future[Any]"]


class Background:
    """Does work in the order given, by a few daemon threads made when they are first needed.

    Parameters
    ----------
    name : str
        Of the threads.
    workers : int
        How many there are at most.
    """

    def __init__(self, name: str, workers: int = 1) -> None:
        self._name = name
        self._free = workers
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._made = 0

    def submit(self, task: Callable[[], _T]) -> "Future[_T]":
        """Have something done; what it gives or raises is in the future."""
        future: Future[_T] = Future()
        if self._free:
            self._free -= 1
            self._made += 1
            name = f"{self._name}-{self._made}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._tasks.put((task, future))
        return future

    def close(self) -> None:
        """Let the threads end once they have done what was given to them."""
        for _ in range(self._made):
            self._tasks.put(None)

    def _work(self) -> None:
        while (given := self._tasks.get()) is not None:
            task, future = given
            try:
                future.set_result(task())
            except BaseException as error:  # noqa: BLE001 whoever waits for it raises it
                future.set_exception(error)
