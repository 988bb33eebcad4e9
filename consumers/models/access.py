"""Opens what the `models` commands work on: a model's checkpoints, and its group's offsets."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from consumers.checkpoints.agreement import Claims
from consumers.checkpoints.checkpoint import Content
from consumers.checkpoints.series import GLOBAL, Checkpoints, Place
from consumers.checkpoints.store import open_store
from consumers.errors import KafkaUnreachableError, SettingsError
from consumers.kafka.cluster import Cluster, require_rights
from consumers.kafka.config import client_config, consumer_config
from consumers.kafka.edges import Edges
from consumers.kafka.group_offsets import GroupOffsets, members_of, require_empty
from consumers.models.inspection import Inspection
from consumers.models.rollback import Rollback
from consumers.models.stored import Catalogue
from consumers.settings import Settings
from consumers.wiring import checkpoints_of, learning_of


def open_inspection(settings: Settings, partition: int | None) -> Inspection:
    """Open the checkpoints of one model; what is committed is left open if Kafka is away.

    Parameters
    ----------
    settings : Settings
    partition : int or None
        Which model, where each partition has its own; else None.

    Raises
    ------
    SettingsError
        If `partition` does not fit the settings or the topic.
    """
    count, claims, unreachable = None, None, None
    cluster = Cluster(client_config(settings))
    try:
        count = _count(cluster, settings)
    except KafkaUnreachableError as error:
        unreachable = error
    scope = _scope(settings, partition, count)
    if count is not None:
        try:
            if not cluster.embedded:  # a group that is hidden is told at once only when asked so
                members_of(client_config(settings), settings.input.group)
            claims = _claims(settings, _partitions(partition, count))
        except KafkaUnreachableError as error:
            unreachable = error
    checkpoints = checkpoints_of(settings, scope)
    return Inspection(_catalogue(settings, checkpoints), checkpoints, claims, unreachable)


@contextmanager
def open_rollback(
    settings: Settings, partition: int | None
) -> Iterator[tuple[Rollback, Callable[[], None]]]:
    """Connect to go back; gives the rollback, and what sees again that nobody is in the group.

    Parameters
    ----------
    settings : Settings
        They name the model.
    partition : int or None
        Which one, where each partition has its own; else None.

    Raises
    ------
    SettingsError
        If `partition` does not fit the settings or the topic.
    FencedError
        If the group has a member.
    KafkaUnreachableError
        If Kafka does not answer, or this login may not read the topic.
    """
    config, group, topic = client_config(settings), settings.input.group, settings.input.topic
    cluster = Cluster(config)
    count = _count(cluster, settings)
    scope = _scope(settings, partition, count)
    require_rights(cluster, {"input.topic": topic})

    def see_empty() -> None:
        if not cluster.embedded:  # which cannot tell; the commit itself is refused there too
            require_empty(config, group)

    def fits(content: Content) -> None:
        learning_of(settings).restore(content)

    see_empty()
    checkpoints, partitions = checkpoints_of(settings, scope), _partitions(partition, count)
    options = consumer_config(config, group, None)
    with closing(GroupOffsets(options, topic, partitions, cluster.topic_id(topic))) as offsets:
        edges = Edges(offsets, settings.input.start)
        catalogue, on_gap = _catalogue(settings, checkpoints), settings.learning.on_gap
        yield Rollback(catalogue, checkpoints, offsets, edges, on_gap, fits), see_empty


def _count(cluster: Cluster, settings: Settings) -> int:
    topic = settings.input.topic
    return cluster.partitions_of({"input.topic": topic})[topic]


def _scope(settings: Settings, partition: int | None, count: int | None) -> str:
    """Name the model that is meant; `count` is the topic's number of partitions, where known."""
    if settings.learning.scope == GLOBAL:
        if partition is not None:
            raise SettingsError(
                f"--partition {partition}: learning.scope = 'global' has one model for all "
                "partitions; leave it out"
            )
        return GLOBAL
    if partition is None or (count is not None and partition >= count):
        there = _in_store(settings) if count is None else list(range(count))
        said = "missing" if partition is None else f"no such partition: {partition}"
        raise SettingsError(
            f"--partition: {said}; learning.scope = 'partition' has a model for each: "
            f"{', '.join(map(str, there)) or 'none yet'}"
        )
    return str(partition)


def _in_store(settings: Settings) -> list[int]:
    """Give the partitions that have checkpoints."""
    folder = Place(settings.input.group, settings.input.topic).prefix.rpartition("/")[0]
    names = open_store(settings.checkpoint.store).keys(folder)
    scopes = {name.removeprefix(f"{folder}/").partition("/")[0] for name in names}
    return sorted(int(scope) for scope in scopes if scope.isdecimal())


def _partitions(partition: int | None, count: int) -> list[int]:
    """Give the partitions of the model that is meant."""
    return list(range(count)) if partition is None else [partition]


def _claims(settings: Settings, partitions: list[int]) -> Claims:
    # Only looked at: an open transaction, which may yet move the offsets, need not be waited for.
    config: dict[str, Any] = consumer_config(client_config(settings), settings.input.group, None)
    config["isolation.level"] = "read_uncommitted"
    with closing(GroupOffsets(config, settings.input.topic, partitions, None)) as offsets:
        return Claims.of(offsets.committed(), None)


def _catalogue(settings: Settings, checkpoints: Checkpoints) -> Catalogue:
    store = open_store(settings.checkpoint.store)
    return Catalogue(checkpoints, store, settings.checkpoint.max_bytes)
