"""What the loop drives, and how fast: handed to whoever takes part in it."""

from dataclasses import dataclass

from consumers.kafka.membership import Membership
from consumers.kafka.source import Source
from consumers.loop.clocks import Clocks
from consumers.loop.delivery import Delivery
from consumers.loop.epochs import FLUSH_TIMEOUT_S
from consumers.loop.failpoints import Reach, nothing
from consumers.loop.restoring import Restorer
from metrics.observer import Observer
from producers.sink import Sink


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop drives.

    Attributes
    ----------
    source, sink, delivery, restorer, membership
        See their contracts.
    observer : Observer
        Is told what happens.
    reach : callable
        Is told of each step.
    """

    source: Source
    sink: Sink
    delivery: Delivery
    restorer: Restorer
    membership: Membership
    observer: Observer
    reach: Reach = nothing


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, how much at most, and by which clocks.

    Attributes
    ----------
    epoch_s : float
        Seconds between two checkpoints.
    report_s : float
        Seconds between two reports of scores and lag.
    clocks : Clocks
        By which time is measured.
    max_uncheckpointed : int
        Records after which reading waits for a checkpoint.
    revoke_s : float
        Seconds for the last epoch of partitions that are given up.
    """

    epoch_s: float
    report_s: float
    clocks: Clocks
    max_uncheckpointed: int
    revoke_s: float = FLUSH_TIMEOUT_S
