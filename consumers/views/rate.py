"""How fast a total grows. What grows, and how it is shown, is in `consumers.views.history`."""

from collections import deque


class Rate:
    """Records per second over the last `WINDOW_S`."""

    WINDOW_S = 2.0
    # Totals closer in time than this share an entry, or fast runs would keep thousands.
    APART_S = 0.05

    def __init__(self) -> None:
        self._entries: deque[tuple[float, int]] = deque()  # seconds, total

    def add(self, now_s: float, total: int) -> None:
        """Take the total as it is now."""
        entries = self._entries
        if len(entries) > 1 and now_s - entries[-1][0] < self.APART_S:
            entries[-1] = entries[-1][0], total
        else:
            entries.append((now_s, total))
        self._forget(now_s)

    def per_s(self, now_s: float) -> float:
        """Give the rate; 0 as long as too little is known."""
        self._forget(now_s)
        if not self._entries:
            return 0.0
        # The first batch starts the clock and is not counted: when it began is not known. An
        # entry long before the window's start stands for a pause, which must not count in full.
        first_s, before = self._entries[0]
        elapsed_s = min(now_s - first_s, 1.25 * self.WINDOW_S)
        return (self._entries[-1][1] - before) / elapsed_s if elapsed_s >= self.APART_S else 0.0

    def _forget(self, now_s: float) -> None:
        """Leave one entry at or before the window's start: the total that it began with."""
        while len(self._entries) > 1 and self._entries[1][0] <= now_s - self.WINDOW_S:
            self._entries.popleft()
