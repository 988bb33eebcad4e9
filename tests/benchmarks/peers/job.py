"""What all peers share: where to read and write, and River's model; needs no streamfit.

Each peer is run as `python PEER.py FILE`, FILE being JSON with `bootstrap`, `input`, `output` and
`group`, in a virtual environment of its own, until SIGTERM.
"""

import json
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from river import linear_model, optim, preprocessing

ETA = 0.005
EPOCH_S = 1.0


class Job(NamedTuple):
    """Where to read and write."""

    bootstrap: str
    input: str
    output: str
    group: str


def job() -> Job:
    """Read the file that is named on the command line."""
    return Job(**json.loads(Path(sys.argv[1]).read_text()))


class Stopper:
    """Tells whether SIGTERM has come."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, *_: Any) -> None:
        self.asked = True


class RiverModel:
    """An online StandardScaler and logistic regression, test-then-train, by River."""

    def __init__(self) -> None:
        self._scaler = preprocessing.StandardScaler()
        self._model = linear_model.LogisticRegression(optimizer=optim.SGD(ETA), intercept_lr=ETA)
        self._version = 0

    def __call__(self, value: bytes, partition: int, offset: int) -> bytes:
        """Predict an event, learn it, and give the prediction as JSON."""
        event = orjson.loads(value)
        features = event["features"]
        self._scaler.learn_one(features)
        x = self._scaler.transform_one(features)
        up = self._model.predict_proba_one(x)[True]
        version, self._version = self._version, self._version + 1
        self._model.learn_one(x, event["label"] == "UP")
        return prediction_of(event["id"], up, version, partition, offset)


def prediction_of(id_: str, up: float, version: int, partition: int, offset: int) -> bytes:
    """Give a prediction as JSON; `up` is the probability of `UP`."""
    is_up = up > 0.5
    return orjson.dumps(
        {
            "id": id_,
            "prediction": "UP" if is_up else "DOWN",
            "probability": up if is_up else 1.0 - up,
            "model_version": version,
            "partition": partition,
            "offset": offset,
        }
    )
