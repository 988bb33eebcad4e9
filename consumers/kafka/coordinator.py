"""Asks who is in a consumer group, without ever waiting for long."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumers.errors import EpochLostError, KafkaUnreachableError
from metrics.events import GROUP_NOT_DESCRIBED

_log = logging.getLogger("streamfit.membership")
TIMEOUT_S = 10.0
# For an answer that comes at once, as nearly all do: no longer than a read waits for records.
PATIENCE_S = 0.1
# As good as never, for librdkafka: see Coordinator.
NEVER_S = 3600.0


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


Ask = Callable[[], "Future[list[Member]]"]


class Inquiry:
    """One question at a time, asked again when the answer is overdue.

    Parameters
    ----------
    ask : callable
        Asks the coordinator for the group's members.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._asked: Future[list[Member]] | None = None
        self._asked_s = 0.0

    def drop(self) -> None:
        """Forget what was asked: an answer from before tells nothing."""
        self._asked = None

    def done(self, now: float) -> bool:
        """Ask if nothing is asked, and tell whether there is an answer to be taken."""
        if self._asked is None:
            self._asked, self._asked_s = self._ask(), now
            wait((self._asked,), PATIENCE_S)
        if not self._asked.done() and now - self._asked_s > TIMEOUT_S:
            _log.info(
                "the group cannot be described: no answer within %g s",
                TIMEOUT_S,
                extra=GROUP_NOT_DESCRIBED(),
            )
            self._asked.cancel()
            self._asked = None
            return False
        return self._asked.done()

    def take(self) -> list[Member] | None:
        """Take the answer; None if there is none because something failed.

        Raises
        ------
        KafkaUnreachableError
            If it is forbidden to ask.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            return None
        error = asked.exception()
        if isinstance(error, KafkaUnreachableError):
            raise error
        if error is not None:
            _log.info("the group cannot be described: %s", error, extra=GROUP_NOT_DESCRIBED())
            return None
        return asked.result()


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
