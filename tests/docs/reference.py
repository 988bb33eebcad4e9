"""Writes docs/reference: `python -m tests.docs.reference`.

The settings come from the models that check them (`consumers/settings.py`, `consumers/config/`);
what a key means is the text under it there. The commands come from the command line itself.
"""

from pathlib import Path

from tests.docs import cli_reference, settings_reference
from tests.docs.pages import DOCS

FOLDER = DOCS / "reference"


def pages() -> dict[Path, str]:
    """Give each page of the reference, as it should be."""
    return {
        FOLDER / "settings.md": settings_reference.page(),
        FOLDER / "cli.md": cli_reference.page(),
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text)
