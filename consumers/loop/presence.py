"""In the group or outside of it: joining, giving way, waiting for an instance to be released."""

import logging
from collections.abc import Callable

from consumers.errors import InstanceHeldError
from consumers.kafka.membership import Membership
from consumers.kafka.source import Source
from metrics.events import INSTANCE_HELD

_log = logging.getLogger("streamfit.presence")
# A broker of the newer group protocol keeps a dead member's instance for 45 s by default.
INSTANCE_HELD_S = 60.0
ASK_AGAIN_S = 2.0


class Presence:
    """Whether this process is a member of its group.

    Parameters
    ----------
    source : Source
        Joins and leaves.
    membership : Membership
        Decides when.
    clock : callable
        Seconds that never go back.
    """

    def __init__(self, source: Source, membership: Membership, clock: Callable[[], float]) -> None:
        self._source = source
        self._membership = membership
        self._clock = clock
        self._joined = False
        self._held_since: float | None = None

    def join(self, on_revoke: Callable[[frozenset[int]], None]) -> None:
        """Join if it is time to; leave for a moment if the group needs that."""
        now = self._clock()
        if self._joined:
            if self._membership.must_join_anew(now):
                self._leave()
        elif self._membership.may_join(now):
            self._source.subscribe(on_revoke)
            self._joined = True

    def changed(self) -> None:
        """Take note that the group has answered."""
        self._held_since = None

    def give_way(self, owned: frozenset[int], everything: frozenset[int]) -> None:
        """Leave if others should work."""
        if self._joined and self._membership.must_leave(owned, everything, self._clock()):
            self._leave()

    def _leave(self) -> None:
        self._source.unsubscribe()
        self._joined = False

    def begin_anew(self) -> None:
        """Join as a new member when it is time to."""
        self._source.rejoin()
        self._joined = False

    def wait_for_instance(self, error: InstanceHeldError) -> None:
        """Try again in a while: the broker still holds our instance for a dead member.

        Raises
        ------
        InstanceHeldError
            If that has lasted longer than a session may: somebody alive has it.
        """
        now = self._clock()
        if self._held_since is None:
            self._held_since = now
            _log.warning(
                "waiting for the broker to release input.instance: %s", error, extra=INSTANCE_HELD()
            )
        if now - self._held_since > INSTANCE_HELD_S:
            raise error
        self.begin_anew()
        self._membership.wait(now, ASK_AGAIN_S)
