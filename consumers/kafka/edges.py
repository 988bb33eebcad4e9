"""Where the partitions of a topic begin and end, and next offsets that lie outside of that."""

import logging
from collections.abc import Mapping

from consumers.errors import OffsetsLostError
from consumers.kafka.source import Positions
from metrics.events import RECORDS_SKIPPED

_log = logging.getLogger("streamfit.recovery")


class Edges:
    """The bounds of each partition, asked once: retention may move them at any time.

    Parameters
    ----------
    positions : Positions
        Tells them.
    start : {"earliest", "latest"}
        Where a new group begins.
    """

    def __init__(self, positions: Positions, start: str) -> None:
        self._positions = positions
        self._start = start
        self._known: dict[int, tuple[int, int]] = {}

    def bounds(self, partition: int) -> tuple[int, int]:
        """Give the first offset that is still there, and the one after the last."""
        if partition not in self._known:
            self._known[partition] = self._positions.bounds(partition)
        return self._known[partition]

    def first(self, partition: int) -> int:
        """Give the first offset that is still there."""
        return self.bounds(partition)[0]

    def begin(self, partition: int) -> int:
        """Give the offset at which a new group begins."""
        return self.bounds(partition)[0 if self._start == "earliest" else 1]

    def gaps(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give how many records before the first were never read; partitions without are left out.

        Offsets are counted: with a transactional writer some of them were never records.
        """
        missing = {p: self.first(p) - offset for p, offset in next_offsets.items()}
        return {partition: count for partition, count in missing.items() if count > 0}

    def beyond(self, next_offsets: Mapping[int, int]) -> dict[int, int]:
        """Give the next offsets that lie beyond the end of their partitions."""
        return {p: offset for p, offset in next_offsets.items() if offset > self.bounds(p)[1]}


def without_gaps(
    edges: Edges, next_offsets: Mapping[int, int], on_gap: str
) -> tuple[dict[int, int], dict[int, int]]:
    """Do what `learning.on_gap` says of records that retention removed before they were read.

    Returns
    -------
    dict of int to int
        The next offsets, none below the first that is still there.
    dict of int to int
        Partition to the records skipped over.

    Raises
    ------
    OffsetsLostError
        If the policy is to stop.
    """
    gaps = edges.gaps(next_offsets)
    told = "; ".join(
        f"partition {partition}: the next offset is {next_offsets[partition]}, the first one still "
        f"there is {edges.first(partition)}: {count} records lost"
        for partition, count in sorted(gaps.items())
    )
    if gaps and on_gap == "fail":
        raise OffsetsLostError(
            f"{told} to the topic's retention, and learning.on_gap = 'fail'; set it to 'skip' to "
            "go on without them, and give the topic a longer retention"
        )
    if gaps:
        _log.warning(
            "%s to the topic's retention, skipped (learning.on_gap = 'skip')",
            told,
            extra=RECORDS_SKIPPED(records=sum(gaps.values()), partitions=sorted(gaps)),
        )
    return {p: max(offset, edges.first(p)) for p, offset in next_offsets.items()}, gaps
