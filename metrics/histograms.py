"""Histograms that cost next to nothing to fill: plain numbers, put into words when asked for.

The client library takes locks and walks over the bounds for every value. Five values a batch, that
was more than all counters and scores together.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Histogram:
    """Counts of values by bucket; not safe for threads by itself.

    Parameters
    ----------
    bounds : sequence of float
        Upper bounds of the buckets, in order; a value at a bound is in its bucket.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def cumulative(self) -> tuple[list[int], float]:
        """Give how many values are at or below each bound, then of all; and their sum."""
        return list(accumulate(self._counts)), self._sum


class HistogramFamily(Collector):
    """A metric that is a histogram for each of its label values.

    Parameters
    ----------
    name, meaning : str
        As they stand in the page.
    labels : tuple of str
        Names of its labels; without any there is one histogram, and it is there from the start.
    bounds : tuple of float
        Upper bounds of the buckets, in the metric's unit.

    Examples
    --------
    >>> family = HistogramFamily("seconds", "Time spent.", ("stage",), (0.1, 1.0))
    >>> family.labels("save").observe(0.3)
    >>> [(s.labels["le"], s.value) for s in next(family.collect()).samples if "le" in s.labels]
    [('0.1', 0), ('1.0', 1), ('+Inf', 1)]
    """

    def __init__(
        self, name: str, meaning: str, labels: tuple[str, ...], bounds: tuple[float, ...]
    ) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._bounds = bounds
        self._told = [*map(_told, bounds), "+Inf"]
        self._children: dict[tuple[str, ...], Histogram] = {}
        if not labels:
            self.labels()

    def labels(self, *values: str) -> Histogram:
        """Give the histogram of some label values; it is shown from now on."""
        return self._children.setdefault(values, Histogram(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Give all of them as they stand."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        for values, child in self._children.items():
            counts, total = child.cumulative()
            buckets = list(zip(self._told, counts, strict=True))
            family.add_metric(values, buckets, total)
        yield family


def _told(bound: float) -> str:
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]  # untyped in the library
