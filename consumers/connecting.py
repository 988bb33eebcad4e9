"""Connects what the settings ask for to Kafka, and puts the loop together.

No other module but this one and `wiring` names concrete classes.
"""

import logging
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

from threadpoolctl import threadpool_limits

from consumers.checkpoints.checkpoint import versions
from consumers.errors import SettingsError, exit_code_of
from consumers.kafka.cluster import Cluster, require_rights
from consumers.kafka.config import (
    EMBEDDED,
    client_config,
    consumer_config,
    producer_config,
    revoke_timeout_s,
)
from consumers.kafka.failures import making_a_client
from consumers.kafka.kafka_source import KafkaSource
from consumers.kafka.membership import (
    JoinsAtOnce,
    LooksAround,
    Membership,
    StandsBy,
    Tell,
    nobody,
)
from consumers.kafka.memory import reading, writing
from consumers.loop.clocks import Clocks
from consumers.loop.delivery import AtLeastOnce, Delivery, ExactlyOnce
from consumers.loop.failpoints import Reach, failpoints
from consumers.loop.flow import Flow
from consumers.loop.learning import Learning
from consumers.loop.parts import Pace, Parts
from consumers.loop.restoring import Makers, Restorer
from consumers.loop.runner import Runner
from consumers.loop.tracing import UNTRACED, Tracing
from consumers.loop.warmup import warm_up
from consumers.loop.watchdog import LastWords, ends_within, nothing_more
from consumers.settings import Settings, failpoint
from consumers.wiring import (
    checkpoints_of,
    decoder_of,
    learning_of,
    policies_of,
    schema_of,
)
from learners.learner import Task
from metrics.events import KERNELS_READY
from metrics.observer import Observer
from producers.dead_letters import MAX_BYTES, dead_letter
from producers.encoding import PredictionEncoder
from producers.outputs import Outputs
from producers.sink import KafkaSink
from producers.transactional_sink import Transaction, TransactionalSink

_log = logging.getLogger("streamfit.connecting")
CLOSE_TIMEOUT_S = 10.0
# What a batch of one record needs beside its record.
OVERHEAD = 600


@contextmanager
def open_runner(
    settings: Settings,
    observer: Observer,
    report_s: float = 0.25,
    tracing: Tracing = UNTRACED,
    waits_for: Tell = nobody,
    last_words: LastWords = nothing_more,
) -> Iterator[Runner]:
    """Connect, and give a runner that is ready to run; leaves the group at the end.

    A standby tells `waits_for` who holds the group. Where an error ends the run and then the close
    hangs, `last_words` tells the error before the process is ended at once.

    Raises
    ------
    SettingsError
        If the model does not fit the settings, or the cluster cannot do what they ask for.
    KafkaUnreachableError
        If Kafka does not answer, or a topic is not there.
    """
    # A row at a time gains nothing from threads, and on busy cores waits for each of them.
    threadpool_limits(1)
    _compile(settings)
    parts = _parts(settings, observer, tracing, waits_for)
    ending = ends_within(CLOSE_TIMEOUT_S)
    try:
        yield Runner(parts, _pace(settings, report_s))
    except Exception as error:
        told = partial(last_words, error)
        ending = ends_within(CLOSE_TIMEOUT_S, exit_code_of(error), told)
        raise
    finally:
        with ending:
            parts.sink.close()
            parts.source.close()


def _parts(settings: Settings, observer: Observer, tracing: Tracing, waits_for: Tell) -> Parts:
    reach = failpoints(failpoint())
    cluster, topics = _cluster(settings)
    outputs = _outputs(settings, cluster, topics)
    source = _source(settings, cluster, topics[settings.input.topic])
    sink, delivery = _delivery(settings, source, outputs, observer, reach)
    makers = _makers(settings, sink, topics[settings.output.topic], outputs, reach, tracing)
    return Parts(
        source=source,
        sink=sink,
        delivery=delivery,
        restorer=_restorer(settings, source, makers, reach),
        membership=_membership(settings, cluster, source, waits_for),
        observer=observer,
        reach=reach,
    )


def _cluster(settings: Settings) -> tuple[Cluster, Mapping[str, int]]:
    """Connect; gives the partitions of each topic, too."""
    cluster = Cluster(client_config(settings))
    topics = cluster.partitions_of(settings.topics)
    require_rights(cluster, settings.topics)
    _check_delivery(settings, cluster)
    return cluster, topics


