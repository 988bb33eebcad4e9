"""How findings are shown: lines for a terminal, objects for JSON, and the table of the docs."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.text import Text

from consumers.doctor import (
    broker,
    client,
    clock,
    disk,
    examination,
    fights,
    group,
    librdkafka,
    rights,
    store,
    timing,
    topics,
)
from consumers.doctor.finding import Finding, Kind, Level

_MODULES: tuple[ModuleType, ...] = (
    *(
        client,
        fights,
        timing,
        librdkafka,
        store,
        disk,
        broker,
        topics,
        rights,
        clock,
        group,
        examination,
    ),
)
_STYLES = {
    Level.OK: "green",
    Level.SKIPPED: "dim",
    Level.NOTE: "cyan",
    Level.WARNING: "yellow",
    Level.PROBLEM: "bold red",
}
_WIDTH = 14


def kinds() -> list[Kind]:
    """Give every kind of finding there is, in the order in which they are looked at."""
    found = [value for module in _MODULES for value in vars(module).values()]
    return list(dict.fromkeys(value for value in found if isinstance(value, Kind)))


def table() -> str:
    """Write the kinds as a table in Markdown."""
    lines = ["| code | level | exit code | why it matters | mend |", "|---|---|---|---|---|"]
    for kind in kinds():
        code = kind.exit_code if kind.level in {Level.WARNING, Level.PROBLEM} else ""
        cells = f"`{kind.code}`", str(kind.level), str(code), kind.why, kind.mend
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def as_json(finding: Finding) -> dict[str, Any]:
    """Give a finding as JSON has it; `why` and `mend` are null where nothing is wrong."""
    return {
        "code": finding.code,
        "level": finding.level.value,
        "seen": finding.seen,
        "why": finding.why or None,
        "mend": finding.mend or None,
    }


def show(console: Console, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Write each finding as it comes, under its group, and hand it on."""
    group = ""
    for finding in findings:
        if finding.group != group:
            console.print(Text(finding.group, style="bold"))
            group = finding.group
        for line in _lines(finding):
            console.print(line, soft_wrap=True)
        yield finding


def _lines(finding: Finding) -> Iterator[Text]:
    head = Text("  ").append(f"{finding.level:<{_WIDTH}}", style=_STYLES[finding.level])
    yield head.append(finding.seen).append(f"  [{finding.code}]", style="dim")
    if finding.level in {Level.NOTE, Level.WARNING, Level.PROBLEM}:
        yield Text(f"  {'':<{_WIDTH}}why:  {finding.why}", style="dim")
        yield Text(f"  {'':<{_WIDTH}}mend: {finding.mend}")


def summary(findings: Iterable[Finding]) -> str:
    """Count the findings of each level, the worst first."""
    levels = [finding.level for finding in findings]
    counts = {level: levels.count(level) for level in reversed(Level)}
    return ", ".join(f"{count} {_plural(level, count)}" for level, count in counts.items() if count)


def _plural(level: Level, count: int) -> str:
    plain = level in {Level.OK, Level.SKIPPED} or count == 1
    return str(level) if plain else f"{level}s"


def exit_code(findings: Iterable[Finding], *, strict: bool) -> int:
    """Give the exit code of the worst problem; 0 where there is none.

    A bug of the doctor is worst (70), then what risks data (5), a group that is not free (4), Kafka
    (3) and the settings (2).

    Parameters
    ----------
    findings : iterable of Finding
    strict : bool
        Whether a warning counts as a problem.
    """
    counted = {Level.PROBLEM, Level.WARNING} if strict else {Level.PROBLEM}
    return max((each.exit_code for each in findings if each.level in counted), default=0)
