"""Sums and probabilities of the naive Bayes kernels, in the order in which numpy adds.

What each estimator counts is in its own module.
"""

import math
from typing import Any

from numpy.typing import NDArray

from learners.events import Floats
from learners.kernels.compiling import compiled


@compiled
def pairwise_sum(a: Floats) -> float:
    """Add up a contiguous array as `numpy.sum` does, bit for bit.

    Log likelihoods can be so large that the order of adding shows in the probabilities.
    """
    n = a.shape[0]
    if n < 8:
        total = 0.0
        for j in range(n):
            total += a[j]
        return total
    if n > 128:
        half = n // 2
        half -= half % 8
        return pairwise_sum(a[:half]) + pairwise_sum(a[half:])
    s0, s1, s2, s3 = a[0], a[1], a[2], a[3]
    s4, s5, s6, s7 = a[4], a[5], a[6], a[7]
    for j in range(8, n - n % 8, 8):
        s0 += a[j]
        s1 += a[j + 1]
        s2 += a[j + 2]
        s3 += a[j + 3]
        s4 += a[j + 4]
        s5 += a[j + 5]
        s6 += a[j + 6]
        s7 += a[j + 7]
    total = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
    for j in range(n - n % 8, n):
        total += a[j]
    return float(total)


@compiled
def dot(a: Floats, b: Floats) -> float:
    """Give the dot product, by four sums that do not wait for one another."""
    n = a.shape[0]
    s0 = s1 = s2 = s3 = 0.0
    for j in range(0, n - n % 4, 4):
        s0 += a[j] * b[j]
        s1 += a[j + 1] * b[j + 1]
        s2 += a[j + 2] * b[j + 2]
        s3 += a[j + 3] * b[j + 3]
    total = (s0 + s1) + (s2 + s3)
    for j in range(n - n % 4, n):
        total += a[j] * b[j]
    return float(total)


@compiled
def write_prediction(joint: Floats, values: NDArray[Any], probabilities: Floats, i: int) -> bool:
    """Write the likeliest class and the probability of each; tell whether these are numbers.

    Parameters
    ----------
    joint : ndarray of shape (n_classes,)
        Joint log likelihoods, such as `predict_joint_log_proba` gives for one row.
    values : ndarray of shape (n_rows,)
        Room for the class index.
    probabilities : ndarray of shape (n_rows, n_classes)
        Room for the probabilities.
    i : int
        The row.
    """
    n_classes = joint.shape[0]
    best = 0
    for c in range(n_classes):
        if math.isnan(joint[c]):
            return False
        if joint[c] > joint[best]:
            best = c
    largest = joint[best]
    if math.isinf(largest):
        return False
    # scikit-learn leaves the largest terms out of the sum, for the sake of the small ones.
    rest, ties = 0.0, 0.0
    for c in range(n_classes):
        if joint[c] == largest:
            ties += 1.0
        else:
            rest += math.exp(joint[c] - largest)
    log_total = math.log1p(rest / ties) + math.log(ties) + largest
    for c in range(n_classes):
        probabilities[i, c] = math.exp(joint[c] - log_total)
    values[i] = best
    return True
