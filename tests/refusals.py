"""Events, good and bad, that a small model learns; what is refused must leave no trace in it."""

import numpy as np

from learners.decoding import Decoded, JsonDecoder
from learners.events import Floats, Predictions
from learners.factory import make_learner
from learners.guard import Guard
from learners.learner import Learner
from learners.model_spec import StepSpec
from learners.rejections import Reason
from tests.records import SCHEMA, event, records_of

LINEAR = (
    StepSpec("StandardScaler", {}),
    StepSpec("SGDClassifier", {"loss": "log_loss", "learning_rate": "constant", "eta0": 0.1}),
)
GOOD = [event(i) for i in range(8)]


def raw(features: str = '{"a":1,"b":2}', label: str = '"up"', name: str = '"x"') -> bytes:
    return f'{{"id":{name},"features":{features},"y":{label}}}'.encode()


def a(number: str) -> bytes:
    return raw(f'{{"a":{number},"b":2}}')


def decode(*values: bytes | None) -> Decoded:
    return JsonDecoder(SCHEMA).decode(records_of(values))


def learned(decoded: Decoded, *steps: StepSpec) -> tuple[Learner, Predictions]:
    learner = make_learner(steps or LINEAR, ("down", "up"), 2, guard=Guard(1e12))
    return learner, learner.test_then_train(decoded.batch)


def assert_same(one: Learner, other: Learner) -> None:
    """Hold two learners against each other: what they are, and what they make of more events."""
    assert one.snapshot().state == other.snapshot().state
    batch = decode(*GOOD).batch
    said, expected = one.test_then_train(batch), other.test_then_train(batch)
    np.testing.assert_array_equal(probabilities(said), probabilities(expected))


def probabilities(predictions: Predictions) -> Floats:
    assert predictions.probabilities is not None
    assert np.isfinite(predictions.probabilities).all()
    return predictions.probabilities


def refused(*bad: bytes) -> list[Reason]:
    """Put bad records among good ones: they go, with a reason each, and leave no trace."""
    decoded = decode(*GOOD[:4], *bad, *GOOD[4:])
    learner, _ = learned(decoded)
    assert_same(learner, learned(decode(*GOOD))[0])
    assert [each.row for each in decoded.rejections] == list(range(4, 4 + len(bad)))
    return [each.reason for each in decoded.rejections]


def accepted(*values: bytes) -> Predictions:
    """Take values that are strange, and no more: each is predicted and learned."""
    decoded = decode(*GOOD, *values)
    assert decoded.rejections == ()
    learner, predictions = learned(decoded)
    assert learner.model_version == len(GOOD) + len(values)
    probabilities(predictions)
    return predictions
