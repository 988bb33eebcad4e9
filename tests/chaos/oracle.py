"""What a model must be after some events, by scikit-learn's own calls, row by row.

Called as anybody would call it; so slow that a fold can be kept and gone on with. Estimators that
scikit-learn itself cannot run row by row (GaussianNB, MiniBatchKMeans) are not folded here.
"""

import copy
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from tests.chaos.evidence import Model
from tests.chaos.inputs import Event

TOLERANCE = 1e-9
_MODULES = ("preprocessing", "linear_model", "naive_bayes", "neural_network")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Said:
    """What the model says of an event before it learns it.

    Attributes
    ----------
    value : str, int or float
        What `predict` gives.
    probabilities : dict
        Of each class; empty where the estimator gives none.
    margin : float
        How far the second best class is; infinite for numbers.
    version : int
        Labelled events learned before.
    """

    value: Any
    probabilities: Mapping[Any, float]
    margin: float
    version: int

    def agrees(self, value: Any, probability: float | None) -> bool:
        """Tell whether a prediction is this one, to 1e-9."""
        if self.margin == np.inf:
            return is_near(value, self.value)
        same = value == self.value or (self.margin < TOLERANCE and value in self.probabilities)
        if not self.probabilities:
            return (value == self.value or self.margin < TOLERANCE) and probability is None
        return same and probability is not None and is_near(probability, self.probabilities[value])


def is_near(value: Any, right: Any) -> bool:
    """Tell whether two numbers agree to 1e-9 relative to max(1, |value|)."""
    try:
        return bool(abs(value - right) <= TOLERANCE * max(1.0, abs(right)))
    except TypeError:
        return False


class Fold:
    """A pipeline that learns events one by one.

    Attributes
    ----------
    steps : list of estimator
        Transformers, then the predictor.
    learned : int
        Labelled events so far.
    open_rows, open_labels : list
        Of the stride that is not full yet.
    done : list of (int, int)
        Partition and offset of each event so far.
    said : list of Said
        Of each of them.
    """

    def __init__(self, model: Model) -> None:
        self._classes = np.array(sorted(model.classes))
        self._stride = model.stride
        self.steps = [_estimator(name, params) for name, params in model.steps]
        self.learned = 0
        self.open_rows: list[Floats] = []
        self.open_labels: list[Any] = []
        self.done: list[tuple[int, int]] = []
        self.said: list[Said] = []

    def advance(self, event: Event) -> None:
        """Predict an event, then learn it."""
        with _settled():
            z = self._transformed(event.x)
            self.said.append(self._say(z))
            self.done.append((event.partition, event.offset))
            if event.label is not None:
                self._learn(z, event.label)

    def glance(self, event: Event) -> Said:
        """Tell what would be said of an event if it came next; changes nothing."""
        other = copy.copy(self)
        other.steps = [*copy.deepcopy(self.steps[:-1]), self.steps[-1]]
        with _settled():
            return other._say(other._transformed(event.x))

    def copy(self) -> "Fold":
        """Give one that goes on from here by itself."""
        other = copy.copy(self)
        other.steps = copy.deepcopy(self.steps)
        other.open_rows, other.open_labels = list(self.open_rows), list(self.open_labels)
        other.done, other.said = list(self.done), list(self.said)
        return other

    def _transformed(self, x: Floats) -> Floats:
        for transformer in self.steps[:-1]:
            x = transformer.partial_fit(x).transform(x)
        return x

    def _say(self, z: Floats) -> Said:
        model = self.steps[-1]
        if self.learned == len(self.open_labels):  # no update yet
            return self._before_the_first(model)
        value = model.predict(z)[0]
        if not len(self._classes):
            return Said(float(value), {}, np.inf, self.learned)
        if not hasattr(model, "predict_proba"):
            return Said(value.item(), {}, _margin(model.decision_function(z)[0]), self.learned)
        probability = model.predict_proba(z)[0]
        second, first = np.sort(probability)[-2:]
        pairs = zip(self._classes.tolist(), probability.tolist(), strict=True)
        return Said(value.item(), dict(pairs), float(first - second), self.learned)

    def _before_the_first(self, model: Any) -> Said:
        if not len(self._classes):
            return Said(0.0, {}, np.inf, self.learned)
        classes = self._classes.tolist()
        given = hasattr(model, "predict_proba")
        probabilities = dict.fromkeys(classes, 1 / len(classes)) if given else {}
        return Said(classes[0], probabilities, 1.0, self.learned)

    def _learn(self, z: Floats, label: Any) -> None:
        self.learned += 1
        self.open_rows.append(z)
        self.open_labels.append(label)
        if self.learned % self._stride:
            return
        more = {"classes": self._classes} if len(self._classes) else {}
        Z = np.concatenate(self.open_rows)
        self.steps[-1].partial_fit(Z, np.array(self.open_labels), **more)
        self.open_rows, self.open_labels = [], []


def _settled() -> Any:
    # Checking parameters and rows anew for each row takes much of the time, and changes nothing.
    return sklearn.config_context(skip_parameter_validation=True, assume_finite=True)


def _margin(decision: Any) -> float:
    if np.ndim(decision) == 0:
        return float(abs(decision))
    second, first = np.sort(decision)[-2:]
    return float(first - second)


def _estimator(name: str, params: Mapping[str, Any]) -> BaseEstimator:
    homes = (importlib.import_module(f"sklearn.{module}") for module in _MODULES)
    estimator = next(getattr(home, name) for home in homes if hasattr(home, name))()
    fixed = {"shuffle": False, "random_state": 0}
    known = {name: value for name, value in fixed.items() if name in estimator.get_params()}
    given = {name: None if value == "none" else value for name, value in params.items()}
    return estimator.set_params(**known | given)
