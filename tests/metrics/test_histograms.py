"""Histograms of plain numbers show what those of the client library show."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest

from metrics.histograms import HistogramFamily

BOUNDS = (0.001, 0.5, 1.0, 10.0)
VALUES = st.one_of(st.floats(0, 20), st.sampled_from(BOUNDS))


@given(st.lists(st.tuples(st.sampled_from(["decode", "step"]), VALUES), max_size=30))
def test_a_page_is_the_same_to_the_last_character(observed: list[tuple[str, float]]) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    family = HistogramFamily("seconds", "Time spent.", ("stage",), BOUNDS)
    ours.register(family)
    histogram = Histogram("seconds", "Time spent.", ("stage",), registry=theirs, buckets=BOUNDS)
    for stage, value in observed:
        family.labels(stage).observe(value)
        histogram.labels(stage).observe(value)
    assert generate_latest(ours) == generate_latest(theirs)


def test_without_labels_a_histogram_is_there_from_the_start() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    ours.register(HistogramFamily("records", "How many.", (), BOUNDS))
    Histogram("records", "How many.", registry=theirs, buckets=BOUNDS)
    assert generate_latest(ours) == generate_latest(theirs)
