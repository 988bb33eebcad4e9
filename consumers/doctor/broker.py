"""The cluster: whether it answers, and whether its own settings let a run do what it must."""

from collections.abc import Iterator

from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Place
from consumers.doctor.facts import BrokerFacts, number
from consumers.doctor.finding import KAFKA, SETTINGS, Finding, Kind, Level
from consumers.doctor.librdkafka import number_of, options_of
from consumers.kafka.config import CONFIG
from consumers.settings import Settings

REACHABLE = Kind(
    "broker.reachable",
    Level.PROBLEM,
    "nothing works without it",
    "start the broker, or mend kafka.bootstrap_servers and the login in [kafka.librdkafka]",
    KAFKA,
)
EMBEDDED = Kind(
    "broker.embedded",
    Level.NOTE,
    "librdkafka's mock cluster keeps 5 MiB of each partition, has no transactions and no admin",
    "use a real Kafka for anything but a demo",
    SETTINGS,
)
CONTROLLER = Kind(
    "broker.controller",
    Level.WARNING,
    "without a controller no partition gets a new leader when a broker is lost",
    "look at the brokers' logs; the quorum of controllers has no majority",
)
CONFIGS = Kind(
    "broker.configs",
    Level.NOTE,
    "limits of the broker cannot be held against the settings",
    "grant DESCRIBE_CONFIGS on the cluster to this login, or ask whoever runs the broker",
)
TRANSACTION_TIMEOUT = Kind(
    "broker.transaction_timeout",
    Level.PROBLEM,
    "the broker refuses a longer transaction than its transaction.max.timeout.ms: no run can start",
    "set checkpoint.every to a fifth of it or less, or raise it at the broker",
    SETTINGS,
)
INTERNAL_TOPICS = Kind(
    "broker.internal_topics",
    Level.PROBLEM,
    "Kafka makes its own topics at first use, and cannot with more replicas than brokers: the "
    "group, or the transaction, then waits for ever",
    "start more brokers, or set that replication factor to their number at the brokers",
    KAFKA,
)
SESSION_TIMEOUT = Kind(
    "broker.session_timeout",
    Level.PROBLEM,
    "the broker refuses a member whose session timeout is outside its bounds",
    "set kafka.librdkafka.session.timeout.ms within them",
    SETTINGS,
)
GROUP_PROTOCOL = Kind(
    "broker.group_protocol",
    Level.PROBLEM,
    "group.protocol = 'consumer' takes Kafka 4.0, or 3.7 where it is switched on",
    "leave kafka.librdkafka.group.protocol out, or upgrade the brokers",
    SETTINGS,
)
OFFSET_METADATA = Kind(
    "broker.offset_metadata",
    Level.PROBLEM,
    "the pointer to the checkpoint is committed with the offset: what is longer is refused",
    "choose a shorter input.group or input.topic, or raise offset.metadata.max.bytes",
    SETTINGS,
)
OFFSETS_RETENTION = Kind(
    "broker.offsets_retention",
    Level.NOTE,
    "a group that is away for longer loses its offsets; the next start then stops (exit 5)",
    "raise offsets.retention.minutes at the brokers, or do not stay away so long",
)

_DAY_MIN, _WEEK_MIN = 1_440, 10_080
_EPOCH, _NAME, _SIZE = 2**40, "0" * 10 + "-" + "0" * 36, 2**40
_CLASSIC_MS = int(CONFIG["session.timeout.ms"])


def judge(settings: Settings, facts: BrokerFacts) -> Iterator[Finding]:
    """Hold what the cluster tells against the settings."""
    if facts.embedded:
        once = settings.output.delivery == "exactly_once"  # a run refuses that combination
        level, seen = (
            Level.PROBLEM if once else None,
            f"{facts.address} is librdkafka's mock cluster",
        )
        yield EMBEDDED.found(
            f"{seen}, and exactly_once is asked for" if once else seen, level=level
        )
        return
    count = f"{facts.brokers} broker{'' if facts.brokers == 1 else 's'}"
    kafka = _version(facts)
    yield REACHABLE.ok(f"{facts.address} answers: {count}{f', {kafka}' if kafka else ''}")
    if facts.controller is None:
        yield CONTROLLER.found("the cluster names no controller")
    if facts.configs is None:
        yield CONFIGS.skipped(f"{facts.address} does not tell its configs")
        return
    yield from _transactions(settings, facts)
    yield from _internal_topics(settings, facts)
    yield from _group(settings, facts)
    yield from _offsets(settings, facts)


