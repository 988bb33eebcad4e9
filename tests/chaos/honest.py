"""An honest run, played in memory by scikit-learn alone; what it leaves is what is checked.

Stands in for the program in tests of the checker, and shares nothing with the oracle.
"""

import copy
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.chaos.evidence import Committed, End, Evidence, Model, Record, Where
from tests.chaos.honest_model import Learned, pointer

WHERE = Where("nowhere", "events", "predictions", "dead", "group", Path("nowhere"))
Raw = tuple[bytes | None, bytes | None]


def events(count: int, *, seed: int = 1, bare: float = 0.0) -> list[Raw]:
    """Make events, a share of them without a label."""
    random = np.random.default_rng(seed)
    made: list[Raw] = []
    X = random.normal((0.0, 10.0, 0.0), size=(count, 3))
    for i, x in enumerate(X):
        value: dict[str, Any] = {"id": f"e{i}", "features": dict(zip("abc", x, strict=True))}
        if random.random() >= bare:
            value["label"] = "up" if x[0] + x[2] > 0 else "down"
        made.append((f"k{i % 5}".encode(), json.dumps(value).encode()))
    return made


class HonestRun:
    """Learns the input as promised.

    Parameters
    ----------
    raw : sequence of (bytes or None, bytes or None)
        Keys and values, dealt to the partitions in turn.
    partitions : int
        Of the input and of the predictions.
    scope, delivery : str
        As in the settings.

    Attributes
    ----------
    too_large : set of str
        Ids of events whose predictions are refused by the broker.
    """

    def __init__(
        self,
        raw: Sequence[Raw],
        partitions: int = 1,
        scope: str = "global",
        delivery: str = "at_least_once",
    ) -> None:
        self.too_large: set[str] = set()
        self.scope, self.once = scope, delivery == "exactly_once"
        self.input: dict[int, list[Record]] = {p: [] for p in range(partitions)}
        for i, (key, value) in enumerate(raw):
            log = self.input[i % partitions]
            log.append(Record(i % partitions, len(log), key, value, {}))
        self.predictions: dict[int, list[Record]] = {p: [] for p in range(partitions)}
        self.dead_letters: dict[int, list[Record]] = {0: []}
        names = ["global"] if scope == "global" else list(map(str, range(partitions)))
        self.models = {name: Learned() for name in names}
        self.next = dict.fromkeys(range(partitions), 0)
        self.committed: dict[int, Committed] = {}
        self.checkpoints: dict[str, bytes] = {}
        self.history: list[dict[int, tuple[int, int]]] = []
        self._sent = 0
        self._kept = copy.deepcopy((self.models, self.next, self.predictions, self.dead_letters))

    def read(self, partition: int, count: int = 1) -> None:
        """Work off the next records of a partition."""
        for _ in range(min(count, len(self.input[partition]) - self.next[partition])):
            record = self.input[partition][self.next[partition]]
            self.next[partition] += 1
            if record.value is not None:
                self._work_off(record)

    def commit(self) -> None:
        """End an epoch: a checkpoint of each model, and the offsets that point to it."""
        for name, model in self.models.items():
            offsets = {p: n for p, n in self.next.items() if name in {"global", str(p)}}
            if name != "global" and all(
                p in self.committed and self.committed[p].offset == n for p, n in offsets.items()
            ):
                continue
            metadata = self._save(name, model, offsets)
            self.committed |= {p: Committed(n, metadata) for p, n in offsets.items()}
        self.history.append({p: (c.offset, self.epoch_of(p)) for p, c in self.committed.items()})
        self._kept = copy.deepcopy((self.models, self.next, self.predictions, self.dead_letters))

    def crash(self) -> None:
        """Die, and go on from the committed offsets; under `exactly_once`, output goes with it."""
        self.models, self.next, *output = copy.deepcopy(self._kept)
        if self.once:
            self.predictions, self.dead_letters = output

    def evidence(self) -> Evidence:
        """What it has left by now."""
        logs = {
            "events": self.input,
            "predictions": self.predictions,
            "dead": self.dead_letters,
        }
        ends = [
            End(topic, p, end := (log[-1].offset + 2 if log else 0), end)
            for topic, parts in logs.items()
            for p, log in parts.items()
        ]
        return Evidence(
            where=WHERE,
            model=Model(),
            input=copy.deepcopy(self.input),
            predictions=copy.deepcopy(self.predictions),
            dead_letters=copy.deepcopy(self.dead_letters),
            ends=ends,
            committed=dict(self.committed),
            offsets_stable=True,
            checkpoints=dict(self.checkpoints),
            names=tuple(self.checkpoints),
        )

    def epoch_of(self, partition: int) -> int:
        """Give the epoch that a partition's offset points to."""
        epoch: int = json.loads(self.committed[partition].metadata)["epoch"]
        return epoch

    def _work_off(self, record: Record) -> None:
        model = self.models["global" if self.scope == "global" else str(record.partition)]
        assert record.value is not None
        try:
            event = json.loads(record.value)
        except ValueError:
            self._refuse(record)
            return
        version = model.version
        said, probability = model.test_then_train(event)
        fields = {
            "id": event["id"],
            "prediction": said,
            "probability": probability,
            "model_version": version,
            "partition": record.partition,
            "offset": record.offset,
        }
        output = record.partition if record.key is None else zlib.crc32(record.key)
        value = json.dumps(fields).encode()
        if event["id"] in self.too_large:
            headers = {"streamfit.error.stage": b"produce"}
            self._send(self.dead_letters, 0, record.key, value, headers)
        else:
            self._send(self.predictions, output, record.key, value, {})

    def _refuse(self, record: Record) -> None:
        told = {"stage": "decode", "topic": "events"}
        told |= {"partition": str(record.partition), "offset": str(record.offset)}
        headers = {f"streamfit.error.{name}": text.encode() for name, text in told.items()}
        self._send(self.dead_letters, 0, record.key, record.value, headers)

    def _send(
        self,
        topic: dict[int, list[Record]],
        output: int,
        key: bytes | None,
        value: bytes | None,
        headers: dict[str, bytes],
    ) -> None:
        log = topic[output % len(topic)]
        self._sent += 1
        offset = log[-1].offset + 1 if log else 0
        log.append(Record(output % len(topic), offset, key, value, dict(headers), self._sent))

    def _save(self, name: str, model: Learned, offsets: dict[int, int]) -> str:
        model.epoch += 1
        data = model.checkpoint(offsets)
        key = f"group/events/{name}/{model.epoch:010d}-{len(self.checkpoints)}"
        self.checkpoints[key] = data
        model.parent = pointer(key, data, model.epoch)
        return json.dumps(model.parent)


def finish(run: HonestRun, seed: int = 1, crashes: int = 0, every: int = 20) -> Evidence:
    """Work off all input in a random order, with so many crashes; gives the evidence."""
    random = np.random.default_rng(seed)
    size = sum(map(len, run.input.values()))
    dying = set(random.choice(np.arange(5, size), size=crashes, replace=False).tolist())
    turn = 0
    while lagging := [p for p, log in run.input.items() if run.next[p] < len(log)]:
        run.read(int(random.choice(lagging)))
        turn += 1
        if turn % every == 0:
            run.commit()
        if turn in dying:
            run.crash()
    run.commit()
    return run.evidence()
