"""The table `[log]`: what is logged on standard error, and in which form."""

import logging
from typing import Literal

from consumers.config.sections import Section


class LogSection(Section):
    """How a run tells what it does."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written."""
    format: Literal["auto", "json", "text"] = "auto"
    """`"auto"`: sentences on a terminal, JSON elsewhere."""

    @property
    def number(self) -> int:
        """The least severe level that is shown, as `logging` counts."""
        return logging.getLevelNamesMapping()[self.level.upper()]

    @property
    def as_json(self) -> bool | None:
        """Whether lines are JSON; None where that depends on the terminal."""
        return None if self.format == "auto" else self.format == "json"
