"""What keeps a dead letter from going back to the input topic, and the tally of those that went."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from consumers.dead_letters.letters import Letter, Position
from learners.rejections import Stage

NAMED = 10  # places told of the letters left for one cause


class Left(StrEnum):
    """Why a dead letter is not sent back."""

    NOT_THERE = "not_there"
    NOT_OURS = "not_ours"
    OTHER_TOPIC = "other_topic"
    PREDICTION = "prediction"
    CUT = "cut"
    NO_PARTITION = "no_partition"
    ATTEMPTS = "attempts"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Target:
    """Where dead letters go back to.

    Attributes
    ----------
    topic : str
        The input topic.
    partitions : int
        How many it has.
    max_attempts : int
        A letter that was replayed so often is left.
    """

    topic: str
    partitions: int
    max_attempts: int


@dataclass(slots=True)
class Outcome:
    """What became of the letters.

    Attributes
    ----------
    sent : int
        Acknowledged by Kafka; of a rehearsal, those that would have been sent.
    ranges : dict of int to (int, int)
        Partition of the dead letter topic to its first and last letter sent.
    left : dict of Left to int
        How many were not, and why.
    named : dict of Left to list of Position
        The first few of those.
    next_offsets : dict of int to int, or None
        Partition to where what was not looked at begins; None where single ones were chosen.
    stopped : bool
        Whether it was stopped before the last one.
    """

    sent: int = 0
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)
    left: dict[Left, int] = field(default_factory=dict)
    named: dict[Left, list[Position]] = field(default_factory=dict)
    next_offsets: dict[int, int] | None = field(default_factory=dict)
    stopped: bool = False

    def leave(self, at: Position, why: Left) -> None:
        """Note a letter that is not sent."""
        self.left[why] = self.left.get(why, 0) + 1
        places = self.named.setdefault(why, [])
        if len(places) < NAMED:
            places.append(at)

    def send(self, at: Position) -> None:
        """Note a letter that is."""
        first, last = self.ranges.get(at.partition, (at.offset, at.offset))
        self.ranges[at.partition] = (min(first, at.offset), max(last, at.offset))
        self.sent += 1


def obstacle(letter: Letter, target: Target) -> Left | None:
    """Tell what keeps a dead letter from being replayed; None if nothing does."""
    if letter.stage is None:
        return Left.NOT_OURS
    if letter.stage == Stage.PRODUCE:  # before the topic: a prediction's letter does not tell it
        return Left.PREDICTION
    if letter.origin.topic != target.topic:
        return Left.OTHER_TOPIC
    if letter.cut:
        return Left.CUT
    if letter.key.data is None and letter.origin.partition not in range(target.partitions):
        return Left.NO_PARTITION
    return Left.ATTEMPTS if letter.attempts >= target.max_attempts else None


def how_to_go_on(outcome: Outcome, missing: Sequence[Position] = ()) -> str:
    """Write as the command line takes it where the next replay is to begin.

    Parameters
    ----------
    outcome : Outcome
        Of this one.
    missing : sequence of Position
        What must be sent again.
    """
    if outcome.next_offsets is None:
        return " ".join(f"--partition-offset {at}" for at in sorted(missing))
    begins = dict(outcome.next_offsets)
    for at in missing:
        begins[at.partition] = min(at.offset, begins.get(at.partition, at.offset))
    return " ".join(f"--from-offset {p}:{at}" for p, at in sorted(begins.items()))
