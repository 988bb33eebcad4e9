"""What the dashboard of the consumer shows of its pace, and of how far behind it is."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.names import Metric
from tests.deploy.dashboards.panels import BAD, WARNING, Levels, Words, chart
from tests.deploy.dashboards.queries import BY_INSTANCE, Query, rate, select

_COMMITTED = select(Metric.COMMITTED_OFFSET)
_BY_PARTITION = "{{topic}} {{partition}}"

THROUGHPUT: tuple[Panel, ...] = (
    chart(
        Words(
            "Throughput",
            "Records consumed, predictions produced and events learned per second. Consumed "
            "without predictions: dead letters; predicted without learned: no labels.",
            units.RecordsPerSecond,
        ),
        Query(rate(Metric.RECORDS_CONSUMED), "consumed {{job}}"),
        Query(rate(Metric.PREDICTIONS), "predicted {{job}}"),
        Query(rate(Metric.RECORDS_LEARNED), "learned {{job}}"),
        width=12,
    ),
    chart(
        Words(
            "Throughput by instance",
            "Records consumed per second. A standby has 0.",
            units.RecordsPerSecond,
        ),
        Query(rate(Metric.RECORDS_CONSUMED, by=BY_INSTANCE), "{{instance}}"),
        width=12,
        stacked=True,
    ),
    chart(
        Words(
            "Lag in records",
            "Records not yet read. Growing without end: more comes than is learned. One "
            "partition alone: too many of the keys are in it, or it stands still.",
            units.Short,
        ),
        Query(
            f"max by (job, topic, partition) ({select(Metric.CONSUMER_LAG_RECORDS)})",
            _BY_PARTITION,
        ),
    ),
    chart(
        Words(
            "Lag in seconds",
            "Age of the record read last where there is lag. Close to the topic's retention "
            "it is dangerous: records go before they are read.",
            units.Seconds,
        ),
        Query(
            f"max by (job, topic, partition) ({select(Metric.CONSUMER_LAG_SECONDS)})",
            _BY_PARTITION,
        ),
        levels=Levels("transparent", ((30.0, WARNING), (300.0, BAD))),
    ),
    chart(
        Words(
            "Committed, by partition",
            "Records whose learning became permanent, per second. 0 with lag beside it: that "
            "partition stands still. Below 0: the offsets went back.",
            units.RecordsPerSecond,
        ),
        Query(
            f"max by (job, topic, partition) (deriv({_COMMITTED}[$__rate_interval]))",
            _BY_PARTITION,
        ),
    ),
)
