"""When so many records are refused that something upstream must be broken.

Counted over the last records, by number and in a row; the counts survive a restart. Pure.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from consumers.errors import DeadLetterLimitError


class _State(msgspec.Struct):
    window: int
    seen: int
    run: int
    ring: bytes


class DeadLetterLimits:
    """Counts refused records among the last ones, and in a row.

    Parameters
    ----------
    window : int
        How many of the last records are looked at.
    count : int
        More refused ones than this among them is too many; never divided by fewer records.
    run : int
        This many refused ones in a row is too many.
    """

    def __init__(self, window: int, count: int, run: int) -> None:
        self._count = count
        self._max_run = run
        self._ring = np.zeros(window, dtype=np.bool_)
        self._seen = 0
        self._run = 0

    def trips_at(self, n_records: int, refused: Sequence[int]) -> int | None:
        """Tell which refused record of a read would make it too many; changes nothing.

        Parameters
        ----------
        n_records : int
            Number of records.
        refused : sequence of int
            Positions of the refused ones among them, ascending.

        Returns
        -------
        int or None
            Position of the first one at which to stop; None if there is none.
        """
        size = len(self._ring)
        flags = np.zeros(n_records, dtype=np.int64)
        flags[list(refused)] = 1
        before = np.roll(self._ring, -(self._seen % size))
        totals = np.concatenate(([0], np.cumsum(np.concatenate((before, flags)))))
        for row, run in zip(refused, self._runs(refused), strict=True):
            in_window = totals[size + row + 1] - totals[row + 1]
            if run >= self._max_run or in_window > self._count:
                return row
        return None

    def update(self, n_records: int, refused: Sequence[int]) -> None:
        """Take the records of one read.

        Parameters
        ----------
        n_records : int
            Number of records.
        refused : sequence of int
            Positions of the refused ones among them, ascending.

        Raises
        ------
        DeadLetterLimitError
            If a refused record of this read made it too many. The counts are complete then, so
            the read can be committed before stopping.
        """
        flags = np.zeros(n_records, dtype=np.bool_)
        if refused:
            flags[list(refused)] = True
        runs = self._runs(refused)
        longest = max(runs, default=0)
        if n_records:
            self._run = runs[-1] if flags[-1] else 0
        self._write(flags)
        if not refused:
            return
        total = int(np.count_nonzero(self._ring))
        if longest >= self._max_run:
            raise DeadLetterLimitError(
                f"{longest} dead letters in a row (limits.dead_letter_run = {self._max_run}): "
                "look at the dead letter topic and mend the producer, or raise the limit"
            )
        if total > self._count:
            raise DeadLetterLimitError(
                f"{total} dead letters among the last {len(self._ring):,} records "
                f"(limits.dead_letter_count = {self._count}): "
                "look at the dead letter topic and mend the producer, or raise the limit"
            )

    def snapshot(self) -> bytes:
        """Give the counts as JSON."""
        ring = np.packbits(self._ring).tobytes()
        return msgspec.json.encode(_State(len(self._ring), self._seen, self._run, ring))

    def restore(self, data: bytes) -> None:
        """Take over counts; with another window, the newest records of the old one."""
        state = msgspec.json.decode(data, type=_State)
        old = np.unpackbits(np.frombuffer(state.ring, dtype=np.uint8), count=state.window)
        in_order = np.roll(old.astype(np.bool_), -(state.seen % state.window))
        self._ring[:] = False
        self._seen, self._run = 0, state.run
        self._write(in_order)

    def _runs(self, refused: Sequence[int]) -> list[int]:
        """Tell for each refused record of a read how many in a row it ends."""
        runs: list[int] = []
        run, last = self._run, -1
        for row in refused:
            run = run + 1 if row == last + 1 else 1
            last = row
            runs.append(run)
        return runs

    def _write(self, flags: np.typing.NDArray[np.bool_]) -> None:
        size = len(self._ring)
        newest = flags[-size:]
        begin = (self._seen + len(flags) - len(newest)) % size
        to_the_end = min(size - begin, len(newest))
        self._ring[begin : begin + to_the_end] = newest[:to_the_end]
        self._ring[: len(newest) - to_the_end] = newest[to_the_end:]
        self._seen += len(flags)
