"""The topics: whether they are there, and whether their configs keep what is written to them."""

from collections.abc import Iterator, Sequence

from consumers.doctor.facts import TopicFacts, number
from consumers.doctor.finding import KAFKA, Finding, Kind, Level
from consumers.kafka.memory import reading
from consumers.settings import Settings

THERE = Kind(
    "topics.there",
    Level.PROBLEM,
    "a run does not start without its three topics, and makes none",
    "create it: kafka-topics.sh --create --topic NAME --partitions N; or grant DESCRIBE on it",
    KAFKA,
)
LEADER = Kind(
    "topics.leader",
    Level.PROBLEM,
    "a partition without a leader can be neither read nor written",
    "bring the brokers back that hold its replicas",
    KAFKA,
)
IN_SYNC = Kind(
    "topics.in_sync",
    Level.WARNING,
    "replicas that are behind do not count; below min.insync.replicas nothing can be written",
    "bring the brokers back that hold the missing replicas",
    KAFKA,
)
SINGLE_REPLICA = Kind(
    "topics.single_replica",
    Level.NOTE,
    "with one replica, a lost disk loses the records, and a stopped broker stops the run",
    "make the topic with a replication factor of 3, where there are three brokers",
)
LEAST_IN_SYNC = Kind(
    "topics.min_insync",
    Level.WARNING,
    "with min.insync.replicas 1 a record counts as written when one broker has it: its loss loses "
    "predictions that were acknowledged",
    "set min.insync.replicas of the topic to 2",
)
ALL_IN_SYNC = Kind(
    "topics.min_insync_all",
    Level.WARNING,
    "where every replica must be in sync, one broker that restarts stops all writing",
    "set min.insync.replicas to one less than the replication factor",
)
COMPACTED = Kind(
    "topics.compacted",
    Level.WARNING,
    "compaction removes all but the newest record of a key: events that are not read yet, or "
    "predictions and dead letters, vanish",
    "set cleanup.policy=delete on the topic",
)
RETENTION = Kind(
    "topics.retention",
    Level.NOTE,
    "a consumer that is away for longer loses records that it has not read; the start then stops "
    "(exit 5), unless learning.on_gap is 'skip'",
    "raise retention.ms of the input topic above the longest time that a run may be away",
)
UNCLEAN = Kind(
    "topics.unclean_election",
    Level.WARNING,
    "a leader that was not in sync takes over: acknowledged records vanish, and offsets that are "
    "committed already are given to other records",
    "set unclean.leader.election.enable=false on the topic",
)
APPEND_TIME = Kind(
    "topics.append_time",
    Level.NOTE,
    "with LogAppendTime a record's time is when the broker got it; without schema.time that is "
    "taken for the event's",
    "set schema.time, or message.timestamp.type=CreateTime on the topic",
)
RECORD_SIZE = Kind(
    "topics.record_size",
    Level.NOTE,
    "an event above limits.max_value_bytes is refused, and a dead letter above the topic's "
    "max.message.bytes is cut",
    "bring limits.max_value_bytes and max.message.bytes of the topics together",
)
QUEUE_SHARE = Kind(
    "topics.queue_share",
    Level.WARNING,
    "the memory for reading ahead is shared by all partitions: with so little for each, many small "
    "fetches slow reading down, and the memory may be passed nevertheless",
    "raise limits.max_memory, or spread the partitions over more members",
)

_DAY_MS = 86_400_000


def judge(settings: Settings, there: Sequence[TopicFacts], brokers: int) -> Iterator[Finding]:
    """Hold what the topics tell against the settings.

    Parameters
    ----------
    settings : Settings
    there : sequence of TopicFacts
        Those that exist.
    brokers : int
        How many there are.
    """
    known = {facts.key: facts for facts in there}
    for key, name in settings.topics.items():
        facts = known.get(key)
        if facts is None:
            yield THERE.found(f"{key} = {name!r}: no such topic, or hidden from this login")
            continue
        yield THERE.ok(_told(facts))
        yield from _replicas(facts)
        yield from _configs(facts)
    yield from _single_replicas(there, brokers)
    if events := known.get("input.topic"):
        yield from _input(settings, events)
    yield from _sizes(settings, known)


