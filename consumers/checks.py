"""What `check` looks at, one finding each; nothing here changes anything that lasts."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import numpy as np
from confluent_kafka import KafkaException, TopicPartition

from consumers.checkpoints.recovery import Recovery
from consumers.checkpoints.series import GLOBAL
from consumers.checkpoints.store import open_store
from consumers.checkpoints.store_errors import masked
from consumers.errors import (
    CheckpointError,
    DataPolicyError,
    KafkaUnreachableError,
    SettingsError,
    StreamfitError,
)
from consumers.kafka.cluster import Cluster
from consumers.kafka.config import client_config, consumer_config
from consumers.kafka.consumer import Consumer
from consumers.kafka.failures import Complaints, making_a_client
from consumers.kafka.group_offsets import GroupOffsets
from consumers.kafka.kafka_source import records_of
from consumers.settings import Settings
from consumers.wiring import (
    checkpoints_of,
    decoder_of,
    drift_of,
    learner_of,
    learning_of,
    policies_of,
)
from learners.events import Records

_log = logging.getLogger("streamfit.check")
SAMPLES = 10
TIMEOUT_S = 8.0
READ_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what : str
        What it is.
    found : str
        What was found there, on one line.
    error : StreamfitError or None
        Set where it keeps `run` from working.
    """

    what: str
    found: str
    error: StreamfitError | None = None


def findings(settings: Settings) -> Iterator[Finding]:
    """Look at one thing after the other; ends early where the rest hangs on what failed."""
    yield from built(settings)
    yield try_store(settings)
    cluster = Cluster(client_config(settings))
    try:
        there = cluster.partitions()
    except KafkaUnreachableError as error:
        yield Finding("kafka", str(error), error)
        return
    yield Finding("kafka", f"{settings.kafka.bootstrap_servers} answers, {len(there)} topics")
    topic = settings.input.topic
    yield _topic(cluster, "input.topic", topic, there)
    if there.get(topic):
        yield sample(settings, there[topic])
        yield next_start(settings, there[topic], cluster.topic_id(topic))
    for key, name in (
        ("output.topic", settings.output.topic),
        ("output.dead_letter_topic", settings.dead_letter_topic),
    ):
        found = _topic(cluster, key, name, there)
        yield _writable(cluster, key, name, found) if found.error is None else found


def built(settings: Settings) -> Iterator[Finding]:
    """Build the model and its drift detectors, and throw them away.

    Raises
    ------
    SettingsError
        If they cannot be built.
    """
    learner = learner_of(settings)
    steps = " > ".join(step.use for step in settings.model.steps)
    stride = f"stride {learner.stride}"
    yield Finding("model", f"{steps}, {learner.task}, {learner.path} path, {stride}")
    watching = ", ".join(spec.name for spec in drift_of(settings, learner.task))
    yield Finding("drift", f"watched by {watching}" if watching else "not watched")


def try_store(settings: Settings) -> Finding:
    """Write something to the store, and remove it again."""
    address = settings.checkpoint.store
    store = open_store(address)
    name, told = f"check-{uuid4().hex}", masked(address)
    try:
        store.put(name, b"streamfit check")
        store.delete(name)
    except OSError as error:
        text = f"checkpoint.store = {told!r}: cannot write ({error}); grant the right"
        return Finding("checkpoint.store", text, DataPolicyError(text))
    return Finding("checkpoint.store", f"{told} can be written")


def _topic(cluster: Cluster, key: str, topic: str, there: dict[str, int]) -> Finding:
    count = there.get(topic)
    text = cluster.problem(key, topic, count)
    if text is not None:
        return Finding(key, text, KafkaUnreachableError(text))
    return Finding(key, f"{topic}, {count} partition{'' if count == 1 else 's'}")


def _writable(cluster: Cluster, key: str, topic: str, found: Finding) -> Finding:
    may = cluster.may_write(topic)
    if may is False:
        text = f"{key} = {topic!r}: this login may not write to it; grant WRITE"
        return Finding(key, text, KafkaUnreachableError(text))
    told = "can be written" if may else "the broker cannot tell whether it can be written"
    return Finding(key, f"{found.found}, {told}")


