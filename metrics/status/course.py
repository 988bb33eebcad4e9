"""A course of numbers over about an hour, in memory that never grows. Knows no facts."""

import numpy as np
from numpy.typing import NDArray

LONGEST_STEP_S = 8.0
# At the longest step these span 80 minutes, so that at least 40 are left after each thinning.
ROWS = 600


class Course:
    """Rows of numbers, each with its time; the older they all are, the further apart.

    Rows come at most once a step. When there is no more room, every second one goes and the step
    doubles; from the longest step on, the oldest goes instead.

    Parameters
    ----------
    columns : int
        Numbers of a row, without its time.
    rows : int
        Bound of the number of rows, an even number.

    Examples
    --------
    >>> course = Course(1, rows=4)
    >>> for second in range(6):
    ...     course.add(second, (second * 10,))
    >>> course.since(2.0).tolist()
    [[4.0, 40.0]]
    """

    def __init__(self, columns: int, rows: int = ROWS) -> None:
        # All of it is taken now: a process that runs for months must not grow after its start.
        self._rows = np.full((rows, columns + 1), np.nan)
        self._count = 0
        self._step_s = 1.0

    def add(self, now_s: float, numbers: tuple[float, ...]) -> None:
        """Take a row, if it is time for one.

        Parameters
        ----------
        now_s : float
            Seconds that never go back.
        numbers : tuple of float
            NaN where something is not known.
        """
        # Reports come when they come: what is a little early must not wait for the next one.
        if self._count and now_s - self._rows[self._count - 1, 0] < 0.9 * self._step_s:
            return
        if self._count == len(self._rows):
            self._make_room()
            if now_s - self._rows[self._count - 1, 0] < 0.9 * self._step_s:
                return
        self._rows[self._count] = now_s, *numbers
        self._count += 1

    def since(self, time_s: float = float("-inf")) -> NDArray[np.float64]:
        """Give a copy of the rows after a time.

        Returns
        -------
        ndarray of shape (n_rows, 1 + columns)
            Time in seconds, then the numbers, in the order of time.
        """
        rows = self._rows[: self._count]
        return rows[np.searchsorted(rows[:, 0], time_s, side="right") :].copy()

    def _make_room(self) -> None:
        if self._step_s < LONGEST_STEP_S:
            self._step_s *= 2
            self._count = len(self._rows) // 2
            self._rows[: self._count] = self._rows[::2].copy()
        else:
            self._count -= 1
            self._rows[:-1] = self._rows[1:].copy()
