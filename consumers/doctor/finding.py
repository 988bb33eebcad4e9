"""What the doctor tells: kinds of findings, and one of them; not what is looked at."""

from dataclasses import dataclass
from enum import StrEnum

from consumers.errors import DataPolicyError, KafkaUnreachableError, SettingsError, StreamfitError

SETTINGS = SettingsError.exit_code
KAFKA = KafkaUnreachableError.exit_code
DATA = DataPolicyError.exit_code


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    SKIPPED = "not looked at"
    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    code : str
        Never changes; what stands before the dot is its group.
    level : Level
    seen : str
        What was found, with its figures, on one line.
    why : str
        Why it matters; empty where nothing is wrong.
    mend : str
        What to do about it; the same.
    exit_code : int
        What the program ends with, where this counts as a problem.
    """

    code: str
    level: Level
    seen: str
    why: str = ""
    mend: str = ""
    exit_code: int = 0

    @property
    def group(self) -> str:
        """What it is about: `broker`, `topics`, ..."""
        return self.code.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding.

    Attributes
    ----------
    code, why, mend, exit_code
        As in `Finding`.
    level : Level
        Which it has where something is wrong, unless that depends on how wrong it is.
    """

    code: str
    level: Level
    why: str
    mend: str
    exit_code: int = DATA

    def ok(self, seen: str) -> Finding:
        """Tell that it was looked at, and is as it should be."""
        return Finding(self.code, Level.OK, seen)

    def found(
        self, seen: str, *, level: Level | None = None, exit_code: int | None = None
    ) -> Finding:
        """Tell that something is wrong; `level` and `exit_code` only where they differ."""
        code = self.exit_code if exit_code is None else exit_code
        return Finding(self.code, level or self.level, seen, self.why, self.mend, code)

    def of_error(self, error: StreamfitError) -> Finding:
        """Tell an error that would end a run; its own text says the mend."""
        seen = " ".join(str(error).splitlines())
        return self.found(seen, exit_code=error.exit_code)

    def skipped(self, seen: str) -> Finding:
        """Tell that it could not be looked at."""
        return Finding(self.code, Level.SKIPPED, seen, self.why, self.mend)
