"""The examination: section by section, each under a deadline, whatever the others did."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from confluent_kafka import KafkaException

from consumers.checks import next_start, sample
from consumers.doctor import broker, client, clock, fights, group, rights, store, topics
from consumers.doctor.asking import Asking
from consumers.doctor.facts import HIDDEN, BrokerFacts, GroupFacts, TopicFacts
from consumers.doctor.finding import KAFKA, Finding, Kind, Level
from consumers.errors import KafkaUnreachableError, StreamfitError
from consumers.kafka.cluster import Cluster
from consumers.kafka.config import client_config
from consumers.settings import Settings

SECTION_S = 45.0
SAMPLE = Kind(
    "topics.sample",
    Level.PROBLEM,
    "records that do not fit the schema become dead letters, and too many of them stop the run",
    "mend [schema], or what produces the records",
)
UNANSWERED = Kind(
    "doctor.unanswered",
    Level.WARNING,
    "what was not answered is not known to be well",
    "look at broker and store, and try again",
    KAFKA,
)
FAILED = Kind(
    "doctor.failed",
    Level.PROBLEM,
    "this is a bug of the doctor: the rest of that section was not looked at",
    "report it, with the text",
    StreamfitError.exit_code,
)

Look = Callable[[], Iterator[Finding]]


def examine(settings: Settings) -> Iterator[Finding]:
    """Look at everything, one section after the other.

    Yields
    ------
    Finding
        As soon as it is known, except that a section's come together.
    """
    case = _Case(settings)
    sections: list[tuple[str, Look]] = [
        ("client", lambda: client.examine(settings)),
        ("settings", lambda: fights.judge(settings)),
        ("store", lambda: store.examine(settings)),
        ("broker", case.broker),
    ]
    for name, look in sections:
        yield from bounded(name, look)
    others: list[tuple[str, Look]] = [
        ("topics", case.topics),
        ("rights", case.rights),
        ("clock", case.clock),
        ("group", case.group),
    ]
    for name, look in others:
        if case.answers:
            yield from bounded(name, look)
        else:
            yield Finding(f"{name}.all", Level.SKIPPED, "needs Kafka, which does not answer")


def bounded(name: str, look: Look, seconds: float = SECTION_S) -> list[Finding]:
    """Give the findings of a section; what fails or takes too long becomes one itself."""
    found: list[Finding] = []

    def collect() -> None:
        try:
            found.extend(_guarded(look))
        except Exception as error:  # noqa: BLE001 - the other sections are looked at all the same
            found.append(FAILED.found(f"{name}: {type(error).__name__}: {error}"))

    thread = threading.Thread(target=collect, name=f"doctor-{name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        return [*found, UNANSWERED.found(f"{name}: no answer within {seconds:g} s")]
    return found


def _guarded(look: Look) -> Iterator[Finding]:
    try:
        yield from look()
    except StreamfitError as error:
        yield UNANSWERED.found(str(error), level=Level.PROBLEM, exit_code=error.exit_code)
    except (KafkaException, OSError) as error:
        yield UNANSWERED.found(f"{type(error).__name__}: {error}")


@dataclass
class _Case:
    """One examination of what needs Kafka; remembers what was asked already."""

    settings: Settings
    answers: bool = False

    @cached_property
    def _asking(self) -> Asking:
        return Asking(self.settings)

    @cached_property
    def _broker(self) -> BrokerFacts:
        return self._asking.broker()

    @cached_property
    def _topics(self) -> list[TopicFacts]:
        return self._asking.topics()

    @cached_property
    def _group(self) -> GroupFacts | None:
        return self._asking.group()

    @property
    def _partitions(self) -> int:
        return self._asking.there.get(self.settings.input.topic, 0)

    def broker(self) -> Iterator[Finding]:
        try:
            facts = self._broker
        except KafkaUnreachableError as error:
            yield broker.REACHABLE.of_error(error)
            return
        self.answers = True
        yield from broker.judge(self.settings, facts)

    def topics(self) -> Iterator[Finding]:
        yield from topics.judge(self.settings, self._topics, self._broker.brokers)
        if self._partitions:
            told = sample(self.settings, self._partitions)
            yield SAMPLE.ok(told.found) if told.error is None else SAMPLE.of_error(told.error)

    def rights(self) -> Iterator[Finding]:
        yield from rights.judge(self.settings, self._broker, self._topics, self._group)

    def clock(self) -> Iterator[Finding]:
        yield clock.judge_records(self._asking.newest_ms(), time.time())

    def group(self) -> Iterator[Finding]:
        yield from group.judge(self.settings, self._group)
        if not self._partitions:
            yield group.LAG.skipped("the input topic is not there")
            return
        if self._group is not None and self._group.state == HIDDEN:
            yield group.START.skipped("this login may not ask what the group has committed")
            return
        topic_id = Cluster(client_config(self.settings)).topic_id(self.settings.input.topic)
        told = next_start(self.settings, self._partitions, topic_id)
        yield group.START.ok(told.found) if told.error is None else group.START.of_error(told.error)
        events = next((each for each in self._topics if each.key == "input.topic"), None)
        place = self._asking.place()
        yield from group.judge_place(self.settings, place, events, time.time())
        yield from group.judge_pointers(store.look(self.settings), place.committed)
