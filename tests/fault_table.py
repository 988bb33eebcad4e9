"""The table of faults and bad inputs in docs/guarantees.md: each with the tests that hold it.

A test names what it holds: `test_row_26_...`, `test_rows_23_and_37_...`, `test_rows_1_to_10_...`
for faults, `test_bad_input_4_...` for input. `python -m tests.fault_table` writes the tables anew.
"""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantees.md"
BEGIN, END = "<!-- tables: python -m tests.fault_table -->", "<!-- end of tables -->"
SHOWN = 4

FAULTS = (
    "kill -9 when records are read",
    "kill -9 when predictions are handed over",
    "kill -9 when events are learned, and nothing is saved",
    "kill -9 when predictions are acknowledged",
    "kill -9 while a checkpoint is written",
    "kill -9 when it is written, and not committed",
    "kill -9 when the offsets are in the transaction, and it is not committed",
    "kill -9 when the commit is done, before anything follows from it",
    "kill -9 while old checkpoints are deleted",
    "kill -9 while partitions are assigned or a model is restored",
    "SIGTERM: idle, in a batch, in a commit, in a restore",
    "SIGTERM twice; SIGINT",
    "frozen for longer than the session, then thawed",
    "members that join and leave",
    "all members restart together",
    "a static member restarts within its session",
    "two processes with the same `input.instance`",
    "commit refused: ILLEGAL_GENERATION",
    "commit refused: REBALANCE_IN_PROGRESS",
    "commit refused: UNKNOWN_MEMBER_ID",
    "commit refused: FENCED_INSTANCE_ID",
    "the coordinator moves, starts, or does not answer a commit",
    "commit refused: no right",
    "a commit of partitions that are no longer owned",
    "a leader moves while predictions are written",
    "a prediction that is too large for its topic",
    "the producer's queue is full",
    "all brokers are away",
    "a slow network",
    "leaders and coordinators move",
    "records removed by retention before they were read",
    "the topic is deleted and made anew",
    "partitions are added",
    "committed offsets expired, or the group was deleted",
    "somebody else reset the offsets",
    "a checkpoint is missing, cut, changed, of another model, newer, huge or a bomb",
    "the store is full, read-only, slow, forbidden or lists late",
    "the store's clock is wrong",
    "a transaction fails, is fenced, or nobody knows how it ended",
    "a transaction stays open longer than its time-out",
    "a callback of the client raises",
    "the model raises, or a row would make it non-finite",
    "a memory limit while a backlog is worked off",
    "a read that takes longer than `max.poll.interval.ms`",
    "the dead letter topic is missing or forbidden",
    "nothing but bad records",
    "the metrics port is taken; many scrapers",
    "the schema registry is away",
    "an upgrade of the checkpoint's format, and back",
    "kill -9 again and again",
)
INPUTS = (
    "truncated, empty, two documents",
    "`NaN` and `Infinity`",
    "`1e999`",
    "integers beyond 64 bits",
    "integers of thousands of digits",
    "finite numbers that would poison the model",
    "denormal numbers, minus zero",
    "a key twice",
    "invalid UTF-8",
    "a byte order mark, UTF-16",
    "a lone surrogate",
    "deep nesting",
    "null, a scalar or an array as the document",
    "a tombstone",
    "too few or too many features",
    "a feature missing, or one too many",
    "text, true or null where a number belongs",
    "an undeclared class",
    "a label of another kind",
    "a first batch of one class only",
    "no label",
    "a label that comes later",
    "a sample weight below zero or NaN",
    "the same id twice",
    "times out of order, in the future, negative, zero",
    "large values, keys and headers",
    "compressed payloads that expand",
    "a schema registry's header that is wrong",
    "Avro or Protobuf that is wrong",
    "control characters, right-to-left text, long ids",
    "headers that are not UTF-8, twice, or None",
    "constant features, batches without any row",
    "negative counts for MultinomialNB",
    "more and more categories",
    "labels that are flipped on purpose",
    "gaps between offsets",
    "nothing but bad records for a minute",
)
_NO_REGISTRY = "there is no schema registry yet: the settings refuse to name one"
REASONS = {
    ("row", 48): _NO_REGISTRY,
    ("bad_input", 22): "there is no labels topic yet: a label comes with its event or never",
    ("bad_input", 23): "there are no sample weights yet",
    ("bad_input", 24): "ids are not looked at yet: an event sent twice is learned twice",
    ("bad_input", 28): _NO_REGISTRY,
    ("bad_input", 29): "Avro and Protobuf are not read",
}
_TEST = re.compile(r"^ *def (test_\w+)\(", re.MULTILINE)
_ROWS = re.compile(r"_(rows?|bad_inputs?)_(\d+(?:_(?:and_|to_)?\d+)*)")


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.replace("_and_", "_").replace("_to_", "-").split("_"):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def held() -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Give the tests of each row: the file, and the test's name."""
    tests: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in _TEST.findall(path.read_text()):
            for kind, numbers in _ROWS.findall(name):
                for number in _numbers(numbers):
                    tests[kind.rstrip("s"), number].append((path.name, name))
    return tests


def _line(kind: str, number: int, title: str, tests: list[tuple[str, str]]) -> str:
    if not tests:
        return f"| {number} | {title} | none: {REASONS.get((kind, number), 'MISSING')} |"
    # The whole program on a broker tells more than a unit: those files come first.
    best = sorted(tests, key=lambda test: ("fault" not in test[0], test))[:SHOWN]
    names = ", ".join(f"`{name}`" for _, name in best)
    more = f" and {len(tests) - SHOWN} more" if len(tests) > SHOWN else ""
    return f"| {number} | {title} | {names}{more} |"


def tables() -> str:
    """Write both tables."""
    tests = held()
    lines = []
    for kind, heading, titles in (
        ("row", "Faults", FAULTS),
        ("bad_input", "Bad input", INPUTS),
    ):
        lines += [f"## {heading}", "", "| # | what happens | held by |", "|---|---|---|"]
        for number, title in enumerate(titles, 1):
            lines.append(_line(kind, number, title, tests[kind, number]))
        lines.append("")
    return "\n".join(lines)


def page() -> str:
    """Give the page with its tables as they should be."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
