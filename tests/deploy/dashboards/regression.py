"""What the dashboard of the model shows of numbers: errors, against those of the baselines."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.names import Metric
from tests.deploy.dashboards.panels import BAD, Levels, Words, chart
from tests.deploy.dashboards.queries import (
    BY_BASELINE,
    BY_VIEW,
    MODEL_NAME,
    WINDOW,
    Query,
    of_models,
)

_EVERY = "{{view}} " + MODEL_NAME


def _best_baseline() -> str:
    """Give the smallest error of a baseline; the models that learn now, in each view."""
    each = of_models(Metric.BASELINE_MAE, by=(*BY_VIEW, "baseline"))
    return f"min by ({', '.join(BY_VIEW)}) ({each})"


_RIVALS = of_models(Metric.BASELINE_MAE, WINDOW, by=BY_BASELINE)

ERRORS: tuple[Panel, ...] = (
    chart(
        Words(
            "Does the model beat the baselines? (numbers)",
            "Mean absolute error in units of the label, less is better (thick: over the last "
            "events), and dashed what needs no features: no-change repeats the last label, "
            "running mean says the mean so far. Bad: the thick line at or above a dashed one.",
            units.Short,
        ),
        Query(of_models(Metric.PREQUENTIAL_MAE, by=BY_VIEW), f"MAE {_EVERY}"),
        Query(_RIVALS, "baseline {{baseline}} " + MODEL_NAME),
        width=16,
        height=10,
        overrides={
            "/^MAE window/": {"custom.lineWidth": 3},
            "/^baseline/": {"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}},
        },
    ),
    chart(
        Words(
            "Error saved against the best baseline",
            "1 - MAE / MAE of the better baseline: 1 is perfect. In the red area the model is "
            "worth nothing.",
            units.PercentUnit,
        ),
        Query(f"1 - {of_models(Metric.PREQUENTIAL_MAE, by=BY_VIEW)} / {_best_baseline()}", _EVERY),
        height=10,
        levels=Levels(BAD, ((0.0, "transparent"),)),
    ),
    chart(
        Words(
            "RMSE",
            "Root of the mean squared error in units of the label. Far above the mean absolute "
            "error: a few predictions are far off.",
            units.Short,
        ),
        Query(of_models(Metric.PREQUENTIAL_RMSE, by=BY_VIEW), _EVERY),
        width=12,
    ),
    chart(
        Words(
            "R2",
            "Share of the label's variance that is explained: 1 is perfect. Below 0 is bad: "
            "the mean would do better.",
            units.Number,
        ),
        Query(of_models(Metric.PREQUENTIAL_R2, by=BY_VIEW), _EVERY),
        width=12,
        levels=Levels(BAD, ((0.0, "transparent"),)),
    ),
)
