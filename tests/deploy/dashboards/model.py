"""The dashboard of the model: how well it predicts, and what it was given to learn."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.names import Metric
from tests.deploy.dashboards.classification import SCORES, lead
from tests.deploy.dashboards.frame import Row, dashboard
from tests.deploy.dashboards.learning import LEARNING
from tests.deploy.dashboards.marks import DRIFT, ROLLBACKS
from tests.deploy.dashboards.panels import BAD, GOOD, WARNING, Levels, Words, figure
from tests.deploy.dashboards.queries import (
    MODEL_NAME,
    WINDOW,
    Query,
    found_in_range,
    of_models,
    select,
)
from tests.deploy.dashboards.refusals import REFUSALS
from tests.deploy.dashboards.regression import ERRORS

UID = "streamfit-model"


# Below 0 whoever has no model at all does better.
_ABOVE_NOTHING = Levels(BAD, ((0.0, GOOD),))


_NOW: tuple[Panel, ...] = (
    figure(
        Words(
            "Accuracy now",
            "Share of the last events predicted right, each before it was learned. It says "
            "little by itself: see the lead over the baselines beside it.",
            units.PercentUnit,
        ),
        Query(of_models(Metric.PREQUENTIAL_ACCURACY, WINDOW), MODEL_NAME),
    ),
    figure(
        Words(
            "Lead over the best baseline",
            "Accuracy over the last events, less that of the better of no-change and majority. "
            "Below 0 is bad: to repeat the last label would do better than the model.",
            units.PercentUnit,
        ),
        Query(lead(WINDOW), MODEL_NAME),
        levels=_ABOVE_NOTHING,
    ),
    figure(
        Words(
            "Kappa-T",
            "Over the last events: 1 is perfect, 0 as good as to repeat the last label. Below "
            "0 is bad.",
            units.Number,
        ),
        Query(of_models(Metric.PREQUENTIAL_KAPPA_T, WINDOW), MODEL_NAME),
        levels=_ABOVE_NOTHING,
    ),
    figure(
        Words(
            "Model version",
            "Events that the model has learned, over all restarts. It goes back only if the "
            "model was rolled back.",
            units.Short,
        ),
        Query(of_models(Metric.MODEL_VERSION), MODEL_NAME),
    ),
    figure(
        Words(
            "Drift in this time range",
            "Changes of the stream found by the detectors. Many: the world changes, or the "
            "detectors are set too fine. None where no detector is set.",
            units.Short,
        ),
        Query(found_in_range(Metric.DRIFT_DETECTIONS), "{{job}}"),
        levels=Levels(GOOD, ((1.0, WARNING),)),
    ),
    figure(
        Words(
            "Stride",
            "Labelled events between two updates of the model. 1 is exact; more is faster and "
            "costs accuracy.",
            units.Short,
        ),
        Query(f"max by (job) ({select(Metric.STRIDE_ROWS)})", "{{job}}"),
    ),
)


def model() -> str:
    """Give the dashboard as JSON."""
    rows = [
        Row("Now", _NOW),
        Row("Classes: how well it predicts", SCORES),
        Row("Learning", LEARNING),
        Row("What went wrong", REFUSALS),
        Row("Numbers: how well it predicts", ERRORS, collapsed=True),
    ]
    description = (
        "Whether the model predicts better than doing without it, how that changes, and what was "
        "kept from it. Vertical lines: a change of the stream was found, or all since the last "
        "commit was read again."
    )
    return dashboard(UID, description, rows, (DRIFT, ROLLBACKS), unused="topic")
