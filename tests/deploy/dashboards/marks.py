"""What is marked in all charts of a dashboard: drift, rebalances, rollbacks, restarts."""

from dataclasses import dataclass

from metrics.names import Metric
from tests.deploy.dashboards.queries import process, rate


@dataclass(frozen=True)
class Mark:
    """A vertical line in all charts of a dashboard, where something happened.

    Attributes
    ----------
    name : str
        What its switch is called.
    expression : str
        PromQL that has a value only when it happened.
    title, text : str
        What is told; `{{label}}` stands for the value of a label.
    color : str
        Of the line.
    """

    name: str
    expression: str
    title: str
    text: str
    color: str


DRIFT = Mark(
    "Drift",
    f"{rate(Metric.DRIFT_DETECTIONS, by=('job', 'detector'))} > 0",
    "Drift",
    "{{job}}: {{detector}} found a change of the stream in the errors of the model.",
    "orange",
)
ROLLBACKS = Mark(
    "Rollbacks",
    f"{rate(Metric.ROLLBACKS, by=('job', 'reason'))} > 0",
    "Rollback",
    "{{job}}: all since the last commit was given up and read again, reason {{reason}}.",
    "red",
)
REBALANCES = Mark(
    "Rebalances",
    f"{rate(Metric.REBALANCES, by=('job', 'event'))} > 0",
    "Rebalance",
    "{{job}}: partitions {{event}}.",
    "blue",
)
RESTARTS = Mark(
    "Restarts",
    f"changes({process('process_start_time_seconds')}[$__rate_interval]) > 0",
    "Restart",
    "{{job}}: {{instance}} began anew.",
    "purple",
)
