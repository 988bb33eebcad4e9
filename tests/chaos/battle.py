"""What every fault needs: the clock that drives traffic, watching and waiting, and who works."""

import time
from collections.abc import Callable

from tests.brokers.kafka import Kafka
from tests.chaos.fleet import Fleet, last_words
from tests.chaos.ground import Ground
from tests.chaos.killer import Plan
from tests.chaos.tally import Tally
from tests.chaos.traffic import Traffic

TICK_S = 0.03
SAMPLE_S = 0.05
PATIENCE_S = 60.0
RANDOM = "random"


class OverdueError(Exception):
    """Something did not happen in time."""


class Battle:
    """Replicas at work on a stream of events, while somebody attacks them.

    Parameters
    ----------
    ground : Ground
        Where.
    fleet : Fleet
        Who.
    traffic : Traffic
        On what.
    broker : Kafka
        May be killed by a fault, where it is ours.
    plan : Plan
        What is to come.

    Attributes
    ----------
    wanted : list of str
        Replicas that are to be up when no fault keeps them down.
    fallen : str or None
        The replica that was killed last, while its place in the group is still its own.
    tally : Tally
        What happened so far.
    """

    def __init__(
        self, ground: Ground, fleet: Fleet, traffic: Traffic, broker: Kafka, plan: Plan
    ) -> None:
        self.ground, self.fleet, self.broker = ground, fleet, broker
        self.tally = Tally(plan.delivery, plan.scope, plan.static)
        self.wanted = [f"r{number}" for number in range(plan.replicas)]
        self.fallen: str | None = None
        self._traffic = traffic
        self._mark = 0
        self._next_sample_s = 0.0

    def tick(self) -> None:
        """Let a moment pass: events are written, ends are noticed, offsets are looked at."""
        time.sleep(TICK_S)
        now = time.monotonic()
        self._traffic.pump(now, self.ground.committed)
        self.fleet.watch()
        if now >= self._next_sample_s:
            self.ground.sample()
            self._next_sample_s = time.monotonic() + SAMPLE_S

    def wait_until(
        self, condition: Callable[[], bool], what: str, timeout_s: float = PATIENCE_S
    ) -> float:
        """Wait; gives the seconds that it took.

        Raises
        ------
        OverdueError
            With the last words of every replica.
        """
        start_s = time.monotonic()
        while not condition():
            if time.monotonic() - start_s > timeout_s:
                told = [last_words(each) for each in self.fleet.replicas.values()]
                raise OverdueError("\n".join([f"not in {timeout_s:.0f} s: {what}", *told]))
            self.tick()
        return time.monotonic() - start_s

    def pause(self, seconds: float) -> None:
        """Go on for some time."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.tick()

    def begin(self) -> None:
        """Start everyone, the first one first: it has work before the others look around."""
        self.fleet.start(self.wanted[0])
        self.worker(0)
        self.everyone_up()

    def everyone_up(self) -> None:
        """Start every replica that is wanted and down."""
        for name in self.wanted:
            self.fleet.start(name)

    def progress(self) -> None:
        """Wait until the committed offsets have moved since the last kill."""
        self.wait_until(lambda: self.ground.committed > self._mark, "the committed offsets move")

    def moved(self, partitions: set[int]) -> Callable[[], bool]:
        """Give what tells whether the offset of one of these partitions moves from now on."""
        self.ground.sample()
        before = {partition: self.ground.offset(partition) for partition in partitions}
        return lambda: any(self.ground.offset(p) > offset for p, offset in before.items())

    def worker(self, number: int) -> tuple[str, set[int]]:
        """Wait until replicas work; choose one of them; gives it and its partitions.

        A static member that is down, or starts, still has its partitions in the group's eyes: so
        one of them must move.
        """
        found: list[tuple[str, set[int]]] = []

        def there() -> bool:
            members = self.ground.members()
            found[:] = [
                (name, members[name])
                for name in self.fleet.up()
                if members.get(name) and not self.fleet.replicas[name].stopped
            ]
            return bool(found)

        self.wait_until(there, "a replica owns partitions")
        name, partitions = found[number % len(found)]
        self.wait_until(self.moved(partitions), f"{name} commits")
        return name, partitions

    def strike(self, name: str, point: str = RANDOM) -> None:
        """Kill -9 from outside, and take note."""
        self.fleet.kill(name)
        self.note_death(name, point)

    def note_death(self, name: str, point: str) -> bool:
        """Wait for a kill's end, and count it; the next one has to wait for progress from here.

        Tells whether there was progress since the kill before.
        """
        self.wait_down(name)
        self.ground.sample()
        after_progress = self.ground.committed > self._mark
        (self.tally.kills if after_progress else self.tally.early_kills)[point] += 1
        self._mark, self.fallen = self.ground.committed, name
        return after_progress

    def wait_down(self, name: str) -> None:
        """Wait until a replica has ended."""
        self.wait_until(lambda: name in self.fleet.down(), f"{name} ends")
