"""Metrics brought into a registry, and the two kinds of series that need care.

Care is needed where series come and go with partitions, and where a counter follows a total that
outlives the process. What is measured is not here.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    disable_created_metrics,
)
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from metrics.histograms import HistogramFamily
from metrics.names import Kind, Metric

_Wrapper = TypeVar("_Wrapper", bound=MetricWrapperBase)


@dataclass(frozen=True, slots=True)
class Registered:
    """All metrics of a registry, by kind.

    Attributes
    ----------
    counters, gauges, histograms, infos : mapping of Metric
        What was registered.
    lock : Lock
        Held while facts are taken, and while all metrics are collected for one answer.
    before : list of callable
        Called, with the lock held, before all metrics are collected: what was added up since the
        last time is shown then, so that a batch costs no more than adding up.
    """

    counters: Mapping[Metric, Counter]
    gauges: Mapping[Metric, Gauge]
    histograms: Mapping[Metric, HistogramFamily]
    infos: Mapping[Metric, Info]
    lock: threading.Lock = field(default_factory=threading.Lock)
    before: list[Callable[[], None]] = field(default_factory=list)


class _AtOnce(Collector):
    """Collects all metrics at one moment, so that counters add up in every answer.

    Without this, an answer made while batches go by would hold the records consumed of one
    moment and the events decoded of a later one.
    """

    def __init__(self, registry: CollectorRegistry, registered: Registered) -> None:
        self._registry = registry
        self._registered = registered

    def collect(self) -> Iterable[Family]:
        with self._registered.lock:
            for show in self._registered.before:
                show()
            return list(self._registry.collect())

    def describe(self) -> Iterable[Family]:
        return self.collect()


def register(registry: CollectorRegistry, *, partitioned: bool = False) -> Registered:
    """Register every metric, whatever of it will get values.

    Where each partition has a model of its own, what is of one model gets the label `partition`.

    Also turns off the client library's `_created` series, for the whole process: they would be
    metrics of their own that no page describes, and twice the series.

    Raises
    ------
    ValueError
        If the registry holds one of them already.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    inner = CollectorRegistry()
    registered = Registered(
        counters=_plain(Counter, Kind.COUNTER, inner),
        gauges=_plain(Gauge, Kind.GAUGE, inner, partitioned=partitioned),
        histograms=_histograms(inner),
        infos=_plain(Info, Kind.INFO, inner),
    )
    registry.register(_AtOnce(inner, registered))
    return registered


def _plain(
    wrapper: type[_Wrapper], kind: Kind, registry: CollectorRegistry, *, partitioned: bool = False
) -> dict[Metric, _Wrapper]:
    return {
        metric: wrapper(
            metric.full_name,
            metric.value.meaning,
            (*metric.value.labels, "partition")
            if partitioned and metric.value.per_model
            else metric.value.labels,
            registry=registry,
        )
        for metric in Metric
        if metric.value.kind is kind
    }


def _histograms(registry: CollectorRegistry) -> dict[Metric, HistogramFamily]:
    families = {
        metric: HistogramFamily(
            metric.full_name, metric.value.meaning, metric.value.labels, metric.value.buckets
        )
        for metric in Metric
        if metric.value.kind is Kind.HISTOGRAM
    }
    for family in families.values():
        registry.register(family)
    return families


class PartitionGauge:
    """A gauge with one series per partition of a topic, each from its first value to its removal.

    Parameters
    ----------
    gauge : Gauge
        Labelled topic and partition.
    topic : str
        The one topic.
    """

    def __init__(self, gauge: Gauge, topic: str) -> None:
        self._gauge = gauge
        self._topic = topic
        self._children: dict[int, Gauge] = {}

    def set(self, values: Mapping[int, float]) -> None:
        """Show a value for each of these partitions; the others stay as they are."""
        for partition, value in values.items():
            child = self._children.get(partition)
            if child is None:
                child = self._gauge.labels(self._topic, partition)
                self._children[partition] = child
            child.set(value)

    def remove(self, partitions: Iterable[int]) -> None:
        """Let the series of these partitions end; one that has none is passed over."""
        for partition in partitions:
            if self._children.pop(partition, None) is not None:
                self._gauge.remove(self._topic, partition)


class GrowthCounter:
    """Counts what a total grows by, from the first one seen here.

    The total outlives the process, since it is in the checkpoint; a counter has to begin at 0.

    Parameters
    ----------
    counter : Counter
        Without labels.
    """

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._last: int | None = None

    def follow(self, total: int) -> None:
        """Add the growth since the total before; one that went back counts as a new beginning."""
        if self._last is not None and total > self._last:
            self._counter.inc(total - self._last)
        self._last = total

    def rebase(self) -> None:
        """Take the next total as a new beginning: what others learned is not counted here."""
        self._last = None