def _compile(settings: Settings) -> None:
    """Try out and compile what learns: what is wrong with it is told before anything connects."""
    schema = schema_of(settings)
    began = time.monotonic()
    warm_up(learning_of(settings), schema.n_features, sparse=schema.is_sparse)
    took_s = time.monotonic() - began
    _log.info(
        "kernels are ready after %.1f s", took_s, extra=KERNELS_READY(seconds=round(took_s, 3))
    )


def _restorer(settings: Settings, source: KafkaSource, makers: Makers, reach: Reach) -> Restorer:
    partitioned = settings.learning.scope == "partition"
    return Restorer(source, makers, policies_of(settings), partitioned=partitioned, reach=reach)


def _pace(settings: Settings, report_s: float) -> Pace:
    return Pace(
        epoch_s=settings.checkpoint.every.total_seconds(),
        report_s=report_s,
        clocks=Clocks(time.monotonic, time.time),
        max_uncheckpointed=settings.limits.max_uncheckpointed,
        revoke_s=revoke_timeout_s(settings.kafka.librdkafka),
    )


def _check_delivery(settings: Settings, cluster: Cluster) -> None:
    if settings.output.delivery == "exactly_once" and cluster.embedded:
        raise SettingsError(
            "output.delivery = 'exactly_once': this broker is librdkafka's mock cluster, which "
            "accepts offsets in a transaction and does not store them; use a real Kafka, or set "
            "output.delivery to 'at_least_once'"
        )


def _membership(
    settings: Settings, cluster: Cluster, source: KafkaSource, tell: Tell
) -> Membership:
    instance = settings.input.instance
    if cluster.embedded:
        return JoinsAtOnce()
    if settings.learning.scope == "partition":
        return JoinsAtOnce() if instance is None else LooksAround(source.assignments, instance)
    coordinator = cluster.coordinator_of(settings.input.group)
    return StandsBy(coordinator.members, instance, random.random, tell)


def _source(settings: Settings, cluster: Cluster, partitions: int) -> KafkaSource:
    topic = settings.input.topic
    config = {**reading(settings.limits.max_memory, partitions), **client_config(settings)}
    if cluster.embedded:
        config = {**EMBEDDED, **config}
    options = consumer_config(config, settings.input.group, settings.input.instance)
    max_batch = settings.learning.max_batch
    return KafkaSource(options, topic, max_batch, lambda: cluster.topic_id(topic))


def _outputs(settings: Settings, cluster: Cluster, topics: Mapping[str, int]) -> Outputs:
    written = settings.output.topic, settings.dead_letter_topic
    largest = min(cluster.max_message_bytes(topic) for topic in written)
    return Outputs(*written, topics[settings.dead_letter_topic], max(1_000, largest - OVERHEAD))


def _delivery(
    settings: Settings, source: KafkaSource, outputs: Outputs, observer: Observer, reach: Reach
) -> tuple[KafkaSink, Delivery]:
    config = producer_config({**writing(settings.limits.max_memory), **client_config(settings)})
    if settings.output.delivery == "at_least_once":
        with making_a_client():
            sink = KafkaSink(config, outputs)
        return sink, AtLeastOnce(source, sink)
    every_s = settings.checkpoint.every.total_seconds()
    transaction = _transaction(settings, max(10.0, 5 * every_s))
    with making_a_client():
        transactional = TransactionalSink(config, outputs, transaction, reach)
    return transactional, ExactlyOnce(source, transactional, observer)


def _transaction(settings: Settings, timeout_s: float) -> Transaction:
    """Give the same id to whoever takes over, so that the one before can write no more."""
    name = f"streamfit-{settings.input.group}"
    if settings.learning.scope == "global":
        return Transaction(name, timeout_s)
    return Transaction(f"{name}-{settings.input.instance or uuid4()}", timeout_s, f"{name}-")


def _makers(
    settings: Settings,
    sink: KafkaSink,
    partitions: int,
    outputs: Outputs,
    reach: Reach,
    tracing: Tracing,
) -> Makers:
    schema = schema_of(settings)
    letter = partial(
        dead_letter,
        version=versions()["streamfit"],
        max_bytes=min(MAX_BYTES, outputs.max_bytes * 4 // 5),
    )

    def new_flow(learning: Learning) -> Flow:
        is_classes = learning.learner.task is Task.CLASSIFICATION
        return Flow(
            decoder=decoder_of(settings),
            learning=learning,
            encoder=PredictionEncoder(schema.classes if is_classes else None, partitions),
            sink=sink,
            letter=letter,
            clocks=Clocks(time.perf_counter, time.time),
            reach=reach,
            tracing=tracing,
        )

    return Makers(
        learning=lambda: learning_of(settings, try_out=False),
        flow=new_flow,
        checkpoints=lambda scope: checkpoints_of(settings, scope, reach),
    )
