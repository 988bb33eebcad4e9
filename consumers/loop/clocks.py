"""Clocks, and the time that stages take by them. Nobody below asks the system for the time."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Clocks:
    """By which clocks things are measured.

    Attributes
    ----------
    steady : callable
        Seconds that never go back.
    wall : callable
        Seconds since 1970 UTC.
    """

    steady: Callable[[], float]
    wall: Callable[[], float]


@dataclass(slots=True)
class StageTimes:
    """Seconds spent in each stage.

    Parameters
    ----------
    clock : callable
        Gives seconds, never going back.
    """

    clock: Callable[[], float]
    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(init=False)

    def __post_init__(self) -> None:
        self._since = self.clock()

    def done(self, stage: str) -> None:
        """Put the time since the last call on a stage."""
        now = self.clock()
        self.seconds[stage] = now - self._since
        self._since = now
