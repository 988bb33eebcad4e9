"""One broken promise, in words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that a run broke.

    Attributes
    ----------
    rule : str
        `"O1"` to `"O8"`.
    text : str
        What exactly, with partition, offset and version.
    """

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"
