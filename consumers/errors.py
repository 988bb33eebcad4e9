"""Every error that ends the program on purpose, and the exit code that tells which.

StreamfitError                70  a bug, if nothing below fits
├── SettingsError              2  the settings, the command line or what they name
├── KafkaUnreachableError      3  cannot reach or log in to Kafka, or a topic is not there
├── EpochLostError             3  the open epoch is void; going back to the last commit may help
│   ├── PostponedError            the group is being rebalanced: the same commit may do in a moment
│   └── UnansweredError           nobody knows what became of a commit, or a client: join anew
├── FencedError                4  another member holds the group, the instance or the id
│   └── InstanceHeldError         a dead member still holds the instance, until its session ends
└── DataPolicyError            5  going on would lose or learn something twice
    ├── CheckpointError            a checkpoint cannot be read, or is of another model
    │   └── DamagedCheckpointError it is missing or damaged
    ├── OffsetsLostError           committed offsets and checkpoints do not belong together
    └── DeadLetterLimitError       too many records were refused
"""

from typing import ClassVar

from metrics.facts import RollbackReason

THIS_IS_A_BUG = "this is a bug; nothing that was committed is lost, a restart goes on there"


class StreamfitError(Exception):
    """An error with a message of one line for each problem: the key, the value and the mend."""

    exit_code: ClassVar[int] = 70


BUG = StreamfitError.exit_code


def exit_code_of(error: Exception) -> int:
    """Give the code with which an error ends the program."""
    return error.exit_code if isinstance(error, StreamfitError) else BUG


class SettingsError(StreamfitError):
    """The settings are wrong; `problems` holds one line for each."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class KafkaUnreachableError(StreamfitError):
    """Kafka cannot be reached, refuses the login, or lacks a topic."""

    exit_code = 3


class EpochLostError(StreamfitError):
    """What is not committed is void: go back to the last commit, and try again.

    Parameters
    ----------
    reason : RollbackReason
        Why.
    message : str
        What happened, for people.
    """

    exit_code = 3

    def __init__(self, reason: RollbackReason, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class PostponedError(EpochLostError):
    """The group is being rebalanced: the epoch stands, its commit may do in a moment."""


class UnansweredError(EpochLostError):
    """Only a new membership will do: a commit may still arrive, or the client has ended."""


class FencedError(StreamfitError):
    """Another process took over; this one must not write any more."""

    exit_code = 4


class InstanceHeldError(FencedError):
    """The broker holds a dead member's instance until its session ends; try again until then."""


class DataPolicyError(StreamfitError):
    """A policy in the settings says to stop rather than go on."""

    exit_code = 5


class CheckpointError(DataPolicyError):
    """A checkpoint cannot be read, or belongs to another model."""


class DamagedCheckpointError(CheckpointError):
    """A checkpoint is missing or damaged; the one before it may be whole."""


class OffsetsLostError(DataPolicyError):
    """Committed offsets and checkpoints do not belong together."""


class DeadLetterLimitError(DataPolicyError):
    """Too many records were refused: something upstream is broken."""
