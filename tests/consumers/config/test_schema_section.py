"""What the settings say of kinds of features and of formats."""

import json
from typing import Any

import numpy as np
import pytest

from consumers.errors import SettingsError
from consumers.loop.warmup import warm_up
from consumers.settings import from_tables
from consumers.wiring import decoder_of, learner_of, learning_of, schema_of
from learners.schema import Kind
from tests.records import records_of
from tests.settings_tables import REMOVED, tables

WORDS = [{"name": "a", "kind": "text"}, {"name": "b", "kind": "category"}]
PACKED = {"input.format": "float64", "schema.id": REMOVED, "schema.classes": [0, 1]}


def problem(changes: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        from_tables(tables(changes))
    (line,) = caught.value.problems
    return line


def meaning_hash(changes: dict[str, Any]) -> str:
    return from_tables(tables(changes)).meaning_hash()


def test_kinds_reach_the_schema_in_order() -> None:
    changes = {"schema.features": ["n", *WORDS], "schema.hashed_features": 64}
    schema = schema_of(from_tables(tables(changes)))
    assert schema.kinds == (Kind.NUMBER, Kind.TEXT, Kind.CATEGORY)
    assert (schema.n_hashed, schema.n_features) == (64, 65)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("json", b'{"features":{"a":1,"b":2},"y":1}'),
        ("json_array", b"[1,1,2]"),
        ("msgpack", b"\x82\xa8features\x92\x01\x02\xa1y\x01"),
        ("float64", np.array([1.0, 2.0, 1.0], "<f8").tobytes()),
    ],
)
def test_the_decoder_is_that_of_the_format(form: str, value: bytes) -> None:
    settings = from_tables(tables(PACKED | {"input.format": form}))
    batch = decoder_of(settings).decode(records_of([value])).batch
    assert batch.X.tolist() == [[1.0, 2.0]]
    assert batch.y.tolist() == [1]


@pytest.mark.parametrize(
    ("changes", "key", "mend"),
    [
        ({"schema.id": "id"}, "schema.id:", "the id is then topic/partition/offset"),
        ({"schema.time": "ts"}, "schema.time:", "the time is then the record's timestamp"),
        ({"schema.features": ["n", *WORDS]}, "schema.features:", "use json, json_array or msgpack"),
        ({"schema.classes": ["no", "yes"]}, "schema.classes:", "number the classes"),
        ({"schema.classes": [0, 2**53 + 1]}, "schema.classes:", "none beyond 2^53"),
    ],
)
def test_what_packed_numbers_have_no_room_for_is_refused_with_its_mend(
    changes: dict[str, Any], key: str, mend: str
) -> None:
    line = problem(PACKED | changes)
    assert line.startswith(key)
    assert mend in line
    from_tables(tables(PACKED | changes | {"input.format": "json"}))


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"schema.hashed_features": 100}, "schema.hashed_features = 100: is not a power of two"),
        ({"schema.hashed_features": 1}, "schema.hashed_features = 1: "),
        ({"schema.hashed_features": 2**25}, "schema.hashed_features = 33554432: "),
        ({"schema.features": [{"name": "a", "kind": "word"}]}, "schema.features[0].kind = 'word'"),
        ({"input.format": "csv"}, "input.format = 'csv'"),
    ],
)
def test_a_mistake_names_its_key(changes: dict[str, Any], start: str) -> None:
    assert problem(changes).startswith(start)


def test_what_a_model_means_hangs_on_kinds_and_hashed_columns_and_not_on_the_format() -> None:
    words = {"schema.features": WORDS}
    hashes = [
        meaning_hash({}),
        meaning_hash(words),
        meaning_hash({"schema.features": WORDS[::-1]}),
        meaning_hash({"schema.features": [WORDS[0], "b"]}),
        meaning_hash(words | {"schema.hashed_features": 2**17}),
    ]
    assert len(set(hashes)) == len(hashes)
    assert meaning_hash(words | {"schema.hashed_features": 2**18}) == hashes[1]
    assert meaning_hash({"schema.hashed_features": 2**17}) == hashes[0]
    for form in ("json_array", "msgpack"):
        assert meaning_hash({"input.format": form}) == hashes[0]


@pytest.mark.parametrize(
    ("use", "params"),
    [
        ("GaussianNB", {}),
        ("CategoricalNB", {"min_categories": 3}),
        ("MinMaxScaler", {}),
        ("StandardScaler", {}),
    ],
)
def test_an_estimator_that_takes_no_hashed_features_is_refused(
    use: str, params: dict[str, Any]
) -> None:
    steps = [{"use": use, **params}]
    if use.endswith("Scaler"):
        steps.append({"use": "SGDClassifier"})
    changes = {"schema.features": WORDS, "schema.hashed_features": 64, "model.steps": steps}
    with pytest.raises(SettingsError, match=rf"model.steps\[0\].use = '{use}'"):
        learner_of(from_tables(tables(changes)))
    learner_of(from_tables(tables(changes | {"schema.features": ["a", "b"]})))


@pytest.mark.parametrize("stride", [1, 3])
def test_words_are_decoded_and_learned_as_the_settings_say(stride: int) -> None:
    changes = {
        "schema.features": ["n", *WORDS],
        "model.steps": [{"use": "MaxAbsScaler"}, {"use": "SGDClassifier", "loss": "log_loss"}],
        "learning.stride": stride,
    }
    settings = from_tables(tables(changes))
    learner = learner_of(settings)
    warm_up(learning_of(settings), schema_of(settings).n_features, sparse=True)
    kinds = [("good day", "up"), ("bad day", "down")]
    values = [
        json.dumps(
            {"id": i, "features": [0.5, kinds[i % 2][0], "x"], "y": kinds[i % 2][1]}
        ).encode()
        for i in range(40)
    ]
    decoded = decoder_of(settings).decode(records_of(values))
    predictions = learner.test_then_train(decoded.batch)
    assert predictions.accepted.all()
    np.testing.assert_array_equal(predictions.values[10:], decoded.batch.y[10:])
    other = learner_of(settings)
    other.restore(learner.snapshot())
    assert other.snapshot().state == learner.snapshot().state
