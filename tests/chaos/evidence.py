"""What a run left behind, as it stands in Kafka and in the store. Nothing is judged here.

Shares no code with the program: it reads Kafka's topics and offsets, and files.
"""

import io
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import TopicPartition

from tests.chaos.kafka_reading import (
    ALL,
    COMMITTED,
    Committed,
    End,
    Log,
    Record,
    committed_of,
    consumer_of,
    partitions_of,
    read,
    settled_ends,
)

__all__ = ["Committed", "End", "Evidence", "Log", "Model", "Record", "Where", "gather", "key_of"]

Label = str | int


@dataclass(frozen=True)
class Where:
    """Where a run reads and writes.

    Attributes
    ----------
    bootstrap, topic, predictions, dead_letters, group : str
        Address of Kafka, the names of the topics, and the consumer group.
    store : Path
        Root folder of the `file://` store.
    """

    bootstrap: str
    topic: str
    predictions: str
    dead_letters: str
    group: str
    store: Path


@dataclass(frozen=True)
class Model:
    """What the settings say of events and the model, as plain data.

    Attributes
    ----------
    features : tuple of str
        In the order of the model's columns.
    classes : tuple of str or int
        Empty for regression.
    steps : tuple of (str, dict)
        Name and parameters of each scikit-learn estimator.
    stride : int
        Labelled events between two updates.
    id_field, label_field : str or None
        None: there is none.
    features_in : str
        Field that holds the features; empty for flat rows.
    max_abs : float
        Largest absolute value of a feature.
    tame : float
        An event whose features are not above this cannot spoil the model.
    """

    features: tuple[str, ...] = ("a", "b", "c")
    classes: tuple[Label, ...] = ("down", "up")
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = (
        ("StandardScaler", {}),
        ("SGDClassifier", {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.01}),
    )
    stride: int = 1
    id_field: str | None = "id"
    label_field: str | None = "label"
    features_in: str = "features"
    max_abs: float = 1e15
    tame: float = 1e6


@dataclass(frozen=True)
class Evidence:
    """All that is judged.

    Attributes
    ----------
    where : Where
        What was read.
    model : Model
        What the run was told to learn.
    input, predictions, dead_letters : mapping of int to sequence of Record
        Each partition in order, as a `read_committed` reader sees it.
    ends : sequence of End
        Of all partitions of the three topics.
    committed : mapping of int to Committed
        Of the input's partitions that have an offset.
    offsets_stable : bool
        False if the coordinator did not tell the committed offsets, since a transaction is open.
    checkpoints : mapping of str to bytes
        By name: those that committed offsets point to, and their ancestors as far as there are any.
    names : tuple of str
        Of everything in the store.
    """

    where: Where
    model: Model
    input: Log
    predictions: Log
    dead_letters: Log
    ends: Sequence[End]
    committed: Mapping[int, Committed]
    offsets_stable: bool
    checkpoints: Mapping[str, bytes]
    names: tuple[str, ...]


def gather(where: Where, model: Model, timeout_s: float = 60, pending_s: float = 5) -> Evidence:
    """Read what a run left; nothing of it may be at work meanwhile.

    Parameters
    ----------
    where, model : Where, Model
        What to read.
    timeout_s : float
        For reading the topics.
    pending_s : float
        How long a transaction may take to end before it counts as open.

    Raises
    ------
    TimeoutError
        If Kafka does not give everything in time.
    """
    deadline = time.monotonic() + timeout_s
    topics = (where.topic, where.predictions, where.dead_letters)
    address = where.bootstrap, where.group
    with consumer_of(*address, COMMITTED) as reader, consumer_of(*address, ALL) as bystander:
        partitions = partitions_of(reader, where.topic)
        places = [TopicPartition(where.topic, partition) for partition in partitions]
        committed, stable = committed_of(reader, bystander, places, pending_s)
        ends = settled_ends(reader, bystander, topics, pending_s)
        events, predictions, letters = (read(reader, topic, ends, deadline) for topic in topics)
    names = tuple(
        path.relative_to(where.store).as_posix()
        for path in sorted(where.store.rglob("*"))
        if path.is_file()
    )
    checkpoints = _lineages(where.store, committed)
    return Evidence(
        where, model, events, predictions, letters, ends, committed, stable, checkpoints, names
    )


def _lineages(store: Path, committed: Mapping[int, Committed]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    keys = [key_of(place.metadata) for place in committed.values()]
    while keys:
        key = keys.pop()
        if key is None or key in found or not (store / key).is_file():
            continue
        found[key] = (store / key).read_bytes()
        keys.append(_parent_of(found[key]))
    return found


def key_of(metadata: str) -> str | None:
    """Give the name that a pointer tells, if the metadata is one."""
    try:
        key = json.loads(metadata)["key"]
    except (ValueError, KeyError, TypeError):
        return None
    return key if isinstance(key, str) else None


def _parent_of(checkpoint: bytes) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(checkpoint)) as archive:
            parent = json.loads(archive.read("manifest.json"))["parent"]
            return parent and str(parent["key"])
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError):
        return None