def longest_pointer(settings: Settings) -> int:
    """Give the bytes that the pointer to a checkpoint of these settings may take."""
    place = Place(settings.input.group, settings.input.topic)
    pointer = Pointer(f"{place.prefix}/{_NAME}", "0" * 64, _EPOCH, _SIZE)
    return len(pointer.to_metadata()) + 1  # the binding adds one


def transaction_ms(settings: Settings) -> int:
    """Give the transaction time-out that a run asks for: five epochs, ten seconds at least."""
    return int(1000 * max(10.0, 5 * settings.checkpoint.every.total_seconds()))


def _version(facts: BrokerFacts) -> str:
    """Tell Kafka's version as far as names of configs do: the client does not hand it out."""
    configs = facts.configs
    if configs is None:
        return ""
    if protocol := configs.get("inter.broker.protocol.version"):
        return f"Kafka {protocol} or newer"
    if "group.streams.session.timeout.ms" in configs:
        return "Kafka 4.1 or newer"
    return "Kafka 4.0 or newer"


def _transactions(settings: Settings, facts: BrokerFacts) -> Iterator[Finding]:
    longest = number(facts.configs, "transaction.max.timeout.ms")
    if settings.output.delivery != "exactly_once" or longest is None:
        return
    wanted = transaction_ms(settings)
    seen = f"a run asks for {wanted / 1000:g} s, the broker allows {longest / 1000:g} s"
    yield TRANSACTION_TIMEOUT.ok(seen) if wanted <= longest else TRANSACTION_TIMEOUT.found(seen)


def _internal_topics(settings: Settings, facts: BrokerFacts) -> Iterator[Finding]:
    wanted = {"__consumer_offsets": "offsets.topic.replication.factor"}
    if settings.output.delivery == "exactly_once":
        wanted["__transaction_state"] = "transaction.state.log.replication.factor"
    for topic, key in wanted.items():
        factor = number(facts.configs, key)
        if topic not in facts.internal_topics and factor is not None and factor > facts.brokers:
            seen = f"{topic} is not there yet; {key} = {factor}, brokers: {facts.brokers}"
            yield INTERNAL_TOPICS.found(seen)


def _group(settings: Settings, facts: BrokerFacts) -> Iterator[Finding]:
    configs = facts.configs or {}
    if options_of(settings).get("group.protocol") == "consumer":
        known = configs.get("group.coordinator.rebalance.protocols") or ""
        if "consumer" not in known.split(","):
            yield GROUP_PROTOCOL.found(f"the broker knows: {known or 'the classic protocol alone'}")
        return
    least = number(configs, "group.min.session.timeout.ms")
    most = number(configs, "group.max.session.timeout.ms")
    wanted = number_of(options_of(settings), "session.timeout.ms", _CLASSIC_MS)
    if least is not None and most is not None:
        seen = f"session.timeout.ms is {wanted:g}, the broker takes {least} to {most}"
        yield SESSION_TIMEOUT.ok(seen) if least <= wanted <= most else SESSION_TIMEOUT.found(seen)


def _offsets(settings: Settings, facts: BrokerFacts) -> Iterator[Finding]:
    limit = number(facts.configs, "offset.metadata.max.bytes")
    if limit is not None:
        needed = longest_pointer(settings)
        seen = f"a pointer takes up to {needed} bytes, the broker stores {limit}"
        yield OFFSET_METADATA.ok(seen) if needed <= limit else OFFSET_METADATA.found(seen)
    minutes = number(facts.configs, "offsets.retention.minutes")
    if minutes is not None:
        seen = f"offsets of a group without members are kept for {minutes / 1440:,.3g} days"
        level = Level.WARNING if minutes < _DAY_MIN else Level.NOTE
        well = minutes >= _WEEK_MIN
        yield OFFSETS_RETENTION.ok(seen) if well else OFFSETS_RETENTION.found(seen, level=level)
