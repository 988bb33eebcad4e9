"""Distances between rows and centres, as scikit-learn's k-means takes them, dense and in CSR.

How centres move is in `learners.kernels.mini_batch_kmeans`.
"""

import numpy as np

from learners.events import Floats
from learners.kernels.compiling import compiled
from learners.kernels.kernel import Indices
from learners.kernels.naive_bayes_arithmetic import dot

_MAX = float(np.finfo(np.float64).max)


@compiled
def nearest(centres: Floats, norms: Floats, x: Floats) -> int:
    """Give the centre c of smallest |c|^2 - 2 c.x, the first of them; `norms` are the |c|^2."""
    best = 0
    least = norms[0] - 2.0 * dot(x, centres[0])
    for k in range(1, norms.shape[0]):
        distance = norms[k] - 2.0 * dot(x, centres[k])
        if distance < least:
            best, least = k, distance
    return best


@compiled
def nearest_stored(centres: Floats, norms: Floats, columns: Indices, x: Floats) -> int:
    """As `nearest`, of the stored values of a row."""
    best, least = 0, _MAX
    for k in range(norms.shape[0]):
        product = 0.0
        for m in range(x.shape[0]):
            product += centres[k, columns[m]] * x[m]
        distance = norms[k] - 2.0 * product
        if distance < least:
            best, least = k, distance
    return best


@compiled
def squared_distance(centre: Floats, x: Floats) -> float:
    """Give the squared distance, added up four by four."""
    n = x.shape[0]
    total = 0.0
    for j in range(0, n - n % 4, 4):
        d0, d1 = x[j] - centre[j], x[j + 1] - centre[j + 1]
        d2, d3 = x[j + 2] - centre[j + 2], x[j + 3] - centre[j + 3]
        total += d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3
    for j in range(n - n % 4, n):
        total += (x[j] - centre[j]) * (x[j] - centre[j])
    return total


@compiled
def squared_distance_stored(centre: Floats, norm: float, columns: Indices, x: Floats) -> float:
    """As `squared_distance`, from the stored values of a row and the squared norm of the centre."""
    total = 0.0
    for m in range(x.shape[0]):
        at = centre[columns[m]]
        total += (x[m] - at) * (x[m] - at) - at * at
    return max(total + norm, 0.0)
