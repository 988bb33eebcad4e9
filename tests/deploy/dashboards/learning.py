"""What the dashboard of the model shows of its learning: events, version."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.names import Metric
from tests.deploy.dashboards.panels import Words, chart
from tests.deploy.dashboards.queries import MODEL_NAME, Query, of_models, rate

LEARNING: tuple[Panel, ...] = (
    chart(
        Words(
            "Events",
            "Events learned, predicted without a label, and poisoned, per second. No learned "
            "ones while events come: labels are missing.",
            units.EventsPerSecond,
        ),
        Query(rate(Metric.RECORDS_LEARNED), "learned {{job}}"),
        Query(rate(Metric.RECORDS_UNLABELLED), "unlabelled {{job}}"),
        Query(rate(Metric.RECORDS_POISONED), "poisoned {{job}}"),
    ),
    chart(
        Words(
            "Model version",
            "Events that the model has learned. A step down is a model rolled back; a flat "
            "line is a model that learns nothing.",
            units.Short,
        ),
        Query(of_models(Metric.MODEL_VERSION), MODEL_NAME),
    ),
    chart(
        Words(
            "Scored right, just now",
            "Events predicted right among those scored between two points of this chart, over "
            "all models of an application. No line while nothing is scored; 0 for numbers.",
            units.PercentUnit,
        ),
        Query(
            f"{rate(Metric.PREQUENTIAL_CORRECT)} / {rate(Metric.PREQUENTIAL_SCORED)}",
            "{{job}}",
        ),
    ),
)
