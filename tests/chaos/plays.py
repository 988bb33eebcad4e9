"""Honest runs for tests of the checker, and what it finds in them."""

import re
from functools import cache
from typing import Any

from tests.chaos.checker import check
from tests.chaos.evidence import Evidence
from tests.chaos.honest import HonestRun, Raw, events, finish
from tests.chaos.violations import Violation


def raw(count: int = 60, bare: float = 0.2) -> list[Raw]:
    made = events(count, bare=bare)
    extra: list[Raw] = [(b"k", b"{"), (b"k", None), (None, made[5][1]), (b"k", b"")]
    return [*made[:10], *extra, *made[10:]]


@cache
def played(
    scope: str = "global", delivery: str = "at_least_once", partitions: int = 3, crashes: int = 0
) -> tuple[Evidence, HonestRun]:
    run = HonestRun(raw(), partitions, scope, delivery)
    return finish(run, crashes=crashes), run


def found_in(
    evidence: Evidence, delivery: str = "at_least_once", scope: str = "global", **more: Any
) -> list[Violation]:
    return check(evidence, delivery=delivery, scope=scope, **more)


def has(found: list[Violation], rule: str, text: str) -> bool:
    return any(each.rule == rule and re.search(text, each.text) for each in found)
