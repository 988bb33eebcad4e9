"""All that must survive a restart: what is taken down and taken over, and what is refused."""

import logging
import os
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.checkpoints.checkpoint import Content
from consumers.errors import CheckpointError
from consumers.loop.learning import Learning
from consumers.loop.step import Step
from consumers.settings import from_tables
from consumers.wiring import learning_of
from learners.drift.snapshot import Saved, Snapshot, decode, encode
from tests.batches import batch_of
from tests.settings_tables import tables


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(logging.getLogger("streamfit"), "propagate", True)
    caplog.set_level(logging.INFO, "streamfit.run")
    return caplog


def learning(**drift: Any) -> Learning:
    return learning_of(from_tables(tables({"drift": drift})))


def learned(count: int = 500, **drift: Any) -> Learning:
    made = learning(**drift)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, count)
    Step(made.learner, made.scores, made.drift)(batch_of(rng.normal(size=(count, 2)), y))
    return made


def test_everything_goes_on_where_it_was(log: pytest.LogCaptureFixture) -> None:
    content = learned().snapshot()
    restored = learning()
    restored.restore(content)
    again = restored.snapshot()
    assert (again.state["scores"], again.drift) == (content.state["scores"], content.drift)
    assert restored.learner.model_version == 500
    assert content.drift
    assert log.messages == []


def test_a_checkpoint_of_before_there_were_detectors_is_taken_over(
    log: pytest.LogCaptureFixture,
) -> None:
    content = replace(learned().snapshot(), drift=b"")
    restored = learning()
    restored.restore(content)
    assert restored.learner.model_version == 500
    assert restored.drift.snapshot() == learning().drift.snapshot()
    assert log.messages == ["drift: adwin begins anew: the checkpoint has none of it"]


def test_a_detector_that_was_set_otherwise_begins_anew_and_the_model_does_not(
    log: pytest.LogCaptureFixture,
) -> None:
    restored = learning(delta=0.1)
    restored.restore(learned().snapshot())
    assert restored.learner.model_version == 500
    assert restored.drift.snapshot() == learning(delta=0.1).drift.snapshot()
    assert log.messages == ["drift: adwin begins anew: delta was 0.002 and is 0.1"]


def test_without_detectors_those_of_a_checkpoint_are_left_alone(
    log: pytest.LogCaptureFixture,
) -> None:
    restored = learning(detector="none")
    restored.restore(replace(learned().snapshot(), drift=b"whatever"))
    assert restored.snapshot().drift == b""
    assert log.messages == []


class Touches:
    """Is unpickled by making a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self._path}",)


def test_detectors_that_would_run_something_are_refused_and_nothing_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    content = learned().snapshot()
    whole = decode(content.drift)
    seen = pickle.dumps({"_drift_detected": False, "_helper": Touches(trace)})
    saved = Saved(whole.detectors["adwin"].params, seen)
    for drift in (encode(Snapshot(whole.river, {"adwin": saved})), seen):
        with pytest.raises(
            CheckpointError, match=r"^checkpoint: the .* cannot be read: .*rollback"
        ):
            learning().restore(Content(content.model, content.state, drift))
    assert not trace.exists()
