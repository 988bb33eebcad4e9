"""PromQL from the names of the metrics: selectors, rates, quantiles. No panel is here.

Every selector asks for the label `job`, which Prometheus gives to all that one scrape job finds: an
application. Only series of partitions have a topic. A model has the label `partition` where each
partition has its own, and none where one model learns all.
"""

from typing import NamedTuple

from metrics.facts import State
from metrics.names import Metric

APPLICATION = 'job=~"$application"'
TOPIC = 'topic=~"$topic"'
MODEL = 'partition=~"$model"'

WINDOW = 'view="window"'

BY_MODEL = ("job", "partition")
BY_VIEW = (*BY_MODEL, "view")
BY_BASELINE = (*BY_MODEL, "baseline")
BY_INSTANCE = ("job", "instance")

MODEL_NAME = "{{job}} {{partition}}"


class Query(NamedTuple):
    """What is asked, and what its series are called.

    Attributes
    ----------
    expression : str
        PromQL, with the variables of the dashboard.
    legend : str
        Name of a series; `{{label}}` stands for the value of a label.
    """

    expression: str
    legend: str


def select(metric: Metric, *matchers: str, suffix: str = "") -> str:
    """Give the series of a metric that the dashboard's variables choose.

    Parameters
    ----------
    metric : Metric
        Which metric.
    *matchers : str
        Further matchers, such as `view="window"`.
    suffix : str
        `_bucket`, `_sum` or `_count` of a histogram.
    """
    chosen = [*matchers]
    if "topic" in metric.value.labels:
        chosen.append(TOPIC)
    if metric.value.per_model:
        chosen.append(MODEL)
    return process(metric.sample_name + suffix, *chosen)


def process(name: str, *matchers: str) -> str:
    """Give the series of a metric by its full name, such as what every process tells of itself."""
    return f"{name}{{{','.join((APPLICATION, *matchers))}}}"


def running() -> str:
    """Give 1 for each instance that learns now."""
    return f"{in_state(State.RUNNING)} == 1"


def in_state(state: State) -> str:
    """Give 1 for each instance that is in a state, 0 for the others."""
    return select(Metric.STATE, f'state="{state}"')


def of_models(metric: Metric, *matchers: str, by: tuple[str, ...] = BY_MODEL) -> str:
    """Give a gauge of each model, as told by the instance that learns it now.

    A standby goes on to show what it knew last, so its series must not be mixed in.
    """
    chosen = f"{select(metric, *matchers)} and on (job, instance) ({running()})"
    return f"max by ({', '.join(by)}) ({chosen})"


def rate(metric: Metric, *matchers: str, by: tuple[str, ...] = ("job",), suffix: str = "") -> str:
    """Give the growth of a counter per second, summed up by some labels."""
    chosen = select(metric, *matchers, suffix=suffix)
    return f"sum by ({', '.join(by)}) (rate({chosen}[$__rate_interval]))"


def quantile(share: float, histogram: Metric, by: tuple[str, ...] = ()) -> str:
    """Give a quantile of what a histogram saw lately; NaN if it saw nothing."""
    buckets = rate(histogram, by=("le", *by), suffix="_bucket")
    return f"histogram_quantile({share}, {buckets})"


def mean(histogram: Metric, by: tuple[str, ...] = ("job",)) -> str:
    """Give the mean of what a histogram saw lately; NaN if it saw nothing."""
    return f"{rate(histogram, by=by, suffix='_sum')} / {rate(histogram, by=by, suffix='_count')}"


def found_in_range(metric: Metric, by: tuple[str, ...] = ("job",)) -> str:
    """Give the growth of a counter over the time range that the dashboard shows."""
    return f"sum by ({', '.join(by)}) (increase({select(metric)}[$__range]))"
