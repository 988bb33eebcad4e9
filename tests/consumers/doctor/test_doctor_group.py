from dataclasses import replace
from typing import Any

from consumers.checkpoints.pointer import Pointer
from consumers.checkpoints.series import Place
from consumers.doctor import group
from consumers.doctor.facts import (
    HIDDEN,
    GroupFacts,
    MemberFacts,
    PartitionFacts,
    PlaceFacts,
    TopicFacts,
)
from consumers.doctor.finding import Finding, Level
from consumers.doctor.store import StoreFacts
from consumers.kafka.source import Committed
from consumers.settings import from_tables
from tests.settings_tables import tables

NOW_S = 10_000.0
HOUR_MS = 3_600_000
CAUGHT_UP = PlaceFacts({0: Committed(50, ""), 1: Committed(50, "")}, {0: (0, 50), 1: (0, 50)})


def events(**configs: str) -> TopicFacts:
    told = {key.replace("_", "."): value for key, value in configs.items()}
    return TopicFacts("input.topic", "events", (PartitionFacts(0, 1, 1, 1),), told)


def judged(facts: GroupFacts | None, changes: dict[str, Any] | None = None) -> dict[str, Finding]:
    found = group.judge(from_tables(tables(changes)), facts)
    return {each.code: each for each in found}


def placed(
    facts: PlaceFacts, topic: TopicFacts | None = None, changes: dict[str, Any] | None = None
) -> dict[str, Finding]:
    found = group.judge_place(from_tables(tables(changes)), facts, topic, NOW_S)
    return {each.code: each for each in found}


def test_members_are_named_with_what_they_own() -> None:
    member = MemberFacts("id-1", "pod-0", "streamfit", "/10.0.0.1", (0, 2))
    found = judged(GroupFacts("stable", (member,)))["group.members"]
    assert found.level is Level.NOTE
    assert "pod-0 on 10.0.0.1 (partitions: 0, 2)" in found.seen
    assert judged(GroupFacts("empty"))["group.members"].level is Level.OK
    for hidden in (None, GroupFacts(HIDDEN, operations=frozenset())):
        assert judged(hidden)["group.members"].level is Level.SKIPPED


def test_groups_with_names_that_could_give_the_same_transactional_id_are_noted() -> None:
    facts = GroupFacts("empty", similar=("tests-2",))
    found = judged(facts, {"output.delivery": "exactly_once"})
    assert found["group.similar_names"].level is Level.NOTE
    assert "group.similar_names" not in judged(facts)


def test_a_group_that_has_learned_everything_is_well() -> None:
    assert placed(CAUGHT_UP)["group.lag"].level is Level.OK


def test_a_new_group_is_well() -> None:
    found = placed(replace(CAUGHT_UP, committed={0: Committed(None, ""), 1: Committed(None, "")}))
    assert found["group.lag"].level is Level.OK
    assert "100 records" in found["group.lag"].seen


def behind(age_s: float) -> PlaceFacts:
    return replace(
        CAUGHT_UP,
        bounds={0: (10, 90), 1: (0, 50)},
        oldest_ms={0: int((NOW_S - age_s) * 1000)},
    )


def test_a_lag_is_told_in_records_and_in_time() -> None:
    found = placed(behind(90.0))["group.lag"]
    assert found.level is Level.NOTE
    assert "40 records" in found.seen
    assert "partition 0: 40" in found.seen
    assert "1.5 min old" in found.seen


def test_unread_records_near_their_end_are_a_warning_and_past_it_a_problem() -> None:
    kept = events(retention_ms=str(HOUR_MS))
    assert "group.expiring" not in placed(behind(600.0), kept)
    soon = placed(behind(3000.0), kept)["group.expiring"]
    assert soon.level is Level.WARNING
    assert "in 10.0 min" in soon.seen
    assert placed(behind(4000.0), kept)["group.expiring"].level is Level.PROBLEM
    assert "group.expiring" not in placed(behind(4000.0), events(retention_ms="-1"))


def test_records_that_are_gone_are_a_problem_unless_they_may_be_skipped() -> None:
    facts = replace(CAUGHT_UP, bounds={0: (60, 90), 1: (0, 50)})
    found = placed(facts)["group.gap"]
    assert (found.level, found.exit_code) == (Level.PROBLEM, 5)
    assert "partition 0: 10" in found.seen
    skipped = placed(facts, changes={"learning.on_gap": "skip"})["group.gap"]
    assert skipped.level is Level.WARNING


def test_a_group_near_the_log_start_of_a_topic_bound_by_size_is_a_warning() -> None:
    facts = replace(CAUGHT_UP, bounds={0: (45, 90), 1: (0, 50)})
    found = placed(facts, events(retention_bytes="1000000"))
    assert found["group.size_bound"].level is Level.WARNING
    assert "group.size_bound" not in placed(facts, events(retention_bytes="-1"))


def test_a_checkpoint_newer_than_the_committed_one_is_noted() -> None:
    pointer = Pointer("tests/events/global/x", "0" * 64, 7, 1).to_metadata()
    committed = {0: Committed(50, pointer), 1: Committed(None, "")}
    for scope in ("global", "0"):
        place = Place("tests", "events", scope)
        (found,) = group.judge_pointers([StoreFacts(place, 2, 1, epoch=8)], committed)
        assert (found.code, found.level) == ("group.uncommitted", Level.NOTE)
        assert not list(group.judge_pointers([StoreFacts(place, 2, 1, epoch=7)], committed))
    other = StoreFacts(Place("tests", "events", "1"), 2, 1, epoch=8)
    assert not list(group.judge_pointers([other], committed))