def _told(facts: TopicFacts) -> str:
    count = len(facts.partitions)
    told = f"{facts.key} = {facts.name}: {count} partition{'' if count == 1 else 's'}"
    return f"{told}, {_factor(facts)} replica{'' if _factor(facts) == 1 else 's'}"


def _factor(facts: TopicFacts) -> int:
    return min((p.replicas for p in facts.partitions), default=0)


def _single_replicas(there: Sequence[TopicFacts], brokers: int) -> Iterator[Finding]:
    alone = [facts.name for facts in there if _factor(facts) == 1]
    if alone:
        level = Level.WARNING if brokers > 1 else None
        seen = f"replication factor 1: {', '.join(alone)}; brokers: {brokers}"
        yield SINGLE_REPLICA.found(seen, level=level)


def _replicas(facts: TopicFacts) -> Iterator[Finding]:
    name, factor = facts.name, _factor(facts)
    least = number(facts.configs, "min.insync.replicas")
    without = [p.id for p in facts.partitions if p.leader is None]
    behind = [p for p in facts.partitions if p.in_sync < p.replicas]
    if without:
        yield LEADER.found(f"{name}: partitions {without} have no leader")
    if behind:
        few = [p.id for p in behind if least is not None and p.in_sync < least]
        level = Level.PROBLEM if few else None
        seen = f"{name}: partitions {[p.id for p in behind]} have replicas that are behind"
        yield IN_SYNC.found(f"{seen}; {few} cannot be written" if few else seen, level=level)
    if factor > 1 and least == 1:
        yield LEAST_IN_SYNC.found(f"{name}: min.insync.replicas 1 of {factor} replicas")
    elif least is not None and least >= factor > 1:
        yield ALL_IN_SYNC.found(f"{name}: min.insync.replicas {least} of {factor} replicas")


def _configs(facts: TopicFacts) -> Iterator[Finding]:
    configs = facts.configs or {}
    policy = configs.get("cleanup.policy") or ""
    if "compact" in policy:
        yield COMPACTED.found(f"{facts.key} = {facts.name}: cleanup.policy={policy}")
    if configs.get("unclean.leader.election.enable") == "true":
        yield UNCLEAN.found(f"{facts.name}: unclean.leader.election.enable=true")


def _input(settings: Settings, facts: TopicFacts) -> Iterator[Finding]:
    configs = facts.configs or {}
    kept = number(configs, "retention.ms")
    if kept is not None and 0 <= kept < _DAY_MS:
        yield RETENTION.found(f"{facts.name}: records are kept for {kept / 3_600_000:,.3g} hours")
    if configs.get("message.timestamp.type") == "LogAppendTime" and settings.schema_.time is None:
        yield APPEND_TIME.found(f"{facts.name}: message.timestamp.type=LogAppendTime")
    count = len(facts.partitions)
    if count:
        share, least = (
            reading(settings.limits.max_memory, n)["queued.max.messages.kbytes"]
            for n in (count, 1_000_000)
        )
        seen = f"{share} kB to read ahead for each of {count} partitions"
        yield QUEUE_SHARE.found(seen) if share <= least else QUEUE_SHARE.ok(seen)


def _sizes(settings: Settings, known: dict[str, TopicFacts]) -> Iterator[Finding]:
    allowed = settings.limits.max_value_bytes
    for key in ("input.topic", "output.dead_letter_topic"):
        most = number(known[key].configs, "max.message.bytes") if key in known else None
        # A batch of one record takes a little beside it: by Kafka's default 1,000,000 fits.
        wrong = most is not None and (
            most > 1.1 * allowed if key == "input.topic" else most < allowed
        )
        if wrong:
            name = known[key].name
            seen = f"{name}: max.message.bytes {most}, limits.max_value_bytes {allowed}"
            yield RECORD_SIZE.found(seen)
