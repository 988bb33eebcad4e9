"""What the dashboard of the consumer shows of its processes: memory, processor, restarts."""

from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from tests.deploy.dashboards.panels import Words, chart
from tests.deploy.dashboards.queries import Query, process

_INSTANCE = "{{instance}}"
_STARTED = process("process_start_time_seconds")

PROCESSES: tuple[Panel, ...] = (
    chart(
        Words(
            "Memory",
            "Resident memory of each instance. It should not grow after the first minutes.",
            units.BytesIEC,
        ),
        Query(process("process_resident_memory_bytes"), _INSTANCE),
        width=12,
    ),
    chart(
        Words(
            "Processor",
            "Processor cores in use. The loop itself uses one at most; the client library's "
            "threads come on top.",
            units.Short,
        ),
        Query(f"rate({process('process_cpu_seconds_total')}[$__rate_interval])", _INSTANCE),
        width=12,
    ),
    chart(
        Words(
            "Restarts",
            "Times that an instance began anew between two points of this chart. Where a "
            "restart brings a new address, see the uptime beside it.",
            units.Short,
        ),
        Query(f"changes({_STARTED}[$__rate_interval])", _INSTANCE),
    ),
    chart(
        Words(
            "Uptime",
            "Since the process began. A saw: it dies again and again, see its log.",
            units.Seconds,
        ),
        Query(f"time() - {_STARTED}", _INSTANCE),
    ),
    chart(
        Words(
            "Open files",
            "Files and connections, and dashed how many may be open at once. Growing for ever "
            "is bad.",
            units.Short,
        ),
        Query(process("process_open_fds"), f"open {_INSTANCE}"),
        Query(process("process_max_fds"), f"at most {_INSTANCE}"),
        overrides={"/^at most/": {"custom.lineStyle": {"fill": "dash", "dash": [8, 6]}}},
    ),
)
