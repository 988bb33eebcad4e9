"""The oracle does what scikit-learn does when it is called by hand, row by row."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.preprocessing import MinMaxScaler

from tests.chaos.evidence import Model, Record
from tests.chaos.inputs import Event, event_of
from tests.chaos.oracle import Fold

RANDOM = np.random.default_rng(5)
X = RANDOM.normal(size=(20, 3))
SCALED: tuple[str, dict[str, Any]] = ("MinMaxScaler", {})


def event(i: int, label: Any) -> Event:
    return Event(0, i, None, i, X[i : i + 1], label, plain=True, tame=True)


def test_a_stride_is_learned_in_one_call_when_it_is_full() -> None:
    hinge = ("SGDClassifier", {"penalty": "none", "learning_rate": "pa1", "eta0": 0.1})
    fold = Fold(Model(classes=(7, 3, 5), steps=(SCALED, hinge), stride=3))
    scaler = MinMaxScaler()
    model = SGDClassifier(
        penalty=None, learning_rate="pa1", eta0=0.1, shuffle=False, random_state=0
    )
    rows: list[Any] = []
    labels = [(3, 5, 7, None)[i % 4] for i in range(20)]
    for i, label in enumerate(labels):
        z = scaler.partial_fit(X[i : i + 1]).transform(X[i : i + 1])
        expected = model.predict(z)[0] if hasattr(model, "coef_") else 3
        fold.advance(event(i, label))
        assert fold.said[-1].agrees(expected, None)
        assert not fold.said[-1].agrees(expected, 0.5)
        rows += [] if label is None else [(z, label)]
        if len(rows) == 3:
            Z = np.concatenate([row for row, _ in rows])
            model.partial_fit(Z, [told for _, told in rows], classes=[3, 5, 7])
            rows.clear()
    np.testing.assert_array_equal(fold.steps[1].coef_, model.coef_)
    np.testing.assert_array_equal(fold.steps[0].scale_, scaler.scale_)
    assert (fold.learned, fold.open_labels) == (15, [])


def test_numbers_are_predicted_as_0_before_the_first_is_learned() -> None:
    fold = Fold(Model(classes=(), steps=(("SGDRegressor", {}),)))
    model = SGDRegressor(shuffle=False, random_state=0)
    for i in range(10):
        fold.advance(event(i, float(i)))
        value = model.predict(X[i : i + 1])[0] if i else 0.0
        assert fold.said[-1].agrees(value, None)
        assert not fold.said[-1].agrees(value + 1e-6, None)
        model.partial_fit(X[i : i + 1], [float(i)])
    np.testing.assert_array_equal(fold.steps[0].coef_, model.coef_)


def test_a_glance_and_a_copy_change_nothing() -> None:
    fold, other = Fold(Model()), Fold(Model())
    for i in range(10):
        label = ("up", "down")[i % 2]
        seen = fold.glance(event(i, label))
        fold.copy().advance(event(i, label))
        fold.advance(event(i, label))
        other.advance(event(i, label))
        assert fold.said[-1] == seen == other.said[-1]
    np.testing.assert_array_equal(fold.steps[-1].coef_, other.steps[-1].coef_)
    assert fold.done == [(0, i) for i in range(10)]


GOOD: dict[str, Any] = {"id": "x", "features": {"a": 1, "b": 2.5, "c": -3}, "label": "up"}
NO_EVENTS: dict[str, bytes] = {
    "no JSON": b"{",
    "nothing": b"",
    "an array": b"[]",
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(GOOD).encode(),
    "NaN": json.dumps(GOOD | {"features": {"a": float("nan"), "b": 1, "c": 1}}).encode(),
    "too large for a float": b'{"id":"x","features":{"a":1e999,"b":1,"c":1}}',
    "out of range": json.dumps(GOOD | {"features": {"a": 1e16, "b": 1, "c": 1}}).encode(),
    "a feature too few": json.dumps(GOOD | {"features": {"a": 1, "b": 1}}).encode(),
    "a feature too many": json.dumps(GOOD | {"features": dict.fromkeys("abcd", 1)}).encode(),
    "text for a number": json.dumps(GOOD | {"features": {"a": "1", "b": 1, "c": 1}}).encode(),
    "true for a number": json.dumps(GOOD | {"features": [True, 1, 1]}).encode(),
    "a short array": json.dumps(GOOD | {"features": [1, 1]}).encode(),
    "another label": json.dumps(GOOD | {"label": "sideways"}).encode(),
    "no id": json.dumps({"features": [1, 1, 1]}).encode(),
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", NO_EVENTS)
def test_what_is_no_event_is_not_taken_for_one(name: str) -> None:
    assert event_of(Record(0, 0, None, NO_EVENTS[name], {}), Model(), "events") is None


@pytest.mark.parametrize("changes", [{}, {"label": None}, {"features": [1, 2.5, -3]}, {"more": []}])
def test_an_event_is_taken_as_it_is(changes: dict[str, Any]) -> None:
    value = json.dumps(GOOD | changes).encode()
    found = event_of(Record(1, 5, b"k", value, {}), Model(), "events")
    assert found is not None
    assert (found.id, found.label, found.plain) == ("x", changes.get("label", "up"), True)
    assert found.x.tolist() == [[1.0, 2.5, -3.0]]


def test_a_repeated_field_may_be_taken_or_refused() -> None:
    value = b'{"id":"y","id":"x","features":[1,2,3]}'
    found = event_of(Record(0, 0, None, value, {}), Model(), "events")
    assert found is not None
    assert not found.plain


def test_without_an_id_field_an_event_is_named_after_its_place() -> None:
    model = Model(id_field=None, label_field="y", features_in="", classes=(0, 1))
    found = event_of(Record(2, 7, None, b'{"a":1,"b":2,"c":3,"y":1}', {}), model, "events")
    assert found is not None
    assert (found.id, found.label) == ("events/2/7", 1)
