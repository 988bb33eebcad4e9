"""The pages of the documentation: their fenced blocks, headings and links.

A comment in front of a block says how a test treats it; no reader sees it:

`<!-- needs: docker -->`
    takes what a test does not have (docker, kubernetes, make, a cluster): its syntax is checked,
    and that the files which it names are there.
`<!-- exit: 5 -->`
    its last command ends with this code.
`<!-- stopped -->`
    whatever `streamfit run` was started before is stopped first, as the text tells the reader to.
`<!-- replace: 42 -> 1 -->`
    this text of the block is another one in a test.

Blocks without a comment, such as those of the front page, may be treated so by what they hold:
`BY_TEXT`.
"""

import re
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
COMMAND = str(Path(sys.executable).parent / "streamfit")
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
SHELL = ("sh", "bash")
BY_TEXT = {
    "make demo ": {"needs": "make"},
    "models rollback my.toml 42": {"stopped": "", "replace": "my.toml 42 -> my.toml 1"},
    # What it warns of is the machine's.
    "doctor my.toml --strict": {"replace": "--strict -> --strict || true"},
}
_FENCE = re.compile(r"^( *)```([\w-]*)[^\n]*\n(.*?)^\1```[ ]*$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- (needs|exit|stopped|replace)(?:: (.+?))? -->\s*\Z")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
_LINK = re.compile(r"\]\(<?([^)>\s]+)>?\)|(?:src|href)=\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, and what the comments in front of it say.

    Attributes
    ----------
    page : Path
        Where it stands.
    line : int
        Line of its fence, from 1.
    language : str
        What stands behind the fence.
    text : str
        Its lines, without the indentation of the fence.
    marks : dict of str to str
        The comments, by their first word.
    """

    page: Path
    line: int
    language: str
    text: str
    marks: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where it stands, as `docs/metrics.md:17`."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def runs(self) -> bool:
        """Whether a test can carry it out."""
        return "needs" not in self.marks


def blocks(page: Path, *languages: str) -> list[Block]:
    """Give the fenced blocks of a page, in order; of these languages alone if any is named."""
    text = page.read_text()
    found = []
    for fence in _FENCE.finditer(text):
        if languages and fence[2] not in languages:
            continue
        line = text.count("\n", 0, fence.start()) + 1
        lines = textwrap.dedent(fence[3])
        marks = _marks(text[: fence.start()]) or _marks_by_text(lines)
        found.append(Block(page, line, fence[2], lines, marks))
    return found


def _marks(before: str) -> dict[str, str]:
    marks: dict[str, str] = {}
    while (found := _MARK.search(before)) is not None:
        marks[found[1]] = found[2] or ""
        before = before[: found.start()]
    return marks


def _marks_by_text(block: str) -> dict[str, str]:
    return next((marks for text, marks in BY_TEXT.items() if text in block), {})


def without_blocks(page: Path) -> str:
    """Give the text of a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text())


def anchors(page: Path) -> set[str]:
    """Give what a link may name behind `#`, as GitHub makes it of headings."""
    found: dict[str, int] = {}
    made = set(re.findall(r'<a (?:id|name)="([^"]+)"', page.read_text()))
    for heading in _HEADING.findall(without_blocks(page)):
        anchor = _anchor(heading)
        repeated = found.get(anchor, 0)
        found[anchor] = repeated + 1
        made.add(f"{anchor}-{repeated}" if repeated else anchor)
    return made


def _anchor(heading: str) -> str:
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def links(page: Path) -> list[str]:
    """Give the targets of all links and pictures of a page that lead to no other site."""
    text = re.sub(r"`[^`\n]*`", "", without_blocks(page))
    targets = [first or second for first, second in _LINK.findall(text)]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]
