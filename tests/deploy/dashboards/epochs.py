"""What the dashboard of the consumer shows of its commits, and of the group that it is in."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from metrics.facts import State
from metrics.names import Metric
from tests.deploy.dashboards.panels import BAD, GOOD, PLAIN, WARNING, Levels, Words, chart, timeline
from tests.deploy.dashboards.queries import Query, in_state, rate, running, select

_SHOWN = {
    State.STARTING: ("starting", "text"),
    State.STANDBY: ("stands by", PLAIN),
    State.RESTORING: ("restoring", WARNING),
    State.RUNNING: ("learns", GOOD),
    State.STOPPING: ("stopping", "purple"),
}
_COMMITTED = select(Metric.CHECKPOINT_LAST_SUCCESS_TIMESTAMP_SECONDS)

EPOCHS: tuple[Panel, ...] = (
    chart(
        Words(
            "Checkpoints",
            "Epochs ended per second, by whether their commit was acknowledged. Failed ones "
            "are read again; failed ones alone: nothing becomes permanent.",
            units.OpsPerSecond,
        ),
        Query(rate(Metric.CHECKPOINTS, by=("job", "result")), "{{result}} {{job}}"),
        overrides={"/^failed/": {"color": {"mode": "fixed", "fixedColor": BAD}}},
    ),
    chart(
        Words(
            "Age of the last checkpoint",
            "Since the last acknowledged commit. About the epoch's length while records come; "
            "growing with records waiting is bad.",
            units.Seconds,
        ),
        Query(f"time() - {_COMMITTED} and on (job, instance) ({running()})", "{{instance}}"),
        levels=Levels("transparent", ((60.0, WARNING), (300.0, BAD))),
    ),
    chart(
        Words(
            "Size of the checkpoint",
            "Bytes of the last committed checkpoint: model, scores, drift detectors. It should "
            "not grow for ever.",
            units.BytesIEC,
        ),
        Query(f"max by (job, instance) ({select(Metric.CHECKPOINT_SIZE_BYTES)})", "{{instance}}"),
    ),
    chart(
        Words(
            "Transactions",
            "Kafka transactions ended per second, by how. Only with delivery exactly_once; "
            "else all are 0. Aborted or failed ones again and again are bad.",
            units.OpsPerSecond,
        ),
        Query(rate(Metric.TRANSACTIONS, by=("job", "result")), "{{result}} {{job}}"),
    ),
    chart(
        Words(
            "Uncheckpointed records",
            "Records read since the last commit: what a crash makes it read again.",
            units.Short,
        ),
        Query(
            f"max by (job, instance) ({select(Metric.UNCHECKPOINTED_RECORDS)})",
            "{{instance}}",
        ),
    ),
    timeline(
        Words(
            "Reading held back",
            "Held back: too much is uncheckpointed, so nothing is read until a commit is "
            "acknowledged. The store or the broker is too slow, or away.",
            units.Short,
        ),
        Query(f"max by (job, instance) ({select(Metric.PAUSED)})", "{{instance}}"),
        {"0": ("reads", GOOD), "1": ("held back", BAD)},
    ),
)

_NUMBERED = " or ".join(
    f"{number} * {in_state(state)}" for number, state in enumerate(_SHOWN, start=1)
)
_NAMES = {str(number): shown for number, shown in enumerate(_SHOWN.values(), start=1)}

GROUP: tuple[Panel, ...] = (
    timeline(
        Words(
            "Who learns, who stands by",
            "What each instance does. Where one model learns all partitions, exactly one "
            "learns. Nobody learning is bad; long restoring: a large checkpoint or a slow "
            "store.",
            units.Short,
        ),
        Query(f"sum by (job, instance) ({_NUMBERED})", "{{instance}}"),
        _NAMES,
    ),
    chart(
        Words(
            "Rebalances",
            "Times that partitions were assigned, revoked or lost, per second. Again and "
            "again: members come and go, or exceed max.poll.interval.ms. Lost ones are bad: "
            "their partitions went without notice.",
            units.OpsPerSecond,
        ),
        Query(rate(Metric.REBALANCES, by=("job", "event")), "{{event}} {{job}}"),
    ),
    chart(
        Words(
            "Rollbacks by reason",
            "All since the last commit was given up and read again.",
            units.OpsPerSecond,
        ),
        Query(rate(Metric.ROLLBACKS, by=("job", "reason")), "{{reason}} {{job}}"),
    ),
)
