"""Ways to break what an honest run has left behind."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import skops.io

from tests.chaos.evidence import Committed, End, Evidence, Log, Record
from tests.chaos.honest_model import packed, pointer
from tests.chaos.stored import parts_of

Change = Callable[[Evidence], Evidence]
Edit = Callable[..., dict[int, list[Record]]]


def changed(log: Log, partition: int, index: int, **changes: Any) -> dict[int, list[Record]]:
    """Change fields of a record, or of the JSON in it."""
    logs = {p: list(records) for p, records in log.items()}
    record = logs[partition][index]
    own = {k: v for k, v in changes.items() if k in Record.__slots__}
    told = {k: v for k, v in changes.items() if k not in own}
    if told:
        told = {name.removeprefix("json_"): value for name, value in told.items()}
        own["value"] = json.dumps(json.loads(record.value or b"") | told).encode()
    logs[partition][index] = replace(record, **own)
    return logs


def without(log: Log, partition: int, index: int) -> dict[int, list[Record]]:
    logs = {p: list(records) for p, records in log.items()}
    del logs[partition][index]
    return logs


def again(log: Log, partition: int, index: int, times: int = 1) -> dict[int, list[Record]]:
    """Repeat the last `-index` records of a partition at its end."""
    logs = {p: list(records) for p, records in log.items()}
    for _ in range(times):
        end = logs[partition][-1].offset
        tail = logs[partition][index:]
        logs[partition] += [replace(r, offset=end + 1 + i) for i, r in enumerate(tail)]
    return logs


def predictions(change: Edit, *at: int, **to: Any) -> Change:
    return lambda e: replace(e, predictions=change(e.predictions, *at, **to))


def letters(change: Edit, *at: int, **to: Any) -> Change:
    return lambda e: replace(e, dead_letters=change(e.dead_letters, *at, **to))


def records(change: Edit, *at: int, **to: Any) -> Change:
    return lambda e: replace(e, input=change(e.input, *at, **to))


def committed(partition: int | None = None, offset: int = 0, **to: Any) -> Change:
    """Move offsets by `offset`, and change their pointers."""

    def change(evidence: Evidence) -> Evidence:
        places = dict(evidence.committed)
        for p in places if partition is None else (partition,):
            metadata = json.dumps(json.loads(places[p].metadata) | to)
            places[p] = Committed(places[p].offset + offset, metadata)
        return replace(evidence, committed=places)

    return change


def unpointed(evidence: Evidence) -> Evidence:
    place = Committed(evidence.committed[1].offset, "")
    return replace(evidence, committed={**evidence.committed, 1: place})


def uncommitted(evidence: Evidence) -> Evidence:
    return replace(evidence, committed={p: c for p, c in evidence.committed.items() if p != 1})


def pointing_back(*partitions: int, offsets_too: bool = False) -> Change:
    """Let offsets point to the checkpoint before the last."""

    def change(evidence: Evidence) -> Evidence:
        places = dict(evidence.committed)
        for p in partitions:
            manifest, _ = parts_of(evidence.checkpoints[json.loads(places[p].metadata)["key"]])
            former, _ = parts_of(evidence.checkpoints[manifest["parent"]["key"]])
            offset = former["next_offsets"][str(p)] if offsets_too else places[p].offset
            places[p] = Committed(offset, json.dumps(manifest["parent"]))
        return replace(evidence, committed=places)

    return change


def repacked(
    change: Callable[[dict[str, Any], dict[str, bytes]], None],
) -> Change:
    """Change the last checkpoint, with all checksums right again."""

    def whole(evidence: Evidence) -> Evidence:
        old = json.loads(evidence.committed[0].metadata)
        manifest, parts = parts_of(evidence.checkpoints[old["key"]])
        change(manifest, parts)
        data = packed(parts, manifest)
        metadata = json.dumps(pointer(old["key"], data, old["epoch"]))
        places = {p: Committed(c.offset, metadata) for p, c in evidence.committed.items()}
        checkpoints = {**evidence.checkpoints, old["key"]: data}
        return replace(evidence, committed=places, checkpoints=checkpoints)

    return whole


def model(change: Callable[[Any], object]) -> Change:
    """Change the model in the last checkpoint."""

    def repack(_: dict[str, Any], parts: dict[str, bytes]) -> None:
        pipeline = skops.io.loads(parts["model.skops"])
        change(pipeline)
        parts["model.skops"] = skops.io.dumps(pipeline)

    return repacked(repack)


def manifest(**to: Any) -> Change:
    return repacked(lambda old, _: old.update(to))


def learner(**to: Any) -> Change:
    def repack(_: dict[str, Any], parts: dict[str, bytes]) -> None:
        state = json.loads(parts["state.json"])
        state["learner"] |= to
        parts["state.json"] = json.dumps(state).encode()

    return repacked(repack)


def damaged(change: Callable[[bytes], bytes | None], *, pointed: bool = False) -> Change:
    """Change the bytes of the last checkpoint; `pointed`: its pointer knows of it."""

    def whole(evidence: Evidence) -> Evidence:
        old = json.loads(evidence.committed[0].metadata)
        checkpoints, places = dict(evidence.checkpoints), evidence.committed
        data = change(checkpoints.pop(old["key"]))
        if data is not None:
            checkpoints[old["key"]] = data
            if pointed:
                metadata = json.dumps(pointer(old["key"], data, old["epoch"]))
                places = {p: Committed(c.offset, metadata) for p, c in places.items()}
        return replace(evidence, checkpoints=checkpoints, committed=places)

    return whole


def held(topic: str) -> Change:
    end = End(topic, 0, 10, 12)
    return lambda e: replace(e, ends=[*e.ends, end])


def flipped(evidence: Evidence) -> Evidence:
    """Exchange two events of one source partition in an output partition."""
    log = list(evidence.predictions[0])
    places = [(json.loads(r.value or b"")["partition"], i) for i, r in enumerate(log)]
    first, second = [i for partition, i in places if partition == 0][3:5]
    log[first], log[second] = (
        replace(log[second], offset=log[first].offset),
        replace(log[first], offset=log[second].offset),
    )
    return replace(evidence, predictions={**evidence.predictions, 0: log})


def moved(evidence: Evidence) -> Evidence:
    """Repeat a prediction in another output partition."""
    record = replace(evidence.predictions[0][-1], offset=evidence.predictions[1][-1].offset + 1)
    log = [*evidence.predictions[1], replace(record, partition=1)]
    return replace(evidence, predictions={**evidence.predictions, 1: log})


def both(evidence: Evidence) -> Evidence:
    """Let a predicted event be a dead letter, too."""
    event = evidence.input[0][0]
    headers = {**evidence.dead_letters[0][0].headers}
    headers |= {"streamfit.error.partition": b"0", "streamfit.error.offset": b"0"}
    letter = Record(0, 99, event.key, event.value, headers)
    return replace(evidence, dead_letters={0: [*evidence.dead_letters[0], letter]})


def refused(evidence: Evidence) -> Evidence:
    """Let an event be a dead letter instead of a prediction."""
    index = [_place(record) for record in evidence.predictions[0]].index((0, 0))
    gone = replace(evidence, predictions=without(evidence.predictions, 0, index))
    return both(gone)


def _place(record: Record) -> tuple[int, int]:
    told = json.loads(record.value or b"")
    return told["partition"], told["offset"]
