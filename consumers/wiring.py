"""The one place that names concrete classes and puts them together."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from consumers.checkpoint import versions
from consumers.checkpoints import Checkpoints
from consumers.cluster import Cluster
from consumers.errors import SettingsError
from consumers.flow import Flow
from consumers.kafka_config import EMBEDDED, consumer_config
from consumers.kafka_source import KafkaSource
from consumers.learning import Learning
from consumers.limits import DeadLetterLimits
from consumers.recovery import Recovery
from consumers.runner import Pace, Parts, Runner
from consumers.settings import Settings
from consumers.store import open_store
from consumers.warmup import warm_up
from consumers.watchdog import ends_within
from learners.decoding import JsonDecoder
from learners.factory import make_learner
from learners.guard import Guard
from learners.learner import Learner, Task
from learners.model_spec import ModelSpecError, StepSpec
from learners.schema import Schema
from metrics.observer import Observer
from metrics.prequential import make_scores
from producers.encoding import PredictionEncoder
from producers.sink import KafkaSink

CLOSE_TIMEOUT_S = 10.0


def schema_of(settings: Settings) -> Schema:
    """Give the schema that the settings declare."""
    schema = settings.schema_
    return Schema(
        features=schema.feature_names,
        features_in=schema.features_in,
        id=schema.id,
        time=schema.time,
        label=schema.label,
        classes=tuple(sorted(schema.classes)) if schema.classes else None,
        max_abs=settings.learning.max_abs,
        max_bytes=settings.limits.max_value_bytes,
    )


def decoder_of(settings: Settings) -> JsonDecoder:
    """Make the decoder that the settings ask for."""
    keep = settings.learning.on_unknown_label == "unlabelled"
    return JsonDecoder(schema_of(settings), keep_unknown_labels=keep)


def learner_of(settings: Settings) -> Learner:
    """Make a learner that has learned nothing.

    Raises
    ------
    SettingsError
        If the model cannot be built, or cannot learn what the schema gives.
    """
    schema = schema_of(settings)
    try:
        learner = make_learner(
            [StepSpec(step.use, step.params) for step in settings.model.steps],
            schema.classes,  # type: ignore[arg-type]  # of one kind, as the settings check
            len(schema.features),
            settings.learning.stride,
            Guard(settings.learning.max_weight),
        )
    except ModelSpecError as error:
        raise SettingsError(str(error)) from None
    if schema.label is None and learner.task is not Task.UNSUPERVISED:
        raise SettingsError(
            "schema.label: missing; name the field that holds the label: without one, "
            f"{settings.model.steps[-1].use} learns nothing"
        )
    return learner


def learning_of(settings: Settings) -> Learning:
    """Make everything that learns, with nothing learned yet."""
    learner = learner_of(settings)
    limits = settings.limits
    return Learning(
        learner,
        make_scores(learner.task, max(1, len(settings.schema_.classes or ()))),
        DeadLetterLimits(
            limits.dead_letter_window, limits.dead_letter_count, limits.dead_letter_run
        ),
    )


def checkpoints_of(settings: Settings) -> Checkpoints:
    """Open the checkpoints that belong to the settings' group and topic."""
    return Checkpoints(
        open_store(settings.checkpoint.store),
        group=settings.input.group,
        topic=settings.input.topic,
        scope=settings.learning.scope,
        settings=settings.meaning(),
        settings_hash=settings.meaning_hash(),
        keep=settings.checkpoint.keep,
    )


@contextmanager
def open_runner(settings: Settings, observer: Observer, report_s: float = 0.25) -> Iterator[Runner]:
    """Connect, and give a runner that is ready to run; leaves the group at the end.

    Raises
    ------
    SettingsError
        If the model does not fit the settings.
    KafkaUnreachableError
        If Kafka does not answer, or a topic is not there.
    """
    # What is wrong with the model is told before anything connects, and compiled as well.
    warm_up(learning_of(settings), len(settings.schema_.feature_names))
    cluster = Cluster(client_config(settings))
    topics = cluster.partitions_of(
        {
            "input.topic": settings.input.topic,
            "output.topic": settings.output.topic,
            "output.dead_letter_topic": settings.dead_letter_topic,
        }
    )
    source, sink = _source(settings, cluster), _sink(settings, topics)
    checkpoints = checkpoints_of(settings)
    parts = Parts(
        source=source,
        sink=sink,
        checkpoints=checkpoints,
        recovery=Recovery(source, checkpoints, settings.input.start),
        new_learning=lambda: learning_of(settings),
        new_flow=_flows(settings, sink, topics[settings.output.topic]),
        observer=observer,
    )
    every_s = settings.checkpoint.every.total_seconds()
    try:
        yield Runner(parts, Pace(every_s, report_s, time.monotonic, time.time))
    finally:
        with ends_within(CLOSE_TIMEOUT_S):
            sink.close()
            source.close()


def _source(settings: Settings, cluster: Cluster) -> KafkaSource:
    config, topic = client_config(settings), settings.input.topic
    if cluster.embedded:
        config = {**EMBEDDED, **config}
    options = consumer_config(config, settings.input.group, settings.input.instance)
    return KafkaSource(options, topic, settings.learning.max_batch, cluster.topic_id(topic))


def _sink(settings: Settings, topics: Mapping[str, int]) -> KafkaSink:
    dead = settings.dead_letter_topic
    return KafkaSink(client_config(settings), settings.output.topic, dead, topics[dead])


def _flows(settings: Settings, sink: KafkaSink, partitions: int) -> Callable[[Learning], Flow]:
    schema = schema_of(settings)
    version = versions()["streamfit"]

    def new_flow(learning: Learning) -> Flow:
        is_classes = learning.learner.task is Task.CLASSIFICATION
        return Flow(
            decoder=decoder_of(settings),
            learning=learning,
            encoder=PredictionEncoder(schema.classes if is_classes else None, partitions),
            sink=sink,
            clocks=(time.perf_counter, time.time),
            version=version,
        )

    return new_flow


def client_config(settings: Settings) -> dict[str, str | int | float | bool]:
    """Give the options of any client, with secrets read from their files."""
    try:
        return settings.kafka.client_config()
    except OSError as error:
        raise SettingsError(
            f"kafka.librdkafka: {error.filename}: cannot be read ({error.strerror})"
        ) from None
