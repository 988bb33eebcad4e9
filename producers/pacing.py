"""How fast to send: so many events a second on a clock that is passed in."""

# Waits shorter than this are saved up: a sleep costs a wake-up, and 5,000 of them a second a core.
SHORTEST_WAIT_S = 0.01
# Time that was lost (a full queue, a slow consumer) is made up for at most this long.
_LARGEST_DEBT_S = 0.1


class Pace:
    """Says how long to wait before the next event, so that events go out at an even rate.

    Parameters
    ----------
    rate : float or None
        Events per second, above 0; None for as fast as possible.

    Examples
    --------
    >>> pace = Pace(10.0)
    >>> pace.wait_s(now_s=0.0), pace.wait_s(now_s=0.0)
    (0.0, 0.1)
    """

    def __init__(self, rate: float | None) -> None:
        self._interval_s = 1.0 / rate if rate else 0.0
        self._due_s: float | None = None

    def wait_s(self, now_s: float) -> float:
        """Book the next event.

        Parameters
        ----------
        now_s : float
            The clock, in seconds.

        Returns
        -------
        float
            Seconds to wait before sending it; 0 if it is due, or due within 10 ms.
        """
        due_s = now_s if self._due_s is None else max(self._due_s, now_s - _LARGEST_DEBT_S)
        self._due_s = due_s + self._interval_s
        wait_s = due_s - now_s
        return wait_s if wait_s >= SHORTEST_WAIT_S else 0.0
