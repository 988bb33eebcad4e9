"""Drift detectors: River's own detections, at the same events however the stream is cut."""

import inspect
from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from learners.drift.catalogue import KINDS, NAMES, DetectorSpec, DetectorSpecError, spec_of
from learners.drift.monitor import Detection, DriftMonitor
from learners.events import Predictions

CHANGE = 600
SOFT = {
    "adwin": {"delta": 0.05, "clock": 4},
    "page_hinkley": {"threshold": 5.0, "min_instances": 5},
}


def specs(*names: str) -> list[DetectorSpec]:
    return [spec_of(name, SOFT.get(name, {})) for name in names or NAMES]


def stream(seed: int, length: int = 1200) -> NDArray[np.int64]:
    """Give errors that become many at `CHANGE`, and few again later."""
    rng = np.random.default_rng(seed)
    share = np.repeat([0.1, 0.6, 0.1], [CHANGE, CHANGE // 2, length])[:length]
    return (rng.random(length) < share).astype(np.int64)


def feed(
    monitor: DriftMonitor, errors: NDArray[Any], first: int = 0, labelled: Any = None
) -> list[Detection]:
    """Let a model that always says 0 meet labels that are its errors."""
    n = len(errors)
    said = Predictions(np.zeros_like(errors), None, np.arange(n), np.ones(n, dtype=np.bool_))
    every = np.ones(n, dtype=np.bool_) if labelled is None else labelled
    found = monitor.update(errors, said, every)
    return [Detection(each.detector, each.row + first) for each in found]


def feed_in_parts(
    monitor: DriftMonitor, errors: NDArray[Any], cuts: Sequence[int]
) -> list[Detection]:
    edges = [0, *sorted(cut % (len(errors) + 1) for cut in cuts), len(errors)]
    found = []
    for begin, end in pairwise(edges):
        found += feed(monitor, errors[begin:end], begin)
    return found


def by_river(name: str, errors: Sequence[float | bool]) -> list[int]:
    """Give what River finds, as its own documentation uses it."""
    kind = KINDS[name]
    detector = getattr(import_module(kind.module), kind.cls)(**SOFT.get(name, {}))
    found = []
    for position, error in enumerate(errors):
        detector.update(error)
        if detector.drift_detected:
            found.append(position)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_finds_what_river_finds_event_by_event(name: str) -> None:
    errors = np.concatenate([stream(seed) for seed in range(3)])
    found = feed(DriftMonitor(specs(name)), errors)
    as_river_takes_them = errors.astype(np.float64 if KINDS[name].takes_numbers else np.bool_)
    assert [each.row for each in found] == by_river(name, as_river_takes_them.tolist())
    assert {each.detector for each in found} == {name}


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_a_detector_of_numbers_finds_what_river_finds_in_absolute_errors(name: str) -> None:
    rng = np.random.default_rng(5)
    targets = rng.normal(size=1500) * np.repeat([1.0, 4.0, 1.0], 500)
    found = feed(DriftMonitor(specs(name)), targets)
    assert [each.row for each in found] == by_river(name, np.abs(targets).tolist())
    assert found


@pytest.mark.parametrize("name", NAMES)
def test_a_change_that_was_planted_is_found_soon_after_it(name: str) -> None:
    rows = [each.row for each in feed(DriftMonitor([spec_of(name, {})]), stream(2))]
    assert any(CHANGE <= row < CHANGE + 300 for row in rows)


@given(st.integers(0, 20), st.lists(st.integers(0, 2000), max_size=12))
@settings(max_examples=25, deadline=None)
def test_where_batches_are_cut_changes_nothing(seed: int, cuts: list[int]) -> None:
    errors = stream(seed)
    whole, parts = DriftMonitor(specs()), DriftMonitor(specs())
    expected = feed(whole, errors)
    found = feed_in_parts(parts, errors, cuts)
    assert sorted(found, key=_place) == sorted(expected, key=_place)
    assert len({each.detector for each in found}) >= 4
    # What comes after is the same, too.
    assert feed(parts, errors) == feed(whole, errors)


def test_one_event_at_a_time_is_the_same_bit_for_bit() -> None:
    errors = stream(1)
    for name in NAMES:
        whole, single = DriftMonitor(specs(name)), DriftMonitor(specs(name))
        expected = feed(whole, errors)
        assert feed_in_parts(single, errors, range(len(errors))) == expected
        assert single.snapshot() == whole.snapshot()


@given(st.integers(0, 20), st.lists(st.integers(0, 1200), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_restore_in_the_middle_changes_nothing(seed: int, cuts: list[int]) -> None:
    errors = stream(seed)
    expected = feed(DriftMonitor(specs()), errors)
    monitor, found = DriftMonitor(specs()), []
    for begin, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(errors)], strict=True):
        found += feed(monitor, errors[begin:end], begin)
        monitor, former = DriftMonitor(specs()), monitor
        assert monitor.restore(former.snapshot()) == []
        assert monitor.snapshot() == former.snapshot()
    assert sorted(found, key=_place) == sorted(expected, key=_place)


def test_only_labelled_and_accepted_events_are_watched() -> None:
    errors, n = stream(4), 3 * len(stream(4))
    places = np.sort(np.random.default_rng(1).permutation(n)[: len(errors)])
    labelled, accepted = np.zeros((2, n), dtype=np.bool_)
    labelled[places] = accepted[places] = True
    labelled[::7] = True  # of those that are no places, not accepted
    accepted[~labelled] = True
    y = np.full(n, -1)
    y[places] = errors
    said = Predictions(np.zeros(n, dtype=np.int64), None, np.arange(n), accepted)
    found = DriftMonitor(specs()).update(y, said, labelled)
    expected = feed(DriftMonitor(specs()), errors)
    assert found == [Detection(each.detector, int(places[each.row])) for each in expected]


def test_detections_come_in_the_order_of_events() -> None:
    rows = [each.row for each in feed(DriftMonitor(specs()), stream(0))]
    assert rows == sorted(rows)
    assert len(rows) > 3


def test_without_detectors_nothing_is_watched_and_nothing_kept() -> None:
    monitor = DriftMonitor()
    assert feed(monitor, stream(0)) == []
    assert monitor.snapshot() == b""
    assert monitor.restore(DriftMonitor(specs()).snapshot()) == []


def test_an_empty_batch_and_one_without_labels_change_nothing() -> None:
    monitor = DriftMonitor(specs())
    before = monitor.snapshot()
    assert feed(monitor, stream(0, 0)) == []
    assert feed(monitor, stream(0, 9), labelled=np.zeros(9, dtype=np.bool_)) == []
    assert monitor.snapshot() == before


@pytest.mark.parametrize("enormous", [1e200, np.inf, np.nan])
@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_an_enormous_error_does_not_make_a_detector_blind_for_good(
    name: str, enormous: float
) -> None:
    monitor = DriftMonitor([spec_of(name, {})])
    feed(monitor, np.full(100, enormous))
    calm, wild = np.zeros(4000), np.repeat([0.0, 9.0], 2000)
    feed(monitor, calm)
    assert feed(monitor, wild)


def test_a_detector_that_was_set_otherwise_begins_anew_and_says_why() -> None:
    monitor = DriftMonitor([spec_of("adwin", {}), spec_of("ddm", {})])
    feed(monitor, stream(0)[:CHANGE])
    changed = DriftMonitor([spec_of("adwin", {"delta": 0.1}), spec_of("ddm", {})])
    assert changed.restore(monitor.snapshot()) == ["adwin begins anew: delta was 0.002 and is 0.1"]
    fresh = DriftMonitor([spec_of("adwin", {"delta": 0.1})])
    kept = DriftMonitor([spec_of("ddm", {})])
    kept.restore(monitor.snapshot())
    expected = feed(fresh, stream(3)) + feed(kept, stream(3))
    assert sorted(feed(changed, stream(3)), key=_place) == sorted(expected, key=_place)


def test_a_detector_that_was_not_there_begins_anew_and_says_so() -> None:
    added = DriftMonitor(specs("ddm", "eddm"))
    assert added.restore(DriftMonitor(specs("ddm")).snapshot()) == [
        "eddm begins anew: the checkpoint has none of it"
    ]
    assert len(added.restore(b"")) == 2


def test_a_restore_forgets_what_was_seen_since() -> None:
    monitor = DriftMonitor(specs())
    before = monitor.snapshot()
    feed(monitor, stream(0))
    monitor.restore(before)
    assert monitor.snapshot() == before


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_their_defaults_are_those_of_river(name: str) -> None:
    kind = KINDS[name]
    signature = inspect.signature(getattr(import_module(kind.module), kind.cls))
    found = {parameter: each.default for parameter, each in kind.parameters.items()}
    assert found == {key: each.default for key, each in signature.parameters.items()}
    assert all(each.read(each.default) == each.default for each in kind.parameters.values())


BOUNDS: dict[type, list[Any]] = {
    bool: [False, True],
    int: [0, 1, 2, 1_000_000],
    float: [1e-12, 0.5, 1 - 1e-12, 1.0, 1e100],
    str: ["up", "down", "both"],
}


@pytest.mark.parametrize("name", NAMES)
def test_no_value_that_may_be_set_breaks_a_detector(name: str) -> None:
    for parameter, each in KINDS[name].parameters.items():
        for value in BOUNDS[type(each.default)]:
            if each.read(value) is None:
                continue
            try:
                spec = spec_of(name, {parameter: value})
            except DetectorSpecError:  # two that do not go together
                continue
            monitor = DriftMonitor([spec])
            feed(monitor, stream(0))
            DriftMonitor([spec]).restore(monitor.snapshot())


@pytest.mark.parametrize(
    ("name", "given_", "told"),
    [
        ("adwin", {"delta": 0}, "drift.delta = 0: no value for adwin; write a number above 0 and"),
        ("adwin", {"delta": True}, "drift.delta = True: no value"),
        ("adwin", {"delta": float("nan")}, "drift.delta = nan: no value"),
        ("adwin", {"clock": 1.5}, "drift.clock = 1.5: no value for adwin; write a whole number"),
        ("adwin", {"clock": "x"}, "drift.clock = 'x': no value"),
        ("adwin", {"warm_start": 1}, "drift.warm_start = 1: adwin has no such parameter; it has"),
        ("hddm_a", {"two_sided_test": 1}, "drift.two_sided_test = 1: .*; write true or false"),
        ("page_hinkley", {"mode": "sideways"}, "write 'both' or 'up' or 'down'"),
        ("eddm", {"alpha": 0.5}, "drift.beta = 0.9: above alpha = 0.5; lower it"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_with_key_value_and_mend(
    name: str, given_: dict[str, object], told: str
) -> None:
    with pytest.raises(DetectorSpecError, match=told):
        spec_of(name, given_)


def test_text_from_the_environment_counts_as_what_it_says() -> None:
    assert spec_of("adwin", {"delta": "0.01", "clock": "8"}).params["clock"] == 8
    assert spec_of("hddm_w", {"two_sided_test": "true"}).params["two_sided_test"] is True


def _place(each: Detection) -> tuple[int, str]:
    return each.row, each.detector
