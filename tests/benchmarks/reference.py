"""What the model must have said: a plain recomputation that shares no code with the contestants.

An online standardisation by Welford's update (Technometrics 4:3, 1962) and logistic regression by
stochastic gradient descent, row by row, as a text book has it. On the first rows it is itself held
against scikit-learn and River, called row by row.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier
from sklearn.preprocessing import StandardScaler

from tests.benchmarks.reading import Predictions
from tests.benchmarks.workload import row_of, rows

ETA = 0.005
# River divides where scikit-learn multiplies, and so on: the two differ by rounding.
TOLERANCE = 1e-6
ORACLE_ROWS = 50_000


@njit(cache=True)
def probabilities(
    X: NDArray[np.float64], y: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Give the probability of class 1 of each row, before it is learned."""
    d = X.shape[1]
    mean, m2, w, z = np.zeros(d), np.zeros(d), np.zeros(d), np.zeros(d)
    bias = 0.0
    found = np.empty(len(order))
    for n in range(len(order)):
        x = X[order[n]]
        dot = bias
        for j in range(d):
            delta = x[j] - mean[j]
            mean[j] += delta / (n + 1)
            m2[j] += delta * (x[j] - mean[j])
            var = m2[j] / (n + 1)
            # A feature that has not varied yet, but for rounding, is not divided.
            z[j] = (x[j] - mean[j]) / np.sqrt(var) if var > 1e-15 else x[j] - mean[j]
            dot += w[j] * z[j]
        p = 1.0 / (1.0 + np.exp(-dot))
        found[n] = p
        step = ETA * (y[order[n]] - p)
        for j in range(d):
            w[j] += step * z[j]
        bias += step
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """What comparing a contestant's predictions gave.

    Attributes
    ----------
    compared : int
        Predictions that were compared, each with the model version it claims.
    missing, repeated : int
        Versions that no prediction has, or more than one.
    wrong : int
        Predictions whose class differs though the probability is not within rounding of 0.5.
    largest_difference : float
        Of a probability.
    accuracy, expected_accuracy : float
        Share of right predictions, of the contestant and of the recomputation.
    """

    compared: int
    missing: int
    repeated: int
    wrong: int
    largest_difference: float
    accuracy: float
    expected_accuracy: float

    @property
    def is_equal(self) -> bool:
        """Whether the contestant did what was asked."""
        return (
            self.compared > 0
            and not (self.missing or self.repeated or self.wrong)
            and self.largest_difference < TOLERANCE
        )


def judge(predictions: Predictions) -> Verdict:
    """Hold all predictions against the recomputation, in the order that their versions tell."""
    X, y = rows()
    order = row_of(predictions.partitions, predictions.offsets)
    versions = predictions.versions
    places = np.unique(predictions.partitions * 2**40 + predictions.offsets)
    expected = probabilities(X, y, order)
    up = expected > 0.5
    told = np.where(predictions.classes == 1, 1, -1) * (predictions.probabilities - 0.5) + 0.5
    difference = np.abs(told - expected)
    wrong = (up != (predictions.classes == 1)) & (np.abs(expected - 0.5) > TOLERANCE)
    return Verdict(
        compared=len(predictions),
        missing=int(versions[-1]) + 1 - len(np.unique(versions)) if len(versions) else 0,
        repeated=len(versions) - min(len(np.unique(versions)), len(places)),
        wrong=int(np.count_nonzero(wrong)),
        largest_difference=float(difference.max(initial=0.0)),
        accuracy=float(np.mean(predictions.classes == y[order])),
        expected_accuracy=float(np.mean(up == y[order])),
    )


def scikit_learn_difference(count: int = ORACLE_ROWS) -> float:
    """Give the largest difference between the recomputation and scikit-learn, row by row."""
    X, y = rows()
    order = np.arange(count) % len(X)
    expected = probabilities(X, y, order)
    scaler = StandardScaler()
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=ETA, penalty=None, shuffle=False
    )
    largest = 0.0
    for n, row in enumerate(order):
        x = X[row : row + 1]
        z = scaler.partial_fit(x).transform(x)
        if n:
            largest = max(largest, abs(float(model.predict_proba(z)[0, 1]) - expected[n]))
        model.partial_fit(z, y[row : row + 1], classes=[0, 1])
    return largest
