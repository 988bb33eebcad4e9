"""What the dashboard of the model shows of classes: scores, against those of the baselines."""

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

# Below 0 whoever has no model at all does better.
_AREA_BELOW_NOTHING = Levels(BAD, ((0.0, "transparent"),))


def lead(*views: str) -> str:
    """Give the accuracy of each model, less that of the better baseline."""
    best = of_models(Metric.BASELINE_ACCURACY, *views, by=BY_VIEW)
    return f"{of_models(Metric.PREQUENTIAL_ACCURACY, *views, by=BY_VIEW)} - {best}"


_OWN = of_models(Metric.PREQUENTIAL_ACCURACY, by=BY_VIEW)
_RIVALS = of_models(Metric.BASELINE_ACCURACY, WINDOW, by=BY_BASELINE)
_KAPPAS = (Metric.PREQUENTIAL_KAPPA, Metric.PREQUENTIAL_KAPPA_T)
_EVERY = "{{view}} " + MODEL_NAME

SCORES: tuple[Panel, ...] = (
    chart(
        Words(
            "Does the model beat the baselines?",
            "Accuracy of the model (thick: over the last events), and dashed what needs no "
            "features: no-change repeats the last label, majority says the most frequent "
            "class. Bad: the thick line at or below a dashed one. On the right Cohen's kappa "
            "and kappa-T: 0 is as good as chance, and as no-change.",
            units.PercentUnit,
        ),
        Query(_OWN, f"accuracy {_EVERY}"),
        Query(_RIVALS, f"baseline {{{{baseline}}}} {MODEL_NAME}"),
        Query(of_models(_KAPPAS[0], WINDOW), f"kappa {MODEL_NAME}"),
        Query(of_models(_KAPPAS[1], WINDOW), f"kappa-T {MODEL_NAME}"),
        width=16,
        height=11,
        overrides={
            "/^accuracy window/": {"custom.lineWidth": 3},
            "/^baseline/": {"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}},
            "/^kappa/": {"unit": units.Number, "custom.axisPlacement": "right"},
        },
    ),
    chart(
        Words(
            "Lead over the best baseline",
            "Accuracy less that of the better baseline, in points of a hundred. In the red "
            "area the model is worth nothing.",
            units.PercentUnit,
        ),
        Query(lead(), _EVERY),
        height=11,
        levels=_AREA_BELOW_NOTHING,
    ),
    chart(
        Words(
            "Kappa and kappa-T",
            "Accuracy beyond chance, and beyond repeating the last label; 1 is perfect. Below "
            "0 is bad. Cumulative moves slowly, fading and window soon.",
            units.Number,
        ),
        *(
            Query(of_models(kappa, by=BY_VIEW), f"{name} {_EVERY}")
            for kappa, name in zip(_KAPPAS, ("kappa", "kappa-T"), strict=True)
        ),
        levels=_AREA_BELOW_NOTHING,
    ),
    chart(
        Words(
            "Log loss",
            "Mean of -log of the probability given to the true class, in nats: less is better. "
            "Rising while accuracy holds: the model is too sure of itself. No line where the "
            "estimator gives no probabilities.",
            units.Number,
        ),
        Query(of_models(Metric.PREQUENTIAL_LOG_LOSS, by=BY_VIEW), _EVERY),
    ),
    chart(
        Words(
            "Balanced accuracy and macro F1",
            "Every class counts the same. Far below accuracy: the model neglects rare classes.",
            units.PercentUnit,
        ),
        Query(
            of_models(Metric.PREQUENTIAL_BALANCED_ACCURACY, by=BY_VIEW),
            f"balanced accuracy {_EVERY}",
        ),
        Query(of_models(Metric.PREQUENTIAL_MACRO_F1, by=BY_VIEW), f"macro F1 {_EVERY}"),
    ),
)
