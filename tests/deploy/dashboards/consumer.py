"""The dashboard of the consumer: how fast it is, how far behind, and whether it commits."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.facts import State
from metrics.names import Metric
from tests.deploy.dashboards.epochs import EPOCHS, GROUP
from tests.deploy.dashboards.frame import Row, dashboard
from tests.deploy.dashboards.marks import REBALANCES, RESTARTS, ROLLBACKS
from tests.deploy.dashboards.panels import BAD, GOOD, WARNING, Levels, Words, figure, label
from tests.deploy.dashboards.processes import PROCESSES
from tests.deploy.dashboards.queries import Query, in_state, rate, running, select
from tests.deploy.dashboards.throughput import THROUGHPUT
from tests.deploy.dashboards.timings import TIMINGS

UID = "streamfit-consumer"

_COMMITTED = select(Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS)
_LAG_RECORDS, _LAG_SECONDS = (
    select(metric) for metric in (Metric.CONSUMER_LAG_RECORDS, Metric.CONSUMER_LAG_SECONDS)
)
_VERSIONS = "version, python, scikit_learn"

_NOW: tuple[Panel, ...] = (
    figure(
        Words(
            "Instances that learn",
            "Where one model learns all partitions, exactly 1; where each partition has its "
            "model, as many as share them. 0 is bad: nobody learns.",
            units.Short,
        ),
        # A comparison here would leave nothing to show where nobody learns.
        Query(f"sum by (job) ({in_state(State.RUNNING)})", "{{job}}"),
        levels=Levels(BAD, ((1.0, GOOD),)),
    ),
    figure(
        Words("Consumed", "Records read per second.", units.RecordsPerSecond),
        Query(rate(Metric.RECORDS_CONSUMED), "{{job}}"),
    ),
    figure(
        Words(
            "Lag",
            "Records not yet read, over all partitions. Bad if it grows.",
            units.Short,
        ),
        Query(f"sum by (job, topic) ({_LAG_RECORDS})", "{{job}} {{topic}}"),
    ),
    figure(
        Words(
            "Longest lag",
            "Age of the record read last, in the partition that is farthest behind; 0 where "
            "nothing waits.",
            units.Seconds,
        ),
        Query(f"max by (job, topic) ({_LAG_SECONDS})", "{{job}} {{topic}}"),
        levels=Levels(GOOD, ((30.0, WARNING), (300.0, BAD))),
    ),
    figure(
        Words(
            "Since the last commit",
            "Age of the last acknowledged commit of the instances that learn, the oldest of "
            "them. Without new records nothing is committed, and it grows without harm.",
            units.Seconds,
        ),
        Query(
            f"max by (job) (time() - {_COMMITTED} and on (job, instance) ({running()}))",
            "{{job}}",
        ),
        levels=Levels(GOOD, ((60.0, WARNING), (300.0, BAD))),
    ),
    label(
        Words(
            "Version",
            "Versions of streamfit, Python and scikit-learn. Several: an upgrade is under way.",
            units.Short,
        ),
        Query(
            f"max by (job, {_VERSIONS}) ({select(Metric.BUILD_INFO)})",
            "{{version}} (Python {{python}}, scikit-learn {{scikit_learn}})",
        ),
    ),
)


def consumer() -> str:
    """Give the dashboard as JSON."""
    rows = [
        Row("Now", _NOW),
        Row("Throughput and lag", THROUGHPUT),
        Row("Where the time goes", TIMINGS),
        Row("Epochs: checkpoints and commits", EPOCHS),
        Row("The consumer group", GROUP),
        Row("Processes", PROCESSES),
    ]
    description = (
        "Whether the consumer keeps up with its topic, where its time goes, whether it commits, "
        "and who runs. Vertical lines: rebalances, rollbacks, restarts."
    )
    return dashboard(UID, description, rows, (REBALANCES, ROLLBACKS, RESTARTS), unused="model")
