import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from consumers.doctor import views
from consumers.doctor.examination import bounded
from consumers.doctor.finding import Finding, Kind, Level
from consumers.errors import CheckpointError

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "doctor.md"
OK = Finding("broker.reachable", Level.OK, "answers")
WARNING = Finding("topics.compacted", Level.WARNING, "compact", "lost", "delete", 3)
PROBLEM = Finding("settings.model", Level.PROBLEM, "no model", "no run", "mend it", 2)


@pytest.mark.parametrize(
    ("findings", "strict", "code"),
    [
        ([OK], False, 0),
        ([OK, WARNING], False, 0),
        ([OK, WARNING], True, 3),
        ([WARNING, PROBLEM], False, 2),
        ([WARNING, PROBLEM], True, 3),
        ([], True, 0),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    findings: list[Finding],
    strict: bool,  # noqa: FBT001 - a parameter of the test
    code: int,
) -> None:
    assert views.exit_code(findings, strict=strict) == code


def test_json_has_every_part_of_a_finding() -> None:
    assert views.as_json(WARNING) == {
        "code": "topics.compacted",
        "level": "warning",
        "seen": "compact",
        "why": "lost",
        "mend": "delete",
    }
    assert views.as_json(OK)["mend"] is None


def test_findings_are_shown_under_their_groups_an_ok_in_one_line() -> None:
    console = Console(file=io.StringIO(), width=40)
    assert list(views.show(console, [OK, WARNING])) == [OK, WARNING]
    out = console.file
    assert isinstance(out, io.StringIO)
    assert out.getvalue().splitlines() == [
        "broker",
        "  ok            answers  [broker.reachable]",
        "topics",
        "  warning       compact  [topics.compacted]",
        "                why:  lost",
        "                mend: delete",
    ]


def test_levels_are_coloured_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, color_system="standard")
    list(views.show(console, [WARNING]))
    out = console.file
    assert isinstance(out, io.StringIO)
    assert "\x1b[33mwarning" in out.getvalue()


def test_the_summary_counts_the_worst_first() -> None:
    assert views.summary([OK, OK, WARNING, PROBLEM, PROBLEM]) == "2 problems, 1 warning, 2 ok"


def test_a_section_that_breaks_keeps_what_it_found_and_is_told() -> None:
    def look() -> Iterator[Finding]:
        yield OK
        raise ZeroDivisionError

    first, second = bounded("broker", look)
    assert first is OK
    assert (second.code, second.exit_code) == ("doctor.failed", 70)


def test_a_section_that_cannot_be_asked_ends_with_the_code_of_its_error() -> None:
    def look() -> Iterator[Finding]:
        yield from ()
        raise CheckpointError("broken")

    (found,) = bounded("store", look)
    assert (found.code, found.level, found.exit_code) == ("doctor.unanswered", Level.PROBLEM, 5)


def test_a_section_that_takes_too_long_is_left_behind() -> None:
    import threading  # noqa: PLC0415

    never = threading.Event()

    def look() -> Iterator[Finding]:
        yield OK
        never.wait()

    found = bounded("broker", look, seconds=0.2)
    never.set()
    assert [each.code for each in found] == ["broker.reachable", "doctor.unanswered"]


def test_each_kind_has_a_code_of_its_own_a_reason_and_a_mend() -> None:
    kinds = views.kinds()
    assert len({kind.code for kind in kinds}) == len(kinds) > 50
    for kind in kinds:
        assert re.fullmatch(r"[a-z]+\.[a-z_]+", kind.code)
        assert kind.why
        assert kind.mend
        assert isinstance(kind, Kind)


def test_the_page_has_the_table_of_all_findings() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert views.table() in text, f"put this into {PAGE.name}:\n{views.table()}"


def test_each_kind_of_finding_has_a_test() -> None:
    files = [*Path(__file__).parent.glob("*.py"), *(ROOT / "tests").glob("integration/*doctor*")]
    tested = "".join(path.read_text(encoding="utf-8") for path in files)
    named = {kind.code for kind in views.kinds()}
    without = {c for c in named if c not in tested and f'"{c.partition(".")[2]}"' not in tested}
    assert not without
