"""When to try again after going back to the last commit. Pure: time comes in as an argument."""

from consumers.errors import EpochLostError, FencedError
from metrics.facts import RollbackReason

LONGEST_S = 10.0
# Longer than a heartbeat: a process that was frozen learns by then that its partitions are gone,
# and does not disturb the one that has them now.
AFTER_A_FENCE_S = 3.5
MOST_FENCES = 5
# Further apart than this they have nothing to do with each other.
FENCES_WITHIN_S = 60.0
MOST_DOUBLINGS = 10
_UNSURE = frozenset({RollbackReason.FENCED, RollbackReason.LOST})


class Backoff:
    """Waits longer after each failure in a row.

    Attributes
    ----------
    due_s : float
        From when on to try again.
    """

    def __init__(self) -> None:
        self.due_s = 0.0
        self._failures = 0
        self._fences = 0
        self._fenced_s = 0.0

    def failed(self, error: EpochLostError, now: float) -> None:
        """Take a failure.

        Raises
        ------
        FencedError
            If another process took over again and again, with no commit in between.
        """
        if error.reason is RollbackReason.FENCED:
            recent = now - self._fenced_s < FENCES_WITHIN_S
            self._fences, self._fenced_s = self._fences * recent + 1, now
        if self._fences >= MOST_FENCES:
            raise FencedError(f"{error}; another process of the same input.group goes on: stop one")
        wait_s = (
            0.0
            if self._failures == 0
            else min(LONGEST_S, 2.0 ** min(self._failures, MOST_DOUBLINGS) / 2)
        )
        self._failures += 1
        self.due_s = now + max(wait_s, AFTER_A_FENCE_S if error.reason in _UNSURE else 0.0)

    def now(self) -> None:
        """Try at once: something changed."""
        self.due_s = 0.0

    def succeeded(self) -> None:
        """Take a commit."""
        self._failures = self._fences = 0
