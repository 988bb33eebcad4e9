"""What must hold after every commit, whatever failed before it (O1 to O4 of the faults).

Works from the input alone: what a model must have learned is told by a fold that knows nothing
of the code under test. The learner is a chain of hashes, which shows every event left out, learned
twice or out of order.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from consumers.checkpoints.pointer import Pointer, from_metadata
from learners.events import EventBatch, Predictions
from learners.learner import LearnerSnapshot, Task
from tests.fakes import Cluster
from tests.lineages import open_checkpoints

CLASSES = ("down", "up")


class ChainLearner:
    """Learns a hash of everything that it has learned, and predicts by it."""

    task, path, stride = Task.CLASSIFICATION, "general", 1

    def __init__(self) -> None:
        self.model_version = 0
        self.chain = b""

    def test_then_train(self, batch: EventBatch) -> Predictions:
        values, versions = [], []
        for x, y, labelled in zip(batch.X, batch.y, batch.labelled, strict=True):
            values.append(self.chain[0] % 2 if self.chain else 0)
            versions.append(self.model_version)
            if labelled:
                self.chain = link(self.chain, x.tolist(), CLASSES[y])
                self.model_version += 1
        count = len(batch)
        return Predictions(
            np.array(values, dtype=np.int64),
            np.full((count, 2), 0.5),
            np.array(versions, dtype=np.int64),
            np.ones(count, dtype=np.bool_),
        )

    def snapshot(self) -> LearnerSnapshot:
        return LearnerSnapshot(self.chain, json.dumps(self.model_version).encode())

    def restore(self, snapshot: LearnerSnapshot) -> None:
        self.chain, self.model_version = snapshot.model, json.loads(snapshot.state)


def link(chain: bytes, x: list[float], label: str) -> bytes:
    """Learn one event."""
    return hashlib.sha256(chain + json.dumps([x, label]).encode()).digest()


def fold(values: Iterable[bytes | None]) -> tuple[bytes, int]:
    """Give what must be learned from some values: the chain, and how many events."""
    chain, count = b"", 0
    for value in values:
        found = parsed(value)
        if found is not None and found["y"] is not None:
            features = found["features"]
            chain, count = link(chain, [features["a"], features["b"]], found["y"]), count + 1
    return chain, count


def parsed(value: bytes | None) -> dict[str, Any] | None:
    """Give an event; None for what is no event."""
    try:
        found: dict[str, Any] = json.loads(value or b"")
    except json.JSONDecodeError:
        return None
    return found


def predicted(cluster: Cluster) -> list[tuple[int, int]]:
    """Partition and offset of each prediction that is seen, in the order of arrival."""
    said = [json.loads(value) for _, value, _ in cluster.predictions]
    return [(each["partition"], each["offset"]) for each in said]


def lettered(cluster: Cluster) -> list[tuple[int, int]]:
    """Partition and offset of each dead letter that is seen, in the order of arrival."""
    headers = [dict(letter.headers) for letter in cluster.letters]
    names = ("streamfit.error.partition", "streamfit.error.offset")
    return [(int(each[names[0]] or 0), int(each[names[1]] or 0)) for each in headers]


class Audit:
    """Looks at a cluster after each commit.

    Parameters
    ----------
    once : bool
        Whether no prediction may be seen twice.
    chained : bool
        Whether the models are chains.
    gaps : dict of int to range
        Partition to offsets that retention removed before they were read.
    """

    def __init__(
        self, *, once: bool, chained: bool = True, gaps: dict[int, range] | None = None
    ) -> None:
        self._once = once
        self._chained = chained
        self._gaps = gaps or {}
        self._offsets: dict[int, int] = {}
        self._epochs: dict[int, int] = {}

    def __call__(self, cluster: Cluster) -> None:
        """Note what is wrong in the cluster's violations."""
        for partition, place in cluster.committed.items():
            pointer = from_metadata(place.metadata)
            if pointer is None or place.offset is None:
                continue
            cluster.violations += self._never_goes_back(partition, place.offset, pointer)
            cluster.violations += self._nothing_is_missing(cluster, partition, place.offset)
            cluster.violations += self._learned_once(cluster, partition, place.offset, pointer)
        cluster.violations += self._repeats(cluster)

    def _never_goes_back(self, partition: int, offset: int, pointer: Pointer) -> list[str]:
        before = self._offsets.get(partition, 0), self._epochs.get(partition, 0)
        self._offsets[partition], self._epochs[partition] = offset, pointer.epoch
        if offset < before[0] or pointer.epoch < before[1]:
            return [f"O4: partition {partition}: {before} to {offset, pointer.epoch}"]
        return []

    def _nothing_is_missing(self, cluster: Cluster, partition: int, offset: int) -> list[str]:
        there = set(predicted(cluster)) | set(lettered(cluster))
        return [
            f"O2: {partition, at} is nowhere"
            for at, value in self._learnable(cluster, partition, offset)
            if value is not None and (partition, at) not in there
        ]

    def _learnable(
        self, cluster: Cluster, partition: int, end: int
    ) -> list[tuple[int, bytes | None]]:
        gap = self._gaps.get(partition, range(0))
        values = enumerate(cluster.log[partition][:end])
        return [(at, value) for at, value in values if at not in gap]

    def _learned_once(
        self, cluster: Cluster, partition: int, offset: int, pointer: Pointer
    ) -> list[str]:
        scope = pointer.key.split("/")[2]
        if not self._chained or (scope == "global" and len(cluster.log) > 1):
            return []  # reads may bring several partitions in another order
        checkpoints = open_checkpoints(cluster.store, scope=scope)
        checkpoints.open(sweep=False)
        manifest, content = checkpoints.load(pointer)
        values = [value for _, value in self._learnable(cluster, partition, offset)]
        learned = content.model, json.loads(content.state["learner"])
        if manifest.offsets() != {partition: offset}:
            return [f"pointer and offset differ: {manifest.offsets()}, {partition, offset}"]
        if learned != fold(values):
            return [f"O1: partition {partition} at {offset}: {learned[1]} learned, and otherwise"]
        return []

    def _repeats(self, cluster: Cluster) -> list[str]:
        alone = len(cluster.log) == 1
        if alone and len(set(cluster.predictions)) > len(set(predicted(cluster))):
            return ["O3: a repeated prediction says something else"]
        if not self._once:
            return []
        twice = [at for at, n in Counter(predicted(cluster)).items() if n > 1]
        twice += [at for at, n in Counter(lettered(cluster)).items() if n > 1]
        return [f"O3: {at} is seen twice" for at in twice]
