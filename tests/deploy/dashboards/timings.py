"""What the dashboard of the consumer shows of its time: stages, reads, latency."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.names import Metric
from tests.deploy.dashboards.panels import Words, chart, heat
from tests.deploy.dashboards.queries import Query, mean, quantile, rate, running

_STAGE, _LATENCY = Metric.STAGE_DURATION_SECONDS, Metric.END_TO_END_LATENCY_SECONDS
_SPENT = rate(_STAGE, by=("job", "stage"), suffix="_sum")
_LEARNERS = f"sum by (job) ({running()})"
_BATCH = Metric.BATCH_RECORDS

TIMINGS: tuple[Panel, ...] = (
    chart(
        Words(
            "Share of time by stage",
            "What the instances that learn do with their time; the rest up to 100 % they wait "
            "for records. Near 100 %: it is at its limit, and the widest band is the reason.",
            units.PercentUnit,
        ),
        Query(f"{_SPENT} / on (job) group_left () {_LEARNERS}", "{{stage}} {{job}}"),
        stacked=True,
    ),
    chart(
        Words(
            "Stage times, median",
            "Decode, step and produce for each read; flush, save and commit for each epoch.",
            units.Seconds,
        ),
        Query(quantile(0.5, _STAGE, ("job", "stage")), "{{stage}} {{job}}"),
    ),
    chart(
        Words(
            "Stage times, 99 of 100",
            "99 of 100 took at most so long. A slow save is the store, a slow commit or flush "
            "the broker.",
            units.Seconds,
        ),
        Query(quantile(0.99, _STAGE, ("job", "stage")), "{{stage}} {{job}}"),
    ),
    chart(
        Words(
            "Records per read",
            "1 or 2: the consumer waits for records, as it should. At max_batch: it has a "
            "backlog. It never changes a result.",
            units.Short,
        ),
        Query(mean(_BATCH), "mean {{job}}"),
        Query(quantile(0.5, _BATCH, ("job",)), "median {{job}}"),
        Query(quantile(0.99, _BATCH, ("job",)), "99 of 100 {{job}}"),
    ),
    chart(
        Words(
            "From record to prediction",
            "From the timestamp of a read's oldest record to its prediction being handed over. "
            "High with low lag: the records were late, or clocks differ.",
            units.Seconds,
        ),
        Query(quantile(0.5, _LATENCY, ("job",)), "median {{job}}"),
        Query(quantile(0.9, _LATENCY, ("job",)), "90 of 100 {{job}}"),
        Query(quantile(0.99, _LATENCY, ("job",)), "99 of 100 {{job}}"),
    ),
    heat(
        Words(
            "From record to prediction, all reads",
            "How many reads took how long. Two bands: two kinds of records, or a broker that "
            "hesitates now and then.",
            units.Seconds,
        ),
        Query(rate(_LATENCY, by=("le",), suffix="_bucket"), "{{le}}"),
    ),
)
