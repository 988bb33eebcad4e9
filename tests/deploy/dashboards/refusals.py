"""What the dashboard of the model shows of records that it was not given, and of set-backs."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.names import Metric
from tests.deploy.dashboards.panels import BAD, WARNING, Levels, Words, chart
from tests.deploy.dashboards.queries import Query, rate

_DEAD, _CONSUMED = rate(Metric.DEAD_LETTERS), rate(Metric.RECORDS_CONSUMED)

REFUSALS: tuple[Panel, ...] = (
    chart(
        Words(
            "Share of dead letters",
            "Dead letters among all records consumed. More than a few in a thousand: a "
            "producer has changed its records, or the settings do not fit them.",
            units.PercentUnit,
        ),
        Query(f"{_DEAD} / {_CONSUMED}", "{{job}}"),
        levels=Levels("transparent", ((0.01, WARNING), (0.05, BAD))),
    ),
    chart(
        Words(
            "Dead letters by stage",
            "Records kept with their reason, by the stage that refused them: decode, schema, "
            "label, learn (poisoned) or produce.",
            units.RecordsPerSecond,
        ),
        Query(rate(Metric.DEAD_LETTERS, by=("job", "stage")), "{{stage}} {{job}}"),
        stacked=True,
    ),
    chart(
        Words(
            "Refused before learning, by reason",
            "Records that could not be decoded or checked. The reason says what to look for "
            "in the dead letters.",
            units.RecordsPerSecond,
        ),
        Query(
            rate(Metric.RECORDS_REJECTED, by=("job", "stage", "reason")),
            "{{stage}}: {{reason}} {{job}}",
        ),
        stacked=True,
    ),
    chart(
        Words(
            "Poisoned and skipped",
            "Poisoned: events left out since the weights would have gone beyond their bound. "
            "Skipped: tombstones, and gaps that retention left; a gap is lost for ever.",
            units.RecordsPerSecond,
        ),
        Query(rate(Metric.RECORDS_POISONED), "poisoned {{job}}"),
        Query(rate(Metric.RECORDS_SKIPPED, by=("job", "reason")), "skipped: {{reason}} {{job}}"),
    ),
    chart(
        Words(
            "Rollbacks by reason",
            "All since the last commit was given up and read again. Now and then after a "
            "fault of the broker; again and again: nothing gets done.",
            units.OpsPerSecond,
        ),
        Query(rate(Metric.ROLLBACKS, by=("job", "reason")), "{{reason}} {{job}}"),
    ),
    chart(
        Words(
            "Drift by detector",
            "Changes of the stream found in the errors of the models, per second.",
            units.OpsPerSecond,
        ),
        Query(rate(Metric.DRIFT_DETECTIONS, by=("job", "detector")), "{{detector}} {{job}}"),
    ),
)