def sample(settings: Settings, partitions: int) -> Finding:
    """Decode the last records of the input topic, and keep nothing of them."""
    try:
        records = _last_records(settings, partitions)
    except KafkaException as error:
        text = f"input.topic: cannot be read ({error.args[0].str()})"
        return Finding("sample", text, KafkaUnreachableError(text))
    if records is None:
        return Finding("sample", "no event there yet")
    decoded = decoder_of(settings).decode(records)
    good, bad = len(decoded.batch), decoded.rejections
    if bad and not good:
        first = bad[0]
        text = f"none of the last {len(records)} records decodes: {first.stage}: {first.detail}"
        return Finding("sample", text, SettingsError(f"schema: {text}; mend [schema]"))
    labelled = int(np.count_nonzero(decoded.batch.labelled))
    told = f"{good} of the last {len(records)} records decode, {labelled} have a label"
    if settings.schema_.label and not labelled:
        told += f" (is it really called {settings.schema_.label!r}?)"
    return Finding("sample", f"{told}; first refused: {bad[0].detail}" if bad else told)


def next_start(settings: Settings, partitions: int, topic_id: str | None) -> Finding:
    """Hold the group's offsets against its checkpoints, as a start would; joins nothing."""
    topic, group = settings.input.topic, settings.input.group
    config = consumer_config(client_config(settings), group, None)
    offsets = GroupOffsets(config, topic, range(partitions), topic_id)
    try:
        return Finding("input.group", _start(settings, offsets))
    except OSError as error:
        text = f"checkpoint.store: cannot be read ({error}); mount it, or grant the right to read"
        return Finding("input.group", text, CheckpointError(text))
    except StreamfitError as error:
        return Finding("input.group", str(error), error)
    finally:
        offsets.close()


def _start(settings: Settings, positions: GroupOffsets) -> str:
    """Tell where each model would go on, having restored it once."""
    committed = positions.committed()
    partitioned = settings.learning.scope == "partition"
    models = [(str(p), {p: committed[p]}) for p in committed] if partitioned else None
    versions, skipped = [], 0
    for scope, places in models or [(GLOBAL, committed)]:
        checkpoints = checkpoints_of(settings, scope)
        restart = Recovery(positions, checkpoints, policies_of(settings)).find(places, sweep=False)
        skipped += sum(restart.skipped.values())
        if restart.content is not None:
            learning = learning_of(settings, try_out=False)
            learning.restore(restart.content)
            versions.append(learning.learner.model_version)
    group, begin = settings.input.group, settings.input.start
    if not versions:
        return f"{group} is new, begins at {begin}"
    told = f"{group} goes on at model version {min(versions):,}"
    if partitioned:
        told = f"{group} goes on with models of {len(versions)} of {len(committed)} partitions, "
        told += f"at model versions {min(versions):,} to {max(versions):,}"
    return f"{told}, without {skipped:,} records that are gone" if skipped else told


def _last_records(settings: Settings, partitions: int) -> Records | None:
    """Read the last records of the first partition that has any, as no member of any group."""
    config = consumer_config(client_config(settings), settings.input.group, None)
    topic = settings.input.topic
    with making_a_client():
        consumer = Consumer(config, Complaints(topic), _log)
    try:
        for partition in range(partitions):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)
            if high > low:
                begin = max(low, high - SAMPLES)
                consumer.assign([TopicPartition(topic, partition, begin)])
                return _read(consumer, topic, high - begin)
        return None
    finally:
        consumer.close()


def _read(consumer: Consumer, topic: str, count: int) -> Records | None:
    """Read until there are so many, or the partition has no more, or it takes too long."""
    reads: list[Records] = []
    deadline_s = time.monotonic() + READ_TIMEOUT_S
    while (left := count - sum(map(len, reads))) > 0 and time.monotonic() < deadline_s:
        found = consumer.read(left, deadline_s - time.monotonic())
        if found is None:
            break
        if len(found):
            reads.append(records_of(topic, found))
        if found.failures:  # such as the end
            break
    return Records.joined(reads) if reads else None
