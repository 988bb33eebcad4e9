"""Going through the rows of a batch as if the guilty ones had never come."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from learners.events import Bools

_State = TypeVar("_State")


def accepted_rows(
    n_rows: int,
    remember: Callable[[], _State],
    recall: Callable[[_State], None],
    run: Callable[[int, int], int],
) -> Bools:
    """Learn rows in order; where one is guilty, go back, learn up to it, and go on after it.

    Since the rows before a guilty one are learned again from where they started, what is
    learned, and which rows are guilty, never depends on where a batch was cut.

    Parameters
    ----------
    n_rows : int
    remember, recall : callable () -> state and callable (state) -> None
        Give a copy of all that `run` changes; go back to it, maybe more than once.
    run : callable (start, stop) -> int
        Learns these rows. Returns `stop`, or the position of a guilty row; then what it changed
        is not used.

    Returns
    -------
    ndarray of shape (n_rows,)
        False for the guilty rows.
    """
    accepted = np.ones(n_rows, dtype=np.bool_)
    start, stop, state = 0, n_rows, remember()
    while start < n_rows:
        done = run(start, stop)
        if done < stop:
            recall(state)
            stop = done
            continue
        if stop < n_rows:
            accepted[stop] = False
        start, stop = stop + 1, n_rows
        if start < n_rows:
            state = remember()
    return accepted
