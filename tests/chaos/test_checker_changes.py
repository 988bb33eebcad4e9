"""The checker finds each single thing that is changed in what an honest run has left."""

from dataclasses import replace

import numpy as np
import pytest

from tests.chaos.changes import (
    Change,
    again,
    both,
    changed,
    committed,
    damaged,
    flipped,
    held,
    learner,
    letters,
    manifest,
    model,
    moved,
    pointing_back,
    predictions,
    records,
    refused,
    uncommitted,
    unpointed,
    without,
)
from tests.chaos.plays import found_in, has, played


def _headers(stage: bytes) -> dict[str, bytes]:
    told = {"partition": b"0", "offset": b"0", "stage": stage, "topic": b"events"}
    return {f"streamfit.error.{name}": value for name, value in told.items()}


BROKEN: dict[str, tuple[Change, str, str]] = {
    "a weight is 1e-6 off": (
        model(lambda p: np.add(p[-1].coef_, 1e-6, out=p[-1].coef_)),
        *("O1", r"SGDClassifier\.coef_ is .*, scikit-learn has"),
    ),
    "the intercept is not a number": (
        model(lambda p: p[-1].intercept_.fill(np.nan)),
        *("O1", r"SGDClassifier\.intercept_ is"),
    ),
    "the scaler has learned one event more": (
        model(lambda p: p[0].partial_fit([[0.0, 10.0, 0.0]])),
        *("O1", r"StandardScaler\.n_samples_seen_ is"),
    ),
    "the model has learned one event twice": (
        model(lambda p: p[-1].partial_fit([[0.1, 0.1, 0.1]], ["up"])),
        *("O1", r"SGDClassifier\.t_ is"),
    ),
    "the model has an attribute too few": (
        model(lambda p: delattr(p[0], "var_")),
        *("O1", r"StandardScaler\.var_ is not there"),
    ),
    "the model has another step": (model(lambda p: p.steps.pop(0)), "O1", "another pipeline"),
    "the learner counts otherwise": (learner(model_version=7), "O1", "model version 7, but"),
    "the learner has an open stride": (
        learner(open_rows=[[1.0, 2.0, 3.0]], open_labels=[1]),
        *("O1", "the open stride has 1 rows"),
    ),
    "the checkpoint is gone: commit before save": (damaged(lambda _: None), "O1", "is missing"),
    "the checkpoint has another byte": (damaged(lambda d: d + b"."), "O1", "sha256 is not"),
    "the checkpoint is no zip": (
        damaged(lambda d: d[:100], pointed=True),
        *("O1", "cannot be opened"),
    ),
    "the checkpoint is of another epoch": (manifest(epoch=3), "O1", "is of epoch 3, the pointer"),
    "the checkpoint has another size": (committed(size=5), "O1", "the pointer says 5"),
    "the checkpoint is another model's": (
        lambda e: replace(e, where=replace(e.where, group="other")),
        *("O1", "not where those of model global are kept"),
    ),
    "the pointer is old: commit before save": (
        pointing_back(0, 1, 2),
        *("O1", r"partition \d is committed at \d+, its checkpoint \S+ holds next offset"),
    ),
    "one partition points back: forgotten when it was revoked": (
        pointing_back(1, offsets_too=True),
        *("O1", r"partition 1 points to \S+, the newest of model global is"),
    ),
    "there is no pointer": (unpointed, "O1", "partition 1 is committed at .* without a pointer"),
    "a partition has no offset": (uncommitted, "O1", "partition 1 points to None"),
    "offsets are one too high": (committed(offset=1), "O1", "holds next offset"),
    "offsets are one too low": (committed(0, offset=-1), "O1", "partition 0 is committed at"),
    "the next offsets of the checkpoint are others": (
        manifest(next_offsets={"0": 1, "1": 1, "2": 1}),
        *("O1", "holds next offset 1"),
    ),
    "a probability is 1e-6 off": (
        predictions(changed, 0, 20, probability=0.123),
        *("O1", r"probability 0\.123; scikit-learn says"),
    ),
    "a probability is left out": (
        predictions(changed, 0, 20, probability=None),
        *("O2", "prediction at 0/20: unreadable"),
    ),
    "a prediction is of another class": (
        predictions(changed, 0, 20, prediction="sideways"),
        *("O1", "is 'sideways' at version"),
    ),
    "a version comes twice": (
        predictions(changed, 0, 20, model_version=3),
        *("O1", "both have version|less than follows"),
    ),
    "a version is missing": (
        predictions(changed, 0, 20, model_version=3),
        *("O1", "model versions have no labelled event, first"),
    ),
    "a version is beyond all events": (
        predictions(changed, 0, -1, model_version=1000),
        *("O1", "has model version 1000, but only"),
    ),
    "a prediction is missing: the flush was left out": (
        predictions(without, 0, 20),
        *("O2", "below the committed offset, and neither"),
    ),
    "the last prediction is missing": (
        predictions(without, 2, -1),
        *("O2", "below the committed offset, and neither"),
    ),
    "a dead letter is missing": (letters(without, 0, 0), "O2", "neither in the predictions"),
    "a dead letter is also predicted": (both, "O2", "record 0/0 has both"),
    "a valid event is a dead letter": (
        refused,
        *("O2", "record 0/0 is a valid event, and a dead letter of stage decode"),
    ),
    "an event that spoils nothing is a dead letter for that": (
        lambda e: letters(changed, 0, -1, headers=_headers(b"learn"))(refused(e)),
        *("O2", "record 0/0 is a valid event, and a dead letter of stage learn"),
    ),
    "a dead letter does not tell its origin": (
        letters(changed, 0, 0, headers={}),
        *("O2", "dead letter at 0/0: no origin"),
    ),
    "a dead letter is of another topic": (
        lambda e: replace(e, where=replace(e.where, topic="other")),
        *("O2", "dead letter at 0/0: no origin"),
    ),
    "a dead letter holds another value": (
        letters(changed, 0, 0, value=b"["),
        *("O2", "a dead letter with another key or value"),
    ),
    "a tombstone is predicted": (records(changed, 0, 0, value=None), "O2", "is a tombstone"),
    "a bad record is predicted": (
        records(changed, 0, 0, value=b"{}"),
        *("O2", "record 0/0 is no valid event, and has a prediction"),
    ),
    "a record out of range is predicted": (
        records(changed, 0, 0, json_features={"a": 1e30, "b": 0.0, "c": 0.0}),
        *("O2", "record 0/0 is no valid event"),
    ),
    "a prediction is of nothing": (
        predictions(changed, 0, -1, json_offset=999),
        *("O2", r"prediction of record \d/999, which is not there"),
    ),
    "a prediction is unreadable": (predictions(changed, 0, 3, value=b"?"), "O2", "at 0/3: unread"),
    "a prediction has another id": (
        predictions(changed, 0, 3, id="e999"),
        *("O2", "its prediction 'e999'"),
    ),
    "a prediction has another key": (
        predictions(changed, 0, 3, key=b"other"),
        *("O2", "its prediction b'other'"),
    ),
    "predictions come again": (predictions(again, 0, -3), "O3", r"stands 2 times, at 0/\d+, 0/"),
    "dead letters come again": (letters(again, 0, -1), "O3", "dead letter .* stands 2 times"),
    "a partition is behind": (
        lambda e: replace(e, committed={p: replace(c, offset=1) for p, c in e.committed.items()}),
        *("O5", "is committed at 1, its input ends at"),
    ),
    "an offset is beyond the end": (committed(0, offset=7), "O5", "partition 0 is committed at"),
    "a partition is not committed": (uncommitted, "O5", "partition 1 is committed at 0"),
    "predictions are in an open transaction": (
        held("predictions"),
        *("O6", "holds predictions/0: it ends at 12, and can be read up to 10"),
    ),
    "dead letters are in an open transaction": (held("dead"), "O6", "holds dead/0"),
    "offsets are in an open transaction": (
        lambda e: replace(e, offsets_stable=False),
        *("O6", "holds the committed offsets"),
    ),
    "two events are exchanged": (flipped, "O8", "of partition 0 in output partition 0: offset"),
    "an event is in two output partitions": (moved, "O8", "is in partitions . and . of the pred"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_found(name: str) -> None:
    change, rule, text = BROKEN[name]
    evidence, _ = played()
    found = found_in(change(evidence))
    assert has(found, rule, text), list(map(str, found))
