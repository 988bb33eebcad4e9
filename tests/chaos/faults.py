"""How each kind of fault is done; when, and to whom, the plan says."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from tests.chaos.battle import Battle, OverdueError
from tests.chaos.killer import MOST_REPLICAS, START_POINT, Fault, Kind

REACH_TIMEOUT_S = 40
MOST_LIVES = 5


def kill_at_point(battle: Battle, fault: Fault) -> None:
    """Start a replica that kills itself at a failpoint; later, if it came before progress."""
    for times in range(1, MOST_LIVES + 1):
        later = replace(fault, nth=fault.nth * times)
        victim = _armed(battle, later)
        if not _reaches(battle, victim, partial(battle.fleet.is_down, victim)):
            battle.tally.missed[fault.point] += 1
            battle.strike(victim)
            return
        if battle.note_death(victim, fault.point):
            return


def kill(battle: Battle, fault: Fault) -> None:
    """Kill a replica that works."""
    battle.everyone_up()
    victim, _ = battle.worker(fault.victim)
    battle.progress()
    battle.pause(fault.delay_s)
    battle.strike(victim)


def freeze(battle: Battle, fault: Fault) -> None:
    """SIGSTOP a replica that works; SIGCONT once the group has given its place away."""
    battle.everyone_up()
    victim, partitions = battle.worker(fault.victim)
    battle.progress()
    battle.pause(fault.delay_s)
    battle.fleet.freeze(victim)
    battle.wait_until(lambda: battle.fleet.replicas[victim].stopped, f"{victim} stands still")
    _outlive(battle, victim, partitions)


def freeze_at_point(battle: Battle, fault: Fault) -> None:
    """Start a replica that stops itself at a failpoint; SIGCONT once its place is given away."""
    victim = _armed(battle, fault)
    if not _reaches(battle, victim, lambda: battle.fleet.replicas[victim].stopped):
        battle.tally.missed[fault.point] += 1
        battle.strike(victim)
        return
    _outlive(battle, victim, battle.ground.members().get(victim, set()))


def abandon(battle: Battle, fault: Fault) -> None:
    """Kill a replica that works, and leave it down until another has taken over."""
    battle.everyone_up()
    victim, partitions = battle.worker(fault.victim)
    battle.progress()
    battle.pause(fault.delay_s)
    battle.strike(victim)
    taken_over = battle.moved(partitions)
    battle.tally.takeovers_s.append(battle.wait_until(taken_over, f"another takes over {victim}"))
    battle.fallen = None


def leave(battle: Battle, fault: Fault) -> None:
    """Let a replica that works end in order; it stays away where three or more are left."""
    battle.everyone_up()
    victim, partitions = battle.worker(fault.victim)
    battle.progress()
    asked_s = time.monotonic()
    battle.fleet.dismiss(victim)
    if fault.delay_s > 0.5:
        battle.pause(fault.delay_s / 10)
        battle.fleet.dismiss(victim, again=True)  # changes nothing
    battle.wait_down(victim)
    battle.wait_until(battle.moved(partitions), f"another takes over from {victim}")
    battle.tally.clean_takeovers_s.append(time.monotonic() - asked_s)
    battle.fallen = None
    if len(battle.wanted) > 2:
        battle.wanted.remove(victim)


def join(battle: Battle, _: Fault) -> None:
    """Start one more replica, if there are not too many."""
    free = [f"r{n}" for n in range(MOST_REPLICAS) if f"r{n}" not in battle.wanted]
    battle.wanted += free[:1]
    battle.everyone_up()
    battle.worker(0)
    battle.progress()


def restart_all(battle: Battle, fault: Fault) -> None:
    """End all replicas together, by SIGTERM or by kill -9, and start them together."""
    battle.everyone_up()
    battle.worker(fault.victim)
    battle.progress()
    names = battle.fleet.up()
    for name in names:
        (battle.fleet.kill if fault.victim % 2 else battle.fleet.dismiss)(name)
    for name in names:
        battle.wait_down(name)
    battle.fallen = None
    everything = battle.moved(set(range(battle.ground.job.partitions)))
    battle.everyone_up()
    battle.wait_until(everything, "the replicas go on together")


def restart_broker(battle: Battle, fault: Fault) -> None:
    """End the broker, by kill -9 where that leaves transactions as they are, and start it again.

    A broker that is alone (Kafka 4.3) leaves out markers when it comes back from a kill: it begins
    to send them while it has its place of before, then loses that until it is registered anew, and
    takes partitions without a leader for deleted ones. A transaction that was ending then hangs for
    good, or is visible in part. Brokers of a cluster are killed in `test_faults_brokers`.
    """
    battle.everyone_up()
    battle.worker(fault.victim)
    if battle.tally.delivery == "exactly_once":
        battle.broker.stop()
    else:
        battle.broker.kill()
    try:
        battle.pause(fault.delay_s)
    finally:
        battle.broker.start()
    everything = battle.moved(set(range(battle.ground.job.partitions)))
    battle.wait_until(everything, "the replicas go on after the broker's restart")


def storm(battle: Battle, fault: Fault) -> None:
    """Kill one replica after the other without waiting for any progress (row 50)."""
    for number, pause_s in enumerate(fault.pauses_s):
        battle.everyone_up()
        battle.pause(pause_s)
        up = battle.fleet.up()
        victim = up[(fault.victim + number) % len(up)]
        battle.fleet.kill(victim)
        battle.wait_down(victim)
        battle.tally.others["kill of a storm"] += 1
    battle.fallen = None
    everything = battle.moved(set(range(battle.ground.job.partitions)))
    battle.everyone_up()
    battle.wait_until(everything, "the replicas go on after the storm")


DO: Mapping[Kind, Callable[[Battle, Fault], None]] = {
    Kind.POINT: kill_at_point,
    Kind.KILL: kill,
    Kind.FREEZE: freeze,
    Kind.FREEZE_POINT: freeze_at_point,
    Kind.ABANDON: abandon,
    Kind.LEAVE: leave,
    Kind.JOIN: join,
    Kind.ALL: restart_all,
    Kind.BROKER: restart_broker,
    Kind.STORM: storm,
}


def commit_fault(battle: Battle, fault: Fault) -> None:
    """Do a fault, and count it if it is no single kill: those count themselves."""
    DO[fault.kind](battle, fault)
    if fault.kind not in (Kind.POINT, Kind.KILL, Kind.STORM):
        battle.tally.others[fault.kind.name.lower().replace("_", " ")] += 1


def _armed(battle: Battle, fault: Fault) -> str:
    """Start a replica that works, or did until it was killed, with the fault's failpoint."""
    victim = battle.fallen
    if fault.point == START_POINT:
        # Reached before any progress: so the life before ends in order, after some.
        battle.everyone_up()
        victim, _ = battle.worker(fault.victim)
        battle.progress()
        battle.fleet.dismiss(victim)
        battle.wait_down(victim)
    elif victim is None or victim not in battle.fleet.down():
        kill(battle, fault)
        victim = battle.fallen
    assert victim is not None
    battle.fleet.start(victim, fault.failpoint)
    battle.everyone_up()
    return victim


