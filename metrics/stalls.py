"""Which partitions have records to read and do not move. Time is an argument, in seconds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stall:
    """A partition that lags and does not move.

    Attributes
    ----------
    partition : int
    lag : int
        Records left to read, as last known.
    seconds : float
        For how long.
    """

    partition: int
    lag: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"partition {self.partition} lags by {self.lag} records and has not moved "
            f"for {self.seconds:.0f} s"
        )


@dataclass(slots=True)
class _Progress:
    """How far a partition is, and since when it has been there with records left to read."""

    next_offset: int | None = None
    lag: int = 0
    # None: from the next heartbeat on. Facts carry no time, and the last heartbeat may be long
    # ago when they come, after a restore for instance.
    waiting_since: float | None = None


class Stalls:
    """Watches the partitions that are owned; not safe for threads by itself.

    Parameters
    ----------
    after : float
        Seconds after which a partition that lags and does not move counts as stalled.

    Examples
    --------
    >>> stalls = Stalls(after=60.0)
    >>> stalls.lag({0: 5})
    >>> stalls.beat(100.0)
    >>> [str(stall) for stall in stalls.found(160.0)]
    ['partition 0 lags by 5 records and has not moved for 60 s']
    """

    def __init__(self, after: float) -> None:
        self._after = after
        self._partitions: dict[int, _Progress] = {}

    def beat(self, now: float) -> None:
        """Let waits that have begun since the last heartbeat begin now."""
        for progress in self._partitions.values():
            if progress.waiting_since is None:
                progress.waiting_since = now

    def moved(self, next_offsets: Mapping[int, int]) -> None:
        """Take next offsets; the same again is no movement."""
        for partition, next_offset in next_offsets.items():
            progress = self._partitions.setdefault(partition, _Progress())
            if progress.next_offset != next_offset:
                progress.next_offset, progress.waiting_since = next_offset, None

    def lag(self, lag: Mapping[int, int]) -> None:
        """Take the records left to read."""
        for partition, records in lag.items():
            progress = self._partitions.setdefault(partition, _Progress())
            if progress.lag == 0:  # waiting begins when there is something to read
                progress.waiting_since = None
            progress.lag = records

    def begin_anew(self) -> None:
        """Let all waits begin at the next heartbeat."""
        for progress in self._partitions.values():
            progress.waiting_since = None

    def forget(self, partitions: Iterable[int]) -> None:
        """Watch these no longer."""
        for partition in partitions:
            self._partitions.pop(partition, None)

    def found(self, now: float) -> tuple[Stall, ...]:
        """Give what is stalled, in the order of partitions."""
        return tuple(
            Stall(partition, progress.lag, now - progress.waiting_since)
            for partition, progress in sorted(self._partitions.items())
            if progress.lag
            and progress.waiting_since is not None
            and now - progress.waiting_since >= self._after
        )
