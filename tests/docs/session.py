"""A page's blocks as one shell session: what is replaced in them, and the script they become."""

import csv
import functools
import itertools
import json
import lzma
import os
import re
import shlex
import stat
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.docs.kafka_tools import TOOLS
from tests.docs.pages import COMMAND, README, ROOT, SHELL, Block, blocks

SETTINGS_FILE = "my.toml"
TIMEOUT_S = 90.0
# What the README's settings keep checkpoints in, and its paths in a clone.
STORE = "/var/tmp/streamfit"  # noqa: S108 - replaced by a folder of the test's own
DATA = "producers/data"
CALLER = Path(__file__).with_name("caller.py")
_KAFKA_VARIABLES = re.compile(r"STREAMFIT_(?!TEST_)")


@dataclass
class Session:
    """Where a page's blocks run, and by which names.

    Parameters
    ----------
    folder : Path
        An empty folder: where commands run, and what they write.
    bootstrap_servers : str
        The broker.
    suffix : str
        What makes names of topics and groups unlike all others.
    nest : str
        Socket of the `nest` that carries out its commands; empty: each is a process of its own.
    ports : dict of str to int
        Port that a page names, as text, to a free one.
    """

    folder: Path
    bootstrap_servers: str
    suffix: str
    ports: Mapping[str, int]
    nest: str = ""
    tables: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "bin").mkdir()
        for tool in TOOLS:
            self._program(tool, f'exec {_python("kafka_tools")} {tool} "$@"')
        run = f'[ "${{1-}}" = run ] && exec {_python("running")} "$@"'
        self._program("streamfit", f'{run}\nexec {shlex.quote(COMMAND)} "$@"')
        if self.nest:
            call = f"exec {sys.executable} -I -S {CALLER} {self.nest}"
            for name in ("streamfit", *TOOLS):
                self._program(name, f'{call} {name} "$@"')
        for folder in ("producers", "deploy"):
            (self.folder / folder).symlink_to(ROOT / folder)

    def own(self, text: str) -> str:
        """Put this session's broker, topics, group, store and ports into the text of a page."""
        text = text.replace("localhost:9092", self.bootstrap_servers)
        text = text.replace(STORE, str(self.folder / "store"))
        for port, free in self.ports.items():
            text = re.sub(rf"(?<!\d){port}(?!\d)", str(free), text)
        text = re.sub(r"\b(events|predictions|sensors)\b(?!/s)", rf"\1-{self.suffix}", text)
        text = re.sub(r"--rate \d+", "--rate 100000", text)
        return re.sub(r"\belec2\b(?!\.)", f"elec2-{self.suffix}", text)

    def set_up(self) -> None:
        """Make the topics, and send the first events of Elec2."""
        client: dict[str, str | int | float | bool] = {"bootstrap.servers": self.bootstrap_servers}
        topics = [self.own(name) for name in ("events", "events.dlq", "predictions")]
        admin = AdminClient(client)  # its answers end with it
        made = admin.create_topics([NewTopic(name, 1) for name in topics])
        for each in made.values():
            each.result(30.0)
        producer = Producer(client)
        for event in elec2():
            producer.produce(topics[0], event)
        assert producer.flush(30.0) == 0

    def run(self, page_blocks: list[Block]) -> subprocess.CompletedProcess[str]:
        """Run the blocks in order; what was started is stopped at the end."""
        script = self.folder / "page.sh"
        script.write_text(self.script(page_blocks))
        try:
            return self._bash(str(script))
        finally:
            self._bash("-c", f"{_python('stopping')}")

    def script(self, page_blocks: list[Block]) -> str:
        """Write the blocks as one script."""
        lines = ["set -euo pipefail", "trap 'echo \"failed: the block at $block\" >&2' ERR"]
        for block in page_blocks:
            lines += [f"block={shlex.quote(block.place)}", *self._lines(block)]
        return "\n".join(lines) + "\n"

    def _lines(self, block: Block) -> list[str]:
        stop = [f"{_python('stopping')}"] if "stopped" in block.marks else []
        text = block.text
        if "replace" in block.marks:
            before, _, after = block.marks["replace"].partition(" -> ")
            assert before in text, f"{block.place}: {before!r} is not in the block"
            text = text.replace(before, after)
        text = self.own(text)
        if block.language == "toml":
            return [*stop, self._settings(tomllib.loads(text))]
        if block.language == "python":
            return [*stop, f"{sys.executable} -W error - <<'END_OF_BLOCK'\n{text}END_OF_BLOCK"]
        if "exit" in block.marks:
            return [*stop, _expecting(text, int(block.marks["exit"]))]
        return [*stop, text]

    def _settings(self, given: Mapping[str, Any]) -> str:
        """Take over what a block sets, and write the file; other keys stay as they were."""
        whole = "kafka" in given and "input" in given
        self.tables = {} if whole else self.tables
        for table, keys in given.items():
            self.tables[table] = {**self.tables.get(table, {}), **keys}
        self.tables.setdefault("metrics", {}).setdefault("port", next(iter(self.ports.values())))
        # Short epochs, so that there is something to go back to.
        checkpoint = self.tables.setdefault("checkpoint", {})
        self.tables["checkpoint"] = {"every": "1ms", "keep": 1000, **checkpoint}
        return f"cat >{SETTINGS_FILE} <<'END_OF_BLOCK'\n{_toml(self.tables)}END_OF_BLOCK"

    def _program(self, name: str, lines: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{lines}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def _bash(self, *words: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not _KAFKA_VARIABLES.match(k)}
        path = os.pathsep.join([str(self.folder / "bin"), kept["PATH"]])
        return subprocess.run(
            ["bash", *words],
            cwd=self.folder,
            env={**kept, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


@functools.cache
def elec2(n_events: int = 5_000) -> tuple[bytes, ...]:
    """Give the first events of Elec2, as the README's settings read them."""
    with lzma.open(ROOT / DATA / "elec2.csv.xz", "rt", encoding="utf-8") as lines:
        rows = list(itertools.islice(csv.DictReader(lines), n_events))
    return tuple(map(_event, rows))


def _event(row: dict[str, str]) -> bytes:
    label = row.pop("class")
    features = {name: float(text) for name, text in row.items()}
    return json.dumps({"label": label, "features": features}).encode()


def readme_settings() -> Block:
    """Give the settings of the README, which `my.toml` stands for in all other pages."""
    return next(block for block in blocks(README, "toml"))


def runnable(page: Path) -> list[Block]:
    """Give the blocks of a page that a session carries out."""
    return [block for block in blocks(page, *SHELL, "toml", "python") if block.runs]


def _python(module: str) -> str:
    return f"{shlex.quote(sys.executable)} -m tests.docs.{module}"


def _expecting(text: str, code: int) -> str:
    return (
        "trap - ERR; set +e\n"
        f"(\nset -e\n{text})\nended=$?\n"
        f"set -e; trap 'echo \"failed: the block at $block\" >&2' ERR\n"
        f'[ "$ended" = {code} ] || {{ echo "exit code $ended, not {code}" >&2; false; }}'
    )


def _toml(tables: Mapping[str, Any]) -> str:
    lines = []
    for table, keys in tables.items():
        lines += [f"[{table}]", *(f"{key} = {_value(value)}" for key, value in keys.items()), ""]
    return "\n".join(lines)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(k)} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value)
