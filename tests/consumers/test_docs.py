import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

from consumers.checkpoints.series import Lineage
from consumers.cli import app
from consumers.settings import Settings, load
from consumers.wiring import checkpoints_of, decoder_of, learning_of
from learners.events import EventBatch, Records
from metrics.names import Metric
from tests import fault_table

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Where the README's settings keep checkpoints.
STORE = "/var/tmp/streamfit"  # noqa: S108 - replaced by a folder of the test's own


# Endings of files that are called as a table of the settings is.
NO_KEYS = ("bin", "json", "md", "py", "skops", "toml")


def blocks(language: str, path: Path = README) -> list[str]:
    """Give the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)


def named_commands(path: Path) -> list[list[str]]:
    """Give the words of each `streamfit ...` in a fenced block or between backticks."""
    text = path.read_text()
    lines = [line for block in blocks(r"\w*", path) for line in block.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", text)
    lines = [line.partition(" #")[0].strip() for line in lines]
    calls = [re.match(r"(?:\.venv/bin/)?streamfit +(.+)", line) for line in lines]
    return [call[1].split() for call in calls if call]


def command_of(words: list[str]) -> Any:
    """Find the command that some words call; commands of a group stand below it."""
    found: Any = typer.main.get_command(app)
    for word in words:
        below = getattr(found, "commands", {})
        if not below:
            break
        assert word in below, f"streamfit {' '.join(words)}"
        found = below[word]
    return found


def options_of(words: list[str]) -> set[str]:
    return {name for option in command_of(words).params for name in option.opts}


def long_options(words: list[str]) -> set[str]:
    return {word.partition("=")[0] for word in words if word.startswith("--")}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Give the README's settings, with checkpoints in a folder of the test's own."""
    (block,) = blocks("toml")
    path = tmp_path / "my.toml"
    path.write_text(block)
    return load(path, [f"checkpoint.store=file://{tmp_path}"])


def saved_learner(settings: Settings) -> Any:
    """Save a model before it has learned, and after; give its learner."""
    learning = learning_of(settings)
    rng = np.random.default_rng(0)
    n = 50
    zeros = np.zeros(n, dtype=np.int64)
    batch = EventBatch(
        X=rng.normal(size=(n, len(settings.schema_.features))),
        y=rng.integers(0, 2, n),
        labelled=np.ones(n, dtype=np.bool_),
        ids=list(range(n)),
        keys=[None] * n,
        time_ms=zeros,
        partitions=zeros,
        offsets=np.arange(n),
        rows=np.arange(n),
    )
    checkpoints = checkpoints_of(settings)
    parent = checkpoints.save(learning.snapshot(), {0: 0}, Lineage(), None)
    learning.learner.test_then_train(batch)
    checkpoints.save(learning.snapshot(), {0: n}, Lineage(parent, parent.epoch), None)
    return learning.learner


def test_the_settings_file_of_the_readme_loads(settings: Settings) -> None:
    assert settings.input.group == "elec2"
    assert learning_of(settings).learner.path == "compiled"


def test_the_smallest_settings_file_of_the_readme_has_no_section_to_spare(
    settings: Settings,
) -> None:
    (block,) = blocks("toml")
    sections = set(re.findall(r"^\[+(\w+)", block, re.MULTILINE))
    required = {
        field.alias or name
        for name, field in type(settings).model_fields.items()
        if field.is_required()
    }
    assert sections == required


def test_the_event_of_the_readme_decodes_under_its_settings(settings: Settings) -> None:
    event, prediction = blocks("json")
    zero = np.zeros(1, dtype=np.int64)
    records = Records("events", [event.encode()], [None], zero, zero, zero, lambda _: [])
    decoded = decoder_of(settings).decode(records)
    assert not decoded.rejections
    assert decoded.batch.labelled.all()
    assert '"prediction"' in prediction


def test_the_python_lines_of_the_readme_open_a_checkpoint(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    learner = saved_learner(settings)
    (block,) = blocks("python")
    assert STORE in block
    scope: dict[str, Any] = {}
    exec(block.replace(STORE, str(tmp_path)), scope)  # noqa: S102 - the project's own page
    assert np.array_equal(scope["model"][-1].coef_, learner.pipeline[-1].coef_)
    assert "[[" in capsys.readouterr().out


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_that_a_page_names_exists_with_its_options(path: Path) -> None:
    for words in named_commands(path):
        if words[0].startswith("-"):
            continue
        unknown = long_options(words) - options_of(words)
        assert not unknown, f"{path.name}: streamfit {' '.join(words)}"


def test_the_readme_names_every_command() -> None:
    group: Any = typer.main.get_command(app)
    named = {words[0] for words in named_commands(README)} | {"demo"}  # which make starts
    assert named == set(group.commands)


def test_the_options_that_make_demo_hands_on_exist() -> None:
    arguments = re.findall(r'make demo ARGS="([^"]+)"', README.read_text())
    assert arguments
    for text in arguments:
        assert not long_options(text.split()) - options_of(["demo"])


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_target_of_make_that_a_page_names_exists(path: Path) -> None:
    text = "\n".join(blocks(r"\w*", path) + re.findall(r"`([^`\n]+)`", path.read_text()))
    named = set(re.findall(r"^ *make ([a-z][a-z-]*)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_every_module_that_the_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = re.findall(r"\b((?:consumers|producers|metrics|learners|tests)/[\w/.]*)", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_file_that_the_architecture_names_by_its_name_alone_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = ("consumers", "producers", "metrics", "learners")
    there = {path.name for package in packages for path in (ROOT / package).rglob("*.py")}
    assert set(re.findall(r"`(\w+\.py)`", text)) <= there


def test_the_tables_of_faults_are_up_to_date_and_every_row_is_held_or_has_its_reason() -> None:
    assert fault_table.PAGE.read_text() == fault_table.page(), "python -m tests.fault_table"
    assert "MISSING" not in fault_table.tables()


def test_the_metrics_that_the_readme_asks_for_exist() -> None:
    (pattern,) = re.findall(r"/metrics \| grep -E '([^']+)'", README.read_text())
    names = [metric.sample_name for metric in Metric]
    for part in pattern.split("|"):
        assert any(part in name for name in names), part


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_the_settings_that_a_page_names_exist(path: Path) -> None:
    sections = {field.alias or name: field for name, field in Settings.model_fields.items()}
    named = re.findall(r"(?:`|--set )(\w+)\.(\w+)(?: ?=|`)", path.read_text())
    assert named or path != README
    for section, key in named:
        if section in sections and key not in NO_KEYS:
            known = getattr(sections[section].annotation, "model_fields", {})
            assert key in known, f"{path.name}: {section}.{key}"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_the_metrics_that_a_page_names_exist(path: Path) -> None:
    shown = {metric.sample_name for metric in Metric}
    shown |= {f"{name}_{part}" for name in shown for part in ("bucket", "sum", "count")}
    named = set(re.findall(r"\bstreamfit_[a-z_]+[a-z]\b(?!\()", path.read_text()))
    assert named <= shown, f"{path.name}: {sorted(named - shown)}"
