"""The demo: Elec2 replayed into a broker of its own, learned, and watched."""

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from consumers.demo.dirt import mixed
from consumers.demo.embedded import EmbeddedBroker
from consumers.errors import KafkaUnreachableError
from consumers.settings import Settings, from_tables
from producers.elec2 import CLASSES, FEATURES, ROWS, Elec2
from producers.mapping import ColumnMapping, EventFields, encode_rows
from producers.replay import Replay, ReplayError, ReplayOptions, open_producer

EMBEDDED = "embedded"
# The embedded broker keeps 5 MiB a partition: the replay stays so near that nothing is dropped.
LEAD = 20_000


def demo_tables(store: str) -> dict[str, Any]:
    """Give the demo's settings, as a file would; the environment holds over them."""
    run = uuid4().hex[:8]
    return {
        "kafka": {"bootstrap_servers": EMBEDDED},
        "input": {"topic": f"streamfit-demo-{run}", "group": f"streamfit-demo-{run}"},
        "schema": {
            "id": "id",
            "label": "label",
            "features": list(FEATURES),
            "classes": list(CLASSES),
        },
        "model": {
            "steps": [
                {"use": "StandardScaler"},
                {
                    "use": "SGDClassifier",
                    "loss": "log_loss",
                    "learning_rate": "constant",
                    "eta0": 0.005,
                    "penalty": "none",
                },
            ]
        },
        "output": {"topic": f"streamfit-demo-{run}-predictions"},
        "checkpoint": {"store": store},
        "metrics": {"port": 0},
    }


@contextmanager
def demo_settings(overrides: Sequence[str]) -> Iterator[Settings]:
    """Give the demo's settings with its topics made; start a broker where none is named.

    Raises
    ------
    SettingsError
        If the environment or an override does not fit.
    KafkaUnreachableError
        If the broker that is named does not answer.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamfit-demo-"))
        tables = demo_tables(f"file://{folder}")
        settings = from_tables(tables, overrides)
        if settings.kafka.bootstrap_servers == EMBEDDED:
            broker = stack.enter_context(EmbeddedBroker())
            tables["kafka"]["bootstrap_servers"] = broker.bootstrap_servers
            settings = from_tables(tables, overrides)
            for topic in _topics(settings):
                broker.create_topic(topic, 1)
        else:
            _make_topics(settings)
        yield settings


def _topics(settings: Settings) -> tuple[str, ...]:
    return settings.input.topic, settings.output.topic, settings.dead_letter_topic


def _make_topics(settings: Settings) -> None:
    admin = AdminClient({**settings.kafka.client_config(), "log_level": 2})
    try:
        there = admin.list_topics(timeout=8).topics
        missing = [NewTopic(topic, 1) for topic in _topics(settings) if topic not in there]
        for made in admin.create_topics(missing).values() if missing else ():
            made.result(10)
    except KafkaException as error:
        raise KafkaUnreachableError(
            f"kafka.bootstrap_servers = {settings.kafka.bootstrap_servers!r}: "
            f"the demo's topics cannot be made ({error.args[0].str()})"
        ) from None


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What to replay.

    Attributes
    ----------
    rate : float or None
        Events per second; None: as fast as it goes.
    dirty : int
        Broken records to mix in.
    """

    rate: float | None
    dirty: int

    @property
    def total(self) -> int:
        """Number of records that are sent."""
        return ROWS + self.dirty


class Replayer:
    """Sends Elec2 from a thread of its own, near ahead of the consumer.

    Parameters
    ----------
    settings : Settings
        Where to.
    options : DemoOptions
        What.
    consumed : callable
        Gives the number of records consumed so far.
    """

    def __init__(
        self, settings: Settings, options: DemoOptions, consumed: Callable[[], int]
    ) -> None:
        mapping = ColumnMapping(
            id="id", time=None, label="label", features=FEATURES, fields=EventFields()
        )
        # Encoded beforehand: reading CSV would take its time from the learning that is shown.
        self._records = list(mixed(encode_rows(Elec2(), mapping), ROWS, options.dirty))
        self._producer = open_producer(settings.kafka.client_config())
        self._replay = Replay(
            self._producer,
            settings.input.topic,
            ReplayOptions(rate=options.rate, partition=0),
            may_send=lambda sent: sent - consumed() < LEAD,
        )
        self._thread = threading.Thread(target=self._run, name="replay", daemon=True)
        self._failed: Callable[[], None] = lambda: None
        self.error: ReplayError | None = None

    def start(self, on_failure: Callable[[], None]) -> None:
        """Begin to send; `on_failure` is called from the thread if that fails."""
        self._failed = on_failure
        self._thread.start()

    def close(self) -> None:
        """Stop sending, and wait until it has."""
        self._replay.stop()
        if self._thread.is_alive():
            self._thread.join(10)
        self._producer.close()

    def _run(self) -> None:
        try:
            self._replay.run(self._records)
        except ReplayError as error:
            self.error = error
            self._failed()
