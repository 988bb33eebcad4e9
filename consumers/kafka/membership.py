"""When to join the group, and when to leave it to others: one works, the rest stand by.

Two that join an empty group together split its partitions, and a global model needs all of them:
then the owner of the lowest one stays, and the others wait again.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumers.errors import EpochLostError, KafkaUnreachableError
from metrics.events import GROUP_NOT_DESCRIBED, STANDING_BY

_log = logging.getLogger("streamfit.membership")
ASK_EVERY_S = 0.5
TIMEOUT_S = 10.0
# As good as never, for librdkafka: see Coordinator.
NEVER_S = 3600.0
# Of those that gave way at the same time, one should ask first.
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.2, 1.0


Tell = Callable[[Sequence[str]], None]


def nobody(names: Sequence[str]) -> None:
    """Tell nobody who holds the group."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the group, as the coordinator tells.

    Attributes
    ----------
    instance : str or None
        Its `group.instance.id`.
    name : str
        What a person finds it by.
    """

    instance: str | None
    name: str


class Membership(Protocol):
    """Decides on joining and leaving."""

    def may_join(self, now: float) -> bool:
        """Tell whether to join now; asked in every turn of the loop while outside the group."""

    def must_leave(self, owned: frozenset[int], everything: frozenset[int], now: float) -> bool:
        """Tell whether to leave again; asked whenever the partitions that are owned change."""

    def wait(self, now: float, seconds: float) -> None:
        """Stay outside for some seconds."""


class JoinsAtOnce:
    """Joins as soon as it may, and never gives way: the group spreads the partitions."""

    def __init__(self) -> None:
        self._not_before = 0.0

    def may_join(self, now: float) -> bool:
        """Join, unless told to wait."""
        return now >= self._not_before

    def must_leave(
        self,
        owned: frozenset[int],  # noqa: ARG002 of the contract
        everything: frozenset[int],  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> bool:
        """Stay."""
        return False

    def wait(self, now: float, seconds: float) -> None:
        """Stay outside for some seconds."""
        self._not_before = now + seconds


class StandsBy:
    """Joins when nobody else is there, and gives way to the owner of the lowest partition.

    Parameters
    ----------
    ask : callable
        Asks the coordinator for the group's members; the loop goes on until the answer is there.
    instance : str or None
        Our own `group.instance.id`: what died under it is no other.
    random : callable
        A number from 0 to 1.
    tell : callable
        Takes the names of those who hold the group, whenever they change.
    """

    def __init__(
        self,
        ask: Callable[[], "Future[list[Member]]"],
        instance: str | None,
        random: Callable[[], float],
        tell: Tell = nobody,
    ) -> None:
        self._ask = ask
        self._tell = tell
        self._instance = instance
        self._random = random
        self._not_before = 0.0
        self._asked: Future[list[Member]] | None = None
        self._asked_s = 0.0
        self._told: list[Member] = []

    def may_join(self, now: float) -> bool:
        """Ask now and then who is there; raises `KafkaUnreachableError` if that is forbidden."""
        if now < self._not_before:
            return False
        if self._asked is None:
            self._asked, self._asked_s = self._ask(), now
        if not self._asked.done():
            if now - self._asked_s > TIMEOUT_S:
                _log.info(
                    "the group cannot be described: no answer within %g s",
                    TIMEOUT_S,
                    extra=GROUP_NOT_DESCRIBED(),
                )
                self._asked.cancel()
                self._asked = None
            return False
        asked, self._asked = self._asked, None
        self._not_before = now + ASK_EVERY_S
        error = asked.exception()
        if isinstance(error, KafkaUnreachableError):
            raise error
        if error is not None:
            _log.info("the group cannot be described: %s", error, extra=GROUP_NOT_DESCRIBED())
            return False
        return self._is_free(asked.result())

    def must_leave(self, owned: frozenset[int], everything: frozenset[int], now: float) -> bool:
        """Leave if somebody else owns the lowest partition."""
        if owned == everything or min(everything) in owned:
            return False
        self.wait(now, SHORTEST_WAIT_S + self._random() * (LONGEST_WAIT_S - SHORTEST_WAIT_S))
        return True

    def wait(self, now: float, seconds: float) -> None:
        """Stay outside for some seconds."""
        self._not_before = now + seconds
        self._asked = None  # an answer from before tells nothing

    def _is_free(self, members: list[Member]) -> bool:
        others = [m for m in members if m.instance is None or m.instance != self._instance]
        if others and others != self._told:
            names = [m.name for m in others]
            _log.info(
                "standing by: the group is held by %s",
                ", ".join(names),
                extra=STANDING_BY(members=names),
            )
        if others != self._told:
            self._tell(tuple(member.name for member in others))
        self._told = others
        return not others


class Coordinator:
    """Asks who is in a group, by a client that is thrown away when it does not answer.

    In librdkafka 2.16 a question that runs into its time-out leaves something behind which aborts
    the process once a broker changes its state (librdkafka issues 3663 and 4605): so none does,
    but is cancelled, and goes with its client. A client would also go on asking a coordinator that
    is frozen, or is none any more.

    Parameters
    ----------
    connect : callable
        Makes a client; an `EpochLostError` of it is the answer to what was asked.
    group : str
        The group.
    """

    def __init__(self, connect: Callable[[], AdminClient], group: str) -> None:
        self._connect = connect
        self._group = group
        self._admin: AdminClient | None = None

    def members(self) -> "Future[list[Member]]":
        """Ask; whoever has waited long enough for the answer cancels it."""
        members: Future[list[Member]] = Future()
        try:
            self._admin = self._admin or self._connect()
        except EpochLostError as error:
            members.set_exception(error)
            return members
        asked = self._admin.describe_consumer_groups([self._group], request_timeout=NEVER_S)

        def answered(found: "Future[Any]") -> None:
            if not members.set_running_or_notify_cancel():
                return
            error = found.exception()
            if error is None:
                members.set_result([_member(each) for each in found.result().members])
            else:
                self._forget()
                members.set_exception(self._meaning(error))

        members.add_done_callback(lambda _: self._forget() if members.cancelled() else None)
        asked[self._group].add_done_callback(answered)
        return members

    def _meaning(self, error: BaseException) -> BaseException:
        if not isinstance(error, KafkaException):
            return error
        if error.args[0].code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
            return error
        return KafkaUnreachableError(
            f"input.group = {self._group!r}: this login may not see the group; grant READ on it"
        )

    def _forget(self) -> None:
        # This may run in a thread of the client itself, which must not be the one that lets go of
        # it: nothing but the list may hold it by then.
        last = [self._admin]
        self._admin = None
        threading.Thread(target=last.clear, name="forget", daemon=True).start()


def _member(told: Any) -> Member:
    name = f"{told.group_instance_id or told.member_id} on {told.host}"
    return Member(told.group_instance_id or None, name)
