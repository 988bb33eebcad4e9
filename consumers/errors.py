"""Every error that ends the program on purpose, and the exit code that tells which.

StreamfitError                70  a bug, if nothing below fits
├── SettingsError              2  the settings, the command line or what they name
├── KafkaUnreachableError      3  cannot reach or log in to Kafka, or a topic is not there
├── FencedError                4  another member holds the group, the instance or the id
└── DataPolicyError            5  going on would lose or learn something twice
    ├── CheckpointError            a checkpoint is missing, damaged or of another model
    ├── OffsetsLostError           committed offsets and checkpoints do not belong together
    └── DeadLetterLimitError       too many records were refused
"""

from typing import ClassVar


class StreamfitError(Exception):
    """An error with a message of one line for each problem: the key, the value and the mend."""

    exit_code: ClassVar[int] = 70


class SettingsError(StreamfitError):
    """The settings are wrong; `problems` holds one line for each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class KafkaUnreachableError(StreamfitError):
    """Kafka cannot be reached, refuses the login, or lacks a topic."""

    exit_code = 3


class FencedError(StreamfitError):
    """Another process took over; this one must not write any more."""

    exit_code = 4


class DataPolicyError(StreamfitError):
    """A policy in the settings says to stop rather than go on."""

    exit_code = 5


class CheckpointError(DataPolicyError):
    """A checkpoint is missing, damaged, or belongs to another model."""


class OffsetsLostError(DataPolicyError):
    """Committed offsets and checkpoints do not belong together."""


class DeadLetterLimitError(DataPolicyError):
    """Too many records were refused: something upstream is broken."""
