"""The group: who is in it, how far it is behind, and whether its offsets and checkpoints agree."""

from collections.abc import Iterator, Mapping, Sequence

from consumers.checkpoints.agreement import Claims
from consumers.checkpoints.series import GLOBAL
from consumers.doctor.clock import duration
from consumers.doctor.facts import HIDDEN, GroupFacts, PlaceFacts, TopicFacts, number
from consumers.doctor.finding import Finding, Kind, Level
from consumers.doctor.store import StoreFacts
from consumers.kafka.source import Committed
from consumers.settings import Settings

MEMBERS = Kind(
    "group.members",
    Level.NOTE,
    "in scope global whoever is in the group learns, and others stand by; `models rollback` needs "
    "an empty group",
    "nothing, if these are yours; else choose another input.group",
)
START = Kind(
    "group.start",
    Level.PROBLEM,
    "the next start would stop here",
    "what the finding itself says; docs/guarantees.md has the policies",
)
SIMILAR = Kind(
    "group.similar_names",
    Level.NOTE,
    "transactional ids are made of group and instance: where another job's come out the same, "
    "each start of one fences the other",
    "give jobs with exactly_once groups of which none begins like another followed by '-'",
)
GAP = Kind(
    "group.gap",
    Level.PROBLEM,
    "retention removed records before they were read",
    "raise retention of the input topic; learning.on_gap = 'skip' goes on without them",
)
LAG = Kind(
    "group.lag",
    Level.NOTE,
    "so much is there and not learned yet",
    "nothing, if a run is catching up; else start it, or see docs/performance.md",
)
EXPIRING = Kind(
    "group.expiring",
    Level.WARNING,
    "what retention removes before it is read is never learned, and the start then stops (exit 5)",
    "start a run now, or raise retention.ms of the input topic until it has caught up",
)
SIZE_BOUND = Kind(
    "group.size_bound",
    Level.WARNING,
    "retention.bytes removes the oldest records whatever their age, and the group is near them",
    "start a run now, or raise retention.bytes of the input topic",
)
UNCOMMITTED = Kind(
    "group.uncommitted",
    Level.NOTE,
    "newer checkpoints were saved, and never committed: their run died, or its commits fail; the "
    "next start goes on at the committed one",
    "nothing, if there is one; of many, look into the log of the run for what its commits met",
)

_NEAR = 0.8  # of what is stored is not read


def judge(settings: Settings, facts: GroupFacts | None) -> Iterator[Finding]:
    """Tell who is in the group."""
    name = settings.input.group
    if facts is None or facts.state == HIDDEN:
        yield MEMBERS.skipped(f"{name}: the broker does not tell who is in it")
        return
    if facts.members:
        told = "; ".join(map(str, facts.members))
        yield MEMBERS.found(f"{name} ({facts.state}): {len(facts.members)} in it: {told}")
    else:
        yield MEMBERS.ok(f"{name}: nobody is in it")
    if facts.similar and settings.output.delivery == "exactly_once":
        yield SIMILAR.found(f"{name}, beside it: {', '.join(facts.similar)}")


def judge_place(
    settings: Settings, facts: PlaceFacts, events: TopicFacts | None, now_s: float
) -> Iterator[Finding]:
    """Hold where the group stands against what the input topic still has.

    Parameters
    ----------
    settings : Settings
    facts : PlaceFacts
    events : TopicFacts or None
        The input topic, where its configs are told.
    now_s : float
        This machine's time, in seconds since 1970.
    """
    known = {p: place.offset for p, place in facts.committed.items() if place.offset is not None}
    if not known:
        count = sum(high - low for low, high in facts.bounds.values())
        yield LAG.ok(f"nothing is committed yet; {count:,} records are there")
        return
    yield from _gaps(settings, facts, known)
    yield _lag(facts, now_s)
    configs = None if events is None else events.configs
    yield from _expiring(facts, number(configs, "retention.ms"), now_s)
    if (number(configs, "retention.bytes") or -1) > 0:
        yield from _size_bound(facts)


def _gaps(settings: Settings, facts: PlaceFacts, known: dict[int, int]) -> Iterator[Finding]:
    gaps = {p: facts.bounds[p][0] - offset for p, offset in known.items()}
    gone = {p: count for p, count in gaps.items() if count > 0}
    if gone:
        told = ", ".join(f"partition {p}: {count:,}" for p, count in sorted(gone.items()))
        level = Level.WARNING if settings.learning.on_gap == "skip" else None
        yield GAP.found(f"records that are gone: {told}", level=level)


def _lag(facts: PlaceFacts, now_s: float) -> Finding:
    lags = {p: facts.lag(p) for p in facts.committed}
    behind = {p: lag for p, lag in lags.items() if lag}
    if not behind:
        return LAG.ok("everything is learned")
    told = ", ".join(f"partition {p}: {lag:,}" for p, lag in sorted(behind.items())[:8])
    more = f" and {len(behind) - 8} more" if len(behind) > 8 else ""
    oldest = min(facts.oldest_ms.values(), default=None)
    age = "" if oldest is None else f"; the oldest is {duration(now_s - oldest / 1000)} old"
    return LAG.found(f"{sum(behind.values()):,} records not learned yet ({told}{more}){age}")


def _expiring(facts: PlaceFacts, kept_ms: int | None, now_s: float) -> Iterator[Finding]:
    if kept_ms is None or kept_ms < 0:
        return
    for partition, oldest_ms in sorted(facts.oldest_ms.items()):
        left_s = (oldest_ms + kept_ms) / 1000 - now_s
        if 2000 * left_s < kept_ms:
            when = f"in {duration(left_s)}" if left_s > 0 else "at the next clean-up"
            level = Level.PROBLEM if left_s <= 0 else None
            seen = f"partition {partition}: the oldest unread record expires {when}"
            yield EXPIRING.found(f"{seen} (retention.ms {kept_ms})", level=level)


def _size_bound(facts: PlaceFacts) -> Iterator[Finding]:
    for partition, (low, high) in facts.bounds.items():
        lag = facts.lag(partition)
        if low > 0 and lag > _NEAR * (high - low):
            seen = f"partition {partition}: {lag:,} of the {high - low:,} records kept are unread"
            yield SIZE_BOUND.found(seen)


def judge_pointers(
    held: Sequence[StoreFacts], committed: Mapping[int, Committed]
) -> Iterator[Finding]:
    """Hold the newest checkpoints against the committed ones.

    Parameters
    ----------
    held : sequence of StoreFacts
        What the store holds, one for each model.
    committed : mapping of int to Committed
        What the group has committed.
    """
    for facts in held:
        scope = facts.place.scope
        mine = {p: place for p, place in committed.items() if scope in {GLOBAL, str(p)}}
        newest = Claims.of(mine, None).newest
        if newest is not None and facts.epoch > newest.epoch:
            seen = f"{facts.place}: epoch {newest.epoch} is committed, the store has {facts.epoch}"
            yield UNCOMMITTED.found(seen)
