"""Every block of the documentation does what its page says, on a real broker."""

import json
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumers.settings import from_tables
from tests.brokers.kafka import Kafka
from tests.brokers.server import free_port
from tests.docs.pages import COMMAND, PAGES, README, ROOT, SHELL, Block, blocks
from tests.docs.session import Session, readme_settings, runnable

RUN = [page for page in PAGES if any(block.language in SHELL for block in runnable(page))]
NEEDS = [b for page in PAGES for b in blocks(page, *SHELL) if not b.runs]
SETTINGS = [b for page in PAGES for b in blocks(page, "toml")]
RECORDS = [b for page in PAGES for b in blocks(page, "json")]
LANGUAGES = {"", *SHELL, "toml", "json", "python", "promql", "yaml", "text"}
KINDS = {"docker", "kubernetes", "make", "cluster", "network", "prometheus"}
# Pages that begin with nothing but a broker.
FROM_NOTHING = (README, ROOT / "docs" / "how-to" / "your-kafka.md")
RUNNING = "streamfit run my.toml\n"


def scene(page: Path, session: Session) -> list[Block]:
    """Make what is there before the first block of a page; gives the blocks that do the rest.

    Pages take a job that has learned something, and is running.
    """
    if page in FROM_NOTHING:
        return []
    session.set_up()
    return [readme_settings(), Block(README, 0, "sh", RUNNING)]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def nest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the socket of a process that has loaded the program, and carries out commands."""
    address = tmp_path_factory.mktemp("nest") / "socket"
    command = [sys.executable, "-m", "tests.docs.nest", str(address)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            deadline = time.monotonic() + 120.0
            while not address.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield str(address)
        finally:
            process.terminate()


@pytest.mark.integration
@pytest.mark.parametrize("page", RUN, ids=name)
def test_the_blocks_of_a_page_run_in_order(
    page: Path, kafka: Kafka, nest: str, tmp_path: Path
) -> None:
    # The front page is tested with processes of the installed command, as its readers start them.
    served = "" if page == README else nest
    ports = {"9108": free_port(), "9109": free_port()}
    session = Session(tmp_path, kafka.bootstrap_servers, kafka.unique("docs"), ports, served)
    done = session.run([*scene(page, session), *runnable(page)])
    log = tmp_path / "runs.log"
    told = log.read_text()[-3000:] if log.exists() else ""
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{told}"


@pytest.mark.parametrize("block", NEEDS, ids=lambda block: block.place)
def test_a_block_that_cannot_run_here_is_well_formed_and_names_what_is_there(block: Block) -> None:
    assert block.marks["needs"] in KINDS
    checked = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, f"{block.place}: {checked.stderr}"
    for path in re.findall(r"(?<![\w/.:-])((?:deploy|docs|producers|tests)/[\w./-]+)", block.text):
        assert (ROOT / path).exists(), f"{block.place}: {path}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_says_what_it_is_in_a_word_that_tests_know(page: Path) -> None:
    for block in blocks(page):
        assert block.language in LANGUAGES, block.place


@pytest.mark.parametrize("block", SETTINGS, ids=lambda block: block.place)
def test_settings_on_a_page_load_alone_or_over_those_of_the_readme(block: Block) -> None:
    given = tomllib.loads(block.text)
    tables = {} if "kafka" in given and "input" in given else tomllib.loads(readme_settings().text)
    for table, keys in given.items():
        tables[table] = {**tables.get(table, {}), **keys}
    assert from_tables(tables).topics


@pytest.mark.parametrize("block", RECORDS, ids=lambda block: block.place)
def test_every_line_of_a_block_of_records_is_json(block: Block) -> None:
    for line in block.text.splitlines():
        assert json.loads(line), block.place


def test_the_command_that_pages_call_is_the_one_that_is_tested() -> None:
    assert Path(COMMAND).exists()
    assert shutil.which("bash")