def _reaches(battle: Battle, victim: str, reached: Callable[[], bool]) -> bool:
    """Wait until a replica has reached its failpoint; tells whether it did."""
    replica = battle.fleet.replicas[victim]
    life = replica.lives
    for _ in range(REACH_TIMEOUT_S):
        try:
            battle.wait_until(lambda: reached() or replica.lives > life, "a failpoint", 1.0)
        except OverdueError:
            _make_room(battle, victim)
        else:
            break
    return reached() and replica.lives == life


def _make_room(battle: Battle, victim: str) -> None:
    """Let a hot standby leave that has taken the victim's place."""
    if battle.tally.scope == "global":
        for name, partitions in battle.ground.members().items():
            if partitions and name != victim and name in battle.fleet.up():
                battle.fleet.dismiss(name)


def _outlive(battle: Battle, victim: str, partitions: set[int]) -> None:
    """Wait until a frozen replica is out of the group, and let it go on as a ghost."""
    taken_over = battle.moved(partitions)
    others = [name for name in battle.fleet.up() if name != victim]
    if others and partitions:
        seconds = battle.wait_until(taken_over, f"another takes over from {victim}")
        battle.tally.takeovers_s.append(seconds)
    else:
        battle.wait_until(
            lambda: not battle.ground.members().get(victim), f"{victim} is out of the group"
        )
    battle.fleet.thaw(victim)
    battle.wait_until(lambda: not battle.fleet.replicas[victim].stopped, f"{victim} goes on")
    everything = battle.moved(set(range(battle.ground.job.partitions)))
    battle.wait_until(everything, "the replicas go on with the ghost among them")
    battle.fallen = None
