"""How detectors become bytes and come back. The only pickle in streamfit, and a tame one.

A snapshot says in MessagePack which detectors it is of; what each one has seen is a pickle of
its own, for River keeps it in objects of many kinds. Such a pickle is read only after all of the
following, so that whoever can write one can make a detector useless, and nothing else:

- its opcodes are those that such state needs: none of them calls a function (no `REDUCE`, and
  hence no `getattr`), none reaches for a numbered place in memory;
- it names no class but those listed here: River's means and windows, which hold numbers;
- what came out has the shape of a new detector's state, and the detector works with it.
"""

import copy
import io
import pickle
import pickletools
from collections.abc import Iterator, Mapping
from types import MethodType
from typing import Any

import msgspec

from learners.drift.catalogue import DetectorSpec
from learners.drift.detectors import Detector, make_detector
from learners.drift.parameters import Value

_PROTOCOL = 4
_CLASSES = frozenset(
    {
        ("river._river_rust.drift", "AdaptiveWindowing"),
        ("river._river_rust.stats", "RsEWMean"),
        ("river.drift.binary.hddm_w", "SampleInfo"),
        ("river.stats.ewmean", "EWMean"),
        ("river.stats.mean", "Mean"),
        ("river.stats.var", "Var"),
    }
)
_OPCODES = frozenset(
    {
        *("PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINGET", "LONG_BINGET"),
        *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("SHORT_BINUNICODE", "SHORT_BINBYTES", "BINBYTES"),
        *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT"),
        *("SETITEM", "SETITEMS", "STACK_GLOBAL", "NEWOBJ", "BUILD"),
    }
)


class DriftStateError(ValueError):
    """Bytes that are no snapshot of detectors."""


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A detector in a snapshot: how it was set, and what it has seen, as a pickle."""

    params: dict[str, Value]
    seen: bytes


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All detectors of a model, by name, and the version of River that they are of."""

    river: str
    detectors: dict[str, Saved]


def encode(snapshot: Snapshot) -> bytes:
    """Give a snapshot as bytes."""
    return msgspec.msgpack.encode(snapshot)


def decode(data: bytes) -> Snapshot:
    """Read a snapshot, without anything that detectors have seen.

    Raises
    ------
    DriftStateError
        If it is none.
    """
    try:
        return msgspec.msgpack.decode(data, type=Snapshot)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DriftStateError(f"the drift detectors' state cannot be read: {error}") from None


def save(spec: DetectorSpec, detector: Detector) -> Saved:
    """Take down what a detector has seen; changes nothing."""
    return Saved(dict(spec.params), pickle.dumps(_seen(spec, detector.river), _PROTOCOL))


def load(spec: DetectorSpec, saved: Saved) -> Detector:
    """Make a detector that goes on where the saved one was.

    Raises
    ------
    DriftStateError
        If that is no state of such a detector, or holds anything else.
    """
    try:
        detector = make_detector(spec)
        _put_back(spec, detector, _Reader(saved.seen).load())
        # What does not fit shows now rather than with the next event; on a copy, by two of them.
        trial = copy.deepcopy(detector)
        trial.update([1.0, 0.0])
    except _PASSED_ON:
        raise
    # A panic of River's compiled part is no Exception, and has no name to be caught by.
    except BaseException as error:  # noqa: BLE001 - whatever it is, it was caused by these bytes
        raise DriftStateError(f"the state of {spec.name} cannot be read: {error}") from None
    return detector


_PASSED_ON = (KeyboardInterrupt, SystemExit, GeneratorExit)


def _seen(spec: DetectorSpec, river: Any) -> dict[str, Any]:
    """Give what is neither a parameter nor a method that a parameter chose."""
    return {
        name: value
        for name, value in vars(river).items()
        if name not in spec.params and not isinstance(value, MethodType)
    }


def _put_back(spec: DetectorSpec, detector: Detector, seen: object) -> None:
    expected = _seen(spec, detector.river)
    if not isinstance(seen, Mapping) or seen.keys() != expected.keys():
        raise DriftStateError("it holds something else")
    vars(detector.river).update(seen)


class _Reader(pickle.Unpickler):
    """Unpickles what detectors have seen, and nothing else."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        strange = set(_opcodes(data)) - _OPCODES
        if strange:
            raise DriftStateError(f"it holds {', '.join(sorted(strange))}")

    def find_class(self, module: str, name: str) -> Any:
        """Give one of the listed classes."""
        if (module, name) not in _CLASSES:
            raise DriftStateError(f"it names {module}.{name}")
        return super().find_class(module, name)


def _opcodes(data: bytes) -> Iterator[str]:
    for opcode, _, _ in pickletools.genops(data):
        yield opcode.name
