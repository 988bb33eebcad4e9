"""Settings that fight each other or the guarantees, told without asking anybody.

Those of time stand in `timing`, those of the client in `librdkafka`.
"""

from collections.abc import Iterator

from consumers.checks import built
from consumers.doctor.finding import SETTINGS, Finding, Kind, Level
from consumers.doctor.librdkafka import judge as judge_librdkafka
from consumers.doctor.timing import judge as judge_timing
from consumers.errors import SettingsError
from consumers.settings import Settings

MODEL = Kind(
    "settings.model",
    Level.PROBLEM,
    "a run does not start with a model that cannot be built",
    "what the finding itself says",
    SETTINGS,
)
MAX_BATCH = Kind(
    "settings.max_batch",
    Level.NOTE,
    "batches so large fall out of the processor's caches and take memory; no result gets better",
    "leave learning.max_batch out",
    SETTINGS,
)
STRIDE = Kind(
    "settings.stride",
    Level.NOTE,
    "with a stride above 1 events are predicted by a model that has not learned those just before",
    "set learning.stride = 1, unless the general path is too slow",
    SETTINGS,
)
HELD_INSTANCE = Kind(
    "settings.held_instance",
    Level.NOTE,
    "a static member stays a member after it has left in order: a standby takes over only when its "
    "session has ended",
    "leave input.instance out where a standby should take over at once",
    SETTINGS,
)
LOOSE_INSTANCE = Kind(
    "settings.loose_instance",
    Level.NOTE,
    "without input.instance each start has a new transactional id, and cannot end a transaction "
    "that a killed one left open: readers wait until it times out",
    "set input.instance, another for each replica",
    SETTINGS,
)
READ_COMMITTED = Kind(
    "settings.read_committed",
    Level.NOTE,
    "predictions of aborted transactions are in the topic: exactly once holds for readers that "
    "leave them out",
    "set isolation.level=read_committed in every reader of the output topic",
    SETTINGS,
)
OPEN_METRICS = Kind(
    "settings.open_metrics",
    Level.NOTE,
    "whoever reaches that address reads metrics and status",
    "set metrics.host = '127.0.0.1', or metrics.tls_client_ca so that a certificate is asked for",
    SETTINGS,
)
NO_METRICS_PORT = Kind(
    "settings.metrics_port",
    Level.NOTE,
    "port 0 is another free port at each start: no scraper and no probe finds it",
    "set metrics.port",
    SETTINGS,
)
DEAD_LETTER_LIMIT = Kind(
    "settings.dead_letter_limit",
    Level.WARNING,
    "more dead letters than events in the window cannot be: the limit never stops the run",
    "set limits.dead_letter_count below limits.dead_letter_window",
    SETTINGS,
)
NO_DEAD_LETTERS = Kind(
    "settings.no_dead_letters",
    Level.NOTE,
    "the first record that cannot be read stops the run, and each start again",
    "set limits.dead_letter_count to what upstream may get wrong",
    SETTINGS,
)
KEEP = Kind(
    "settings.keep",
    Level.WARNING,
    "with one checkpoint there is none to go back to when it is damaged",
    "set checkpoint.keep to 5",
    SETTINGS,
)
LENIENT = Kind(
    "settings.lenient",
    Level.NOTE,
    "where offsets and checkpoints do not fit, a start goes on by itself: events are left out or "
    "done again, and only the log tells",
    "set learning.on_gap, on_reset and on_damaged to 'fail'",
    SETTINGS,
)

_LARGE_BATCH = 16_384


def judge(settings: Settings) -> Iterator[Finding]:
    """Hold the settings against each other."""
    found = [
        *_model(settings),
        *judge_timing(settings),
        *_learning(settings),
        *_delivery(settings),
        *_limits(settings),
        *_served(settings),
        *judge_librdkafka(settings),
    ]
    yield from found
    if all(each.level in {Level.NOTE, Level.OK} for each in found):
        yield Finding("settings.agree", Level.OK, "none fights another")


def _model(settings: Settings) -> Iterator[Finding]:
    try:
        told = [found.found for found in built(settings)]
    except SettingsError as error:
        yield MODEL.of_error(error)
    else:
        yield MODEL.ok(f"{told[0]}; drift {told[1]}")


def _learning(settings: Settings) -> Iterator[Finding]:
    learning = settings.learning
    if learning.max_batch > _LARGE_BATCH:
        yield MAX_BATCH.found(f"learning.max_batch = {learning.max_batch}")
    if learning.stride > 1:
        yield STRIDE.found(f"learning.stride = {learning.stride}")
    policies = learning.model_dump(include={"on_gap", "on_reset", "on_damaged"})
    lenient = [f"learning.{key} = {value!r}" for key, value in policies.items() if value != "fail"]
    if lenient:
        yield LENIENT.found(", ".join(lenient))


def _delivery(settings: Settings) -> Iterator[Finding]:
    once, instance = settings.output.delivery == "exactly_once", settings.input.instance
    scope = settings.learning.scope
    if instance is not None and scope == "global":
        yield HELD_INSTANCE.found(f"input.instance = {instance!r}, learning.scope = 'global'")
    if once and instance is None and scope == "partition":
        yield LOOSE_INSTANCE.found("exactly_once, learning.scope = 'partition', no input.instance")
    if once:
        yield READ_COMMITTED.found(f"output.delivery = 'exactly_once' to {settings.output.topic}")


def _limits(settings: Settings) -> Iterator[Finding]:
    limits = settings.limits
    if settings.checkpoint.keep < 2:
        yield KEEP.found("checkpoint.keep = 1")
    if limits.dead_letter_count == 0:
        yield NO_DEAD_LETTERS.found("limits.dead_letter_count = 0")
    elif limits.dead_letter_count >= limits.dead_letter_window:
        yield DEAD_LETTER_LIMIT.found(
            f"limits.dead_letter_count = {limits.dead_letter_count}, "
            f"limits.dead_letter_window = {limits.dead_letter_window}"
        )


def _served(settings: Settings) -> Iterator[Finding]:
    host, port = settings.metrics.host, settings.metrics.port
    within = host in {"localhost", "::1"} or host.startswith("127.")
    if not within and settings.metrics.tls_client_ca is None:
        yield OPEN_METRICS.found(f"metrics.host = {host!r}")
    if port == 0:
        yield NO_METRICS_PORT.found("metrics.port = 0")
