"""confluent-kafka and scikit-learn, called with one row at a time."""

import numpy as np
import orjson
from job import ETA, job, prediction_of
from plain import Plain, in_batches
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler


class ScikitModel:
    """An online StandardScaler and logistic regression, test-then-train, by scikit-learn."""

    def __init__(self) -> None:
        self._scaler = StandardScaler()
        self._model = SGDClassifier(
            loss="log_loss", learning_rate="constant", eta0=ETA, penalty=None, shuffle=False
        )
        self._classes = np.array(["DOWN", "UP"])
        self._version = 0

    def __call__(self, value: bytes, partition: int, offset: int) -> bytes:
        """Predict an event, learn it, and give the prediction as JSON."""
        event = orjson.loads(value)
        x = np.array([list(event["features"].values())])
        z = self._scaler.partial_fit(x).transform(x)
        up = float(self._model.predict_proba(z)[0, 1]) if self._version else 0.5
        version, self._version = self._version, self._version + 1
        self._model.partial_fit(z, [event["label"]], classes=self._classes)
        return prediction_of(event["id"], up, version, partition, offset)


Plain(job(), ScikitModel()).run(in_batches)
