"""A consumer group of several members in one process, rebalanced cooperatively.

Each member is called back inside its own read, as by the real client: a partition is given to its
new owner only once the old one has given it up.
"""

from concurrent.futures import Future

from consumers.kafka.coordinator import Member
from metrics.facts import RebalanceEvent
from tests.fakes import Cluster, FakeSource


class FakeGroup:
    """Spreads a cluster's partitions over its members, moving as few as it can."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._members: list[FakeSource] = []
        self._wanted: dict[int, FakeSource] = {}
        self._told: set[int] = set()

    def ask(self) -> "Future[list[Member]]":
        """Tell who is there, as the coordinator does."""
        answer: Future[list[Member]] = Future()
        answer.set_result([Member(None, str(id(member))) for member in self._members])
        return answer

    def join(self, member: FakeSource) -> None:
        self._members.append(member)
        self._spread()

    def leave(self, member: FakeSource) -> None:
        if member in self._members:
            self._members.remove(member)
            self._spread()

    def expire(self, member: FakeSource) -> None:
        """Throw out a member that is not heard of any more; it learns that at its next read."""
        self.leave(member)

    def serve(self, member: FakeSource) -> None:
        """Call a member back."""
        owned = member.owned()
        if member not in self._members:
            member.give_up(RebalanceEvent.LOST, owned)
            self.join(member)
            return
        mine = {p for p, owner in self._wanted.items() if owner is member}
        member.give_up(RebalanceEvent.REVOKED, owned - mine)
        others = {p for other in self._members if other is not member for p in other.owned()}
        gained = mine - others - owned
        if gained or id(member) not in self._told:
            member.own(gained)
            self._told.add(id(member))

    def _spread(self) -> None:
        self._told.clear()
        if not self._members:
            self._wanted = {}
            return
        share = -(-len(self._cluster.log) // len(self._members))
        kept: dict[int, FakeSource] = {}
        for partition, owner in sorted(self._wanted.items()):
            if owner in self._members and list(kept.values()).count(owner) < share:
                kept[partition] = owner
        for partition in sorted(self._cluster.log.keys() - kept.keys()):
            counts = [list(kept.values()).count(member) for member in self._members]
            kept[partition] = self._members[counts.index(min(counts))]
        self._wanted = kept
