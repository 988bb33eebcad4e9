"""What this login may do, as far as brokers tell; nothing is tried that would change anything."""

from collections.abc import Iterator, Sequence

from consumers.doctor.facts import BrokerFacts, GroupFacts, TopicFacts
from consumers.doctor.finding import KAFKA, Finding, Kind, Level
from consumers.settings import Settings

TOPIC = Kind(
    "rights.topic",
    Level.PROBLEM,
    "a run reads the input topic, and writes predictions and dead letters",
    "grant it: kafka-acls.sh --add --allow-principal User:NAME --operation OP --topic TOPIC",
    KAFKA,
)
GROUP = Kind(
    "rights.group",
    Level.PROBLEM,
    "a run joins its group and commits offsets for it",
    "grant it: kafka-acls.sh --add --allow-principal User:NAME --operation READ --group GROUP",
    KAFKA,
)
TRANSACTIONS = Kind(
    "rights.transactional_id",
    Level.NOTE,
    "exactly_once needs WRITE on its transactional id; to try it would end a running transaction",
    "grant it: kafka-acls.sh --add --allow-principal User:NAME --operation WRITE "
    "--resource-pattern-type prefixed --transactional-id streamfit-GROUP",
)

_NEEDED = {"input.topic": "READ", "output.topic": "WRITE", "output.dead_letter_topic": "WRITE"}


def judge(
    settings: Settings, broker: BrokerFacts, topics: Sequence[TopicFacts], group: GroupFacts | None
) -> Iterator[Finding]:
    """Hold what this login may do against what a run does."""
    for facts in topics:
        yield _right(TOPIC, f"{facts.key} = {facts.name}", _NEEDED[facts.key], facts.operations)
    name = f"input.group = {settings.input.group}"
    yield _right(GROUP, name, "READ", None if group is None else group.operations)
    if settings.output.delivery != "exactly_once":
        return
    name = f"streamfit-{settings.input.group}"
    if broker.configs is not None and not broker.configs.get("authorizer.class.name"):
        yield TRANSACTIONS.ok(f"{name}: the brokers have no authorizer, so everybody may use it")
    else:
        yield TRANSACTIONS.skipped(f"{name}: brokers do not tell who may use it")


def _right(kind: Kind, name: str, operation: str, told: frozenset[str] | None) -> Finding:
    if told is None:
        return kind.skipped(f"{name}: the broker does not tell what this login may do")
    if operation in told or "ALL" in told:
        return kind.ok(f"{name}: {operation} is granted")
    return kind.found(f"{name}: {operation} is not granted")
