"""The state of detectors comes back, and whatever somebody puts in its place does not run."""

import builtins
import copyreg
import io
import os
import pickle
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from river.drift import ADWIN
from river.stats import Mean

from learners.drift.catalogue import NAMES, spec_of
from learners.drift.monitor import DriftMonitor
from learners.drift.snapshot import DriftStateError, Saved, Snapshot, decode, encode
from learners.events import Predictions


def monitor_of(*names: str) -> DriftMonitor:
    return DriftMonitor([spec_of(name, {}) for name in names or NAMES])


def fed(monitor: DriftMonitor, length: int = 3000) -> DriftMonitor:
    y = (np.random.default_rng(0).random(length) < 0.3).astype(np.int64)
    every = np.ones(length, dtype=np.bool_)
    monitor.update(y, Predictions(np.zeros_like(y), None, y, every), every)
    return monitor


def with_seen(seen: bytes, name: str = "adwin") -> bytes:
    """Give a snapshot of one detector that is whole but for what it has seen."""
    whole = decode(monitor_of(name).snapshot())
    return encode(Snapshot(whole.river, {name: Saved(whole.detectors[name].params, seen)}))


class Calls:
    """Is pickled as the call of a function."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._call = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


def _runs(name: str, protocol: int, trace: str) -> bytes:
    touch, script = f"touch {trace}", f"open({trace!r}, 'w').close()"
    by_object = {
        "os.system": Calls(os.system, touch),
        "eval": Calls(builtins.eval, script),
        "exec": Calls(builtins.exec, script),
        "a program": Calls(subprocess.getoutput, touch),
        "in a state": {"_helper": Calls(os.system, touch), "_drift_detected": False},
    }
    if name in by_object:
        return pickle.dumps(by_object[name], protocol)
    imported = "cbuiltins\n__import__\n(S'os'\ntR"
    by_hand = {
        "a chain of getattr": f"cbuiltins\ngetattr\n({imported}S'system'\ntR(S'{touch}'\ntR.",
        "INST": f"(S'{touch}'\nios\nsystem\n.",
        "OBJ": f"(cos\nsystem\nS'{touch}'\no.",
    }
    return by_hand[name].encode()


HARMFUL = [
    *((name, p) for name in ("os.system", "eval", "exec", "a program") for p in range(6)),
    *(("in a state", p) for p in range(6)),
    *((name, 0) for name in ("a chain of getattr", "INST")),
]


@pytest.mark.parametrize(("name", "protocol"), HARMFUL)
def test_nothing_runs_that_a_plain_unpickler_would_run(
    name: str, protocol: int, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    seen = _runs(name, protocol, str(trace))
    monitor = monitor_of("adwin")
    with pytest.raises(DriftStateError, match="the state of adwin cannot be read: it "):
        monitor.restore(with_seen(seen))
    assert not trace.exists()
    pickle.loads(seen)  # noqa: S301 - shows that it is harmful, and what the test rests on
    assert trace.exists()


def _global(module: str, name: str) -> bytes:
    words = (bytes([0x8C, len(word)]) + word.encode() for word in (module, name))
    return b"\x80\x04" + b"".join(words) + b"\x93"


STRANGE = {
    "a class that is not listed": _global("river.stats.mean", "BayesianMean") + b")\x81.",
    "a dotted way out of a listed class": _global("river.stats.mean", "Mean.update") + b".",
    "a module that acts when imported": _global("this", "s") + b".",
    "a function of this project": _global("learners.drift.monitor", "_river") + b".",
    "getattr": _global("builtins", "getattr") + b".",
    "an extension": b"\x80\x04\x82\x01.",
    "a persistent id": b"\x80\x04\x8c\x01xQ.",
    "a place far away in memory": b"\x80\x04}r\xff\xff\xff\x7f.",
    "a place that nobody filled": b"\x80\x04h\x07.",
    "a text that claims to be long": b"\x80\x04X\xff\xff\xff\x7fx.",
    "nothing": b"",
    "no end": b"\x80\x04}",
    "no pickle": b"hello",
    "a number": pickle.dumps(7, 4),
    "another detector's state": pickle.dumps({"_p": 1}, 4),
    "one more attribute": pickle.dumps({"_drift_detected": False, "_helper": 1, "update": 2}, 4),
    "a state of the wrong kind": pickle.dumps({"_drift_detected": False, "_helper": 1}, 4),
    "a class for a state": pickle.dumps({"_drift_detected": False, "_helper": Mean}, 4),
}


@pytest.mark.parametrize("seen", STRANGE.values(), ids=STRANGE.keys())
def test_what_is_no_state_of_a_detector_is_refused_and_changes_nothing(seen: bytes) -> None:
    monitor = fed(monitor_of("adwin"))
    before = monitor.snapshot()
    with pytest.raises(DriftStateError, match="the state of adwin cannot be read"):
        monitor.restore(with_seen(seen))
    assert monitor.snapshot() == before


class _Garbled(pickle.Pickler):
    """Writes the state of compiled windows as bytes of its own choice."""

    def __init__(self, file: io.BytesIO, state: bytes) -> None:
        super().__init__(file, 4)
        self._state = state

    def reducer_override(self, obj: Any) -> Any:
        if type(obj).__name__ != "AdaptiveWindowing":
            return NotImplemented
        return copyreg.__newobj__, (type(obj), *obj.__getnewargs__()), self._state  # type: ignore[attr-defined]  # typeshed leaves it out


def test_bytes_that_make_the_compiled_part_panic_are_refused(
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = io.BytesIO()
    river = ADWIN()  # type: ignore[no-untyped-call]  # River leaves it untyped
    seen = {name: value for name, value in vars(river).items() if name.startswith("_")}
    _Garbled(file, b"garbled").dump(seen)
    with pytest.raises(DriftStateError, match="the state of adwin cannot be read"):
        monitor_of("adwin").restore(with_seen(file.getvalue()))
    assert "panicked" in capfd.readouterr().err


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_bit_raises_nothing_else(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in NAMES if name != "adwin"]))
    seen = bytearray(decode(fed(monitor_of(name)).snapshot()).detectors[name].seen)
    bit = data.draw(st.integers(0, 8 * len(seen) - 1))
    seen[bit // 8] ^= 1 << bit % 8
    with suppress(DriftStateError):
        monitor_of(name).restore(with_seen(bytes(seen), name))


@given(st.binary(max_size=200))
@example(b"\x81\xa4\x00\x00\x00\x80")  # a key that is no UTF-8
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    monitor = monitor_of("adwin", "ddm")
    for snapshot in (data, with_seen(data)):
        if snapshot:
            with pytest.raises(DriftStateError):
                monitor.restore(snapshot)


def test_a_pickle_in_place_of_the_whole_is_refused(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(DriftStateError, match="the drift detectors' state cannot be read"):
        monitor_of().restore(_runs("os.system", 4, str(trace)))
    assert not trace.exists()


def test_what_is_of_another_river_is_left_unread() -> None:
    monitor, whole = monitor_of("ddm"), decode(fed(monitor_of("ddm")).snapshot())
    other = encode(Snapshot("0.1", {"ddm": Saved(whole.detectors["ddm"].params, b"whatever")}))
    (reason,) = monitor.restore(other)
    assert reason.startswith("ddm begins anew: the checkpoint is of River 0.1, this is River ")
    assert monitor.snapshot() == monitor_of("ddm").snapshot()


def test_an_interruption_during_a_restore_is_no_damaged_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monitor = monitor_of("adwin")
    monkeypatch.setattr("learners.drift.snapshot.make_detector", interrupted)
    with pytest.raises(KeyboardInterrupt):
        monitor.restore(monitor.snapshot())


@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_is_small_however_much_was_seen(name: str) -> None:
    assert len(fed(monitor_of(name), 20_000).snapshot()) < 4000
